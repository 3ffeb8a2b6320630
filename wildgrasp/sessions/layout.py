"""What a session folder looks like, and the lock of whoever changes its recording.

index.sqlite          where everything is (while recording also index.sqlite-wal, index.sqlite-shm)
blobs/000000.wgb …    what was recorded, in order
blobs/derived.wgb     masks and arrays that processing adds
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from pathlib import Path

from wildgrasp.errors import SessionError

INDEX_NAME = "index.sqlite"
INDEX_FILES = (INDEX_NAME, f"{INDEX_NAME}-wal", f"{INDEX_NAME}-shm", f"{INDEX_NAME}-journal")
BLOB_FOLDER = "blobs"
DERIVED_BLOB = "derived.wgb"  # what processing adds; the recorded chunks are never touched
_BLOB_NAME = re.compile(r"[0-9a-z_-]+\.wgb")
_CHUNK_NAME = re.compile(r"\d{6}\.wgb")


def chunk_name(number: int) -> str:
    return f"{number:06d}.wgb"


def is_chunk_name(name: object) -> bool:
    return isinstance(name, str) and _CHUNK_NAME.fullmatch(name) is not None


def blob_path(session: Path, file: str) -> Path:
    """Path of a blob file. A session from elsewhere is untrusted: raises SessionError where the name or a link leads
    out of the folder."""
    path = session / BLOB_FOLDER / file
    if not _BLOB_NAME.fullmatch(file) or (session / BLOB_FOLDER).is_symlink() or path.is_symlink():
        raise SessionError(f"{session} points outside itself ({file!r}). Do not use it.")
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        regular = False
    if not regular:
        raise SessionError(f"{path} is missing. Nothing was changed; run `wildgrasp check` on the session.")
    return path


def chunks(session: Path) -> list[Path]:
    """The recorded blob files in order. Raises SessionError when a link leads out of the folder."""
    folder = session / BLOB_FOLDER
    names = sorted(p.name for p in folder.iterdir() if is_chunk_name(p.name)) if folder.is_dir() else []
    return [blob_path(session, name) for name in names]


def check_index_files(session: Path) -> None:
    """Raises SessionError when the index is no plain file of this folder."""
    for name in INDEX_FILES:
        if (session / name).is_symlink():
            raise SessionError(f"{session} points outside itself ({name!r}). Do not use it.")


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk."""
    sync_file(path)


def sync_file(path: Path) -> None:
    """Put what was written to a file on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class FolderLock:
    """Held by whoever records into a session or repairs it; the operating system lets go of it when the process
    dies."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd: int | None = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise SessionError(f"{path} cannot be opened ({error.strerror}). Nothing was changed.") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise SessionError(f"{path} is being recorded right now. Stop the recording and try again.") from None

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
