"""What a session folder holds, read without ever leaving it.

A session may come from elsewhere: links, devices and odd names in it are refused as a whole, since silently leaving one
out would let it be deleted later as if it had been uploaded.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wildgrasp.sessions.layout import BLOB_FOLDER, DERIVED_BLOB, INDEX_NAME
from wildgrasp.upload.errors import DiskReadError, SessionChangedError, SessionRefusedError

PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000  # of one object in S3
MAX_FILES = 10_000
MAX_DEPTH = 8
MAX_KEY_BYTES = 900  # S3 allows 1024 with the device's name
_NAME = re.compile(r"[\w.+@=,()~-][\w .+@=,()~-]*")
_IN_USE = ("-wal", "-shm", "-journal")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class PlannedPart:
    number: int  # from 1
    offset: int
    bytes: int
    sha256: bytes


@dataclass(frozen=True)
class PlannedFile:
    """A file as it was when the upload began."""

    path: str  # relative to the session, with '/'
    bytes: int
    sha256: bytes
    parts: tuple[PlannedPart, ...]


def list_files(session: Path) -> list[tuple[str, int]]:
    """(Relative path, size) of every file, in the order of upload: the recording, what was added to it, the index.

    The recording never changes, so that an index which changed meanwhile costs little to send again.
    Raises SessionRefusedError for whatever is no plain file or folder with an ordinary name.
    """
    check_name(session.name)
    found = sorted(_walk(session, "", MAX_DEPTH), key=lambda item: (_rank(item[0]), item[0]))
    if len(found) > MAX_FILES:
        raise SessionRefusedError(f"{session} holds {len(found)} files; a session holds at most {MAX_FILES}.")
    return found


def check_name(name: str) -> None:
    """Raises SessionRefusedError for names that are no plain file name everywhere."""
    if not _NAME.fullmatch(name) or name in (".", "..") or len(name) > 200 or name.endswith(" "):
        raise SessionRefusedError(f"The name {name!r} cannot be uploaded. Use letters, digits, '-', '_' and '.'.")


def same_recording(files: Mapping[str, int], others: Mapping[str, int]) -> bool:
    """Whether two listings (size by path) hold the same recorded files, whatever was added to them."""
    return {p: n for p, n in files.items() if _rank(p) == 0} == {p: n for p, n in others.items() if _rank(p) == 0}


def _rank(path: str) -> int:
    if path == INDEX_NAME:
        return 2
    return 0 if path.startswith(f"{BLOB_FOLDER}/") and path != f"{BLOB_FOLDER}/{DERIVED_BLOB}" else 1


def _walk(session: Path, folder: str, depth: int) -> Iterator[tuple[str, int]]:
    try:
        with os.scandir(session / folder) as entries:
            for entry in entries:
                path = f"{folder}{entry.name}"
                check_name(entry.name)
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and depth > 0:
                    yield from _walk(session, f"{path}/", depth - 1)
                elif not stat.S_ISREG(status.st_mode) or len(path.encode()) + len(session.name) > MAX_KEY_BYTES:
                    raise SessionRefusedError(
                        f"{session} holds {path!r}, which is no plain file (a link, perhaps). Nothing was uploaded; "
                        "take it out of the session's folder."
                    )
                elif entry.name.endswith(_IN_USE):
                    raise SessionRefusedError(f"{session} is being changed right now. Try again when that is done.")
                else:
                    yield path, status.st_size
    except OSError as error:
        raise _unreadable(session, error) from error


def plan_file(session: Path, path: str, part_bytes: int, progress: Callable[[int], None]) -> PlannedFile:
    """Read a file once and note the checksum of it and of each of its parts. ``progress`` is told the bytes read."""
    whole, parts, offset = hashlib.sha256(), [], 0
    with open_file(session, path) as file:
        part_bytes = max(part_bytes, -(-os.fstat(file.fileno()).st_size // MAX_PARTS))
        while True:
            part, length = hashlib.sha256(), 0
            while length < part_bytes and (block := file.read(min(_BLOCK, part_bytes - length))):
                whole.update(block)
                part.update(block)
                length += len(block)
                progress(len(block))
            if length == 0 and parts:
                break
            # An empty file is one empty part.
            parts.append(PlannedPart(len(parts) + 1, offset, length, part.digest()))
            offset += length
            if length < part_bytes:
                break
    return PlannedFile(path, offset, whole.digest(), tuple(parts))


def read_part(session: Path, path: str, part: PlannedPart) -> bytes:
    """A part's bytes. Raises SessionChangedError where they are not those that were planned."""
    try:
        with open_file(session, path) as file:
            file.seek(part.offset)
            data = file.read(part.bytes)
    except SessionRefusedError as error:
        raise SessionChangedError(str(error)) from error
    if hashlib.sha256(data).digest() != part.sha256:
        raise SessionChangedError(
            f"{session / path} has changed since its upload began. The recording was kept as it is; add it again."
        )
    return data


@contextmanager
def open_file(session: Path, path: str) -> Iterator[BinaryIO]:
    """Open a file of a session, following no link on the way. What the disk refuses becomes a DiskReadError."""
    try:
        *folders, name = path.split("/")
        fd = os.open(session, os.O_RDONLY | os.O_DIRECTORY)
        for step in folders:
            fd = _step(fd, step, os.O_DIRECTORY)
        fd = _step(fd, name, os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SessionRefusedError(f"{session / path} is no plain file. Nothing was read from it.")
            yield file
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SessionChangedError(f"{session / path} is not there any more. Add the session again.") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SessionRefusedError(f"{session / path} is a link. Links are not followed.") from None
        raise _unreadable(session / path, error) from error


def _step(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=folder)
    finally:
        os.close(folder)


def _unreadable(path: Path, error: OSError) -> DiskReadError:
    return DiskReadError(f"{path} cannot be read ({error.strerror}). Nothing was changed; check the disk.")
