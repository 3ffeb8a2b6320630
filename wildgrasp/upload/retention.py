"""When a recording may be deleted here: the server confirmed all of it, it is still the same, and a person agreed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from wildgrasp.sessions.layout import FolderLock, sync_folder
from wildgrasp.upload.contents import list_files, open_file
from wildgrasp.upload.errors import SessionChangedError, UploadError
from wildgrasp.upload.queue import UPLOADED, UploadItem, UploadQueue


def deletable(item: UploadItem) -> bool:
    """Whether a session is here still and verified on the server, so that a person may be asked. Quick."""
    return item.state == UPLOADED and (item.session.is_dir() or _leaving(item.session).is_dir())


def delete_local(queue: UploadQueue, item: UploadItem, agreed: bool) -> None:
    """Delete a session's folder here; the queue goes on remembering that it was uploaded.

    Reads the whole session first: every file must still have the checksum that the server confirmed. Raises UploadError
    where nobody agreed, the server's copy is not verified, or the disk refuses; SessionChangedError where something was
    added or changed since; SessionError where it is in use. Then nothing was deleted.
    """
    if not agreed:
        raise UploadError(f"{item.session} was kept: nobody agreed to delete it.")
    if queue.item(item.session).state != UPLOADED:
        raise UploadError(f"{item.session} was kept: the server's copy is not verified yet. Upload it first.")
    leaving = _leaving(item.session)
    if item.session.is_dir():
        lock = FolderLock(item.session)
        try:
            _compare(item.session, queue.verified_files(item.session))
            if leaving.is_dir():
                shutil.rmtree(leaving)
            # Out of sight in one step, so that a power cut leaves no half session behind.
            item.session.rename(leaving)
            sync_folder(item.session.parent)
        except OSError as error:
            raise UploadError(f"{item.session} could not be deleted ({error.strerror}). Nothing was lost.") from error
        finally:
            lock.release()
    try:
        shutil.rmtree(leaving)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UploadError(f"{leaving} could not be deleted ({error.strerror}). The server has a whole copy.") from error


def _leaving(session: Path) -> Path:
    return session.with_name(f".deleted-{session.name}")


def _compare(session: Path, verified: dict[str, bytes]) -> None:
    here = [path for path, _ in list_files(session)]
    different = sorted(set(here) ^ set(verified))
    if not different:
        different = [path for path in here if _sha256(session, path) != verified[path]]
    if different:
        raise SessionChangedError(
            f"{session} was kept: {different[0]} is not as it was when it was uploaded, and the server lacks it."
        )


def _sha256(session: Path, path: str) -> bytes:
    with open_file(session, path) as file:
        return hashlib.file_digest(file, "sha256").digest()
