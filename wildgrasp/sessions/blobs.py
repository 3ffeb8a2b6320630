"""Append-only files of framed, checked records.

Everything that is recorded is first a record here; the SQLite index only says where. A file that was cut off or damaged
anywhere stays readable around the damage, and the index can be rebuilt by walking the files.

    magic "WGR1" | kind u8 | 3 zero bytes | t_ns i64 | length u32 | crc32 u32 | payload

The CRC covers kind, time, length and payload. Little endian.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from wildgrasp.errors import SessionError

MAGIC = b"WGR1"
HEADER = struct.Struct("<4sB3xqII")
MAX_PAYLOAD = 64 * 1024 * 1024
SEARCH_BLOCK = 1 << 20
# After damage, candidates for the next record are tried until this many times the file's size was read: a file made to
# look like the start of a record everywhere cannot keep the reader busy for longer.
SEARCH_BUDGET = 4


class Kind(IntEnum):
    """What a record holds."""

    META = 1  # JSON object: a key and its value
    FRAME = 2  # id, device time, colour, depth: see frames.py
    EVENT = 3  # JSON: GripperEvent
    SERVO = 4  # JSON: list of ServoSample
    GAP = 5  # JSON: Gap
    MASK = 6  # PNG
    ARRAY = 7  # .npz without pickles
    ROW = 8  # JSON object: a table of the index and a row of it
    HEALTH = 9  # JSON: HealthSample


@dataclass(frozen=True)
class BlobRef:
    """Where a record stands: file name inside the session's ``blobs`` folder, and byte offset."""

    file: str
    offset: int


@dataclass(frozen=True)
class Record:
    kind: int
    t_ns: int
    payload: bytes


@dataclass(frozen=True)
class Damage:
    """Bytes of a file that hold no whole record."""

    file: str
    offset: int
    length: int


class BlobWriter:
    """Appends records to one file. Not thread-safe: one writer thread owns it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115, PTH123
        self.offset = self._file.tell()

    def append(self, kind: Kind, t_ns: int, *payload: bytes) -> BlobRef:
        """Append a record whose payload comes in any number of parts."""
        length = sum(map(len, payload))
        if length > MAX_PAYLOAD:
            raise SessionError(f"A record of {length} bytes is larger than a session may hold.")
        ref = BlobRef(self.path.name, self.offset)
        header = HEADER.pack(MAGIC, kind, t_ns, length, _crc(kind, t_ns, length, payload))
        try:
            _write_all(self._file.fileno(), [header, *payload])
        except OSError:
            # Leave no half record behind, so that what follows stays readable.
            with suppress(OSError):
                self._file.truncate(ref.offset)
            raise
        self.offset = ref.offset + len(header) + length
        return ref

    def sync(self) -> None:
        """Put what was written on the disk; closing did that already."""
        if not self._file.closed:
            os.fdatasync(self._file.fileno())

    def abandon(self, offset: int) -> None:
        """Forget the records from an offset on, of a change that is taken back, and close."""
        self._file.close()
        os.truncate(self.path, offset)

    def close(self) -> None:
        try:
            self.sync()
        finally:
            self._file.close()


def read_record(path: Path, offset: int) -> Record:
    """The record at an offset. Raises SessionError when there is none or its CRC is wrong."""
    try:
        with path.open("rb") as file:
            record = _read(file, offset) if offset >= 0 else None
    except OSError as error:
        raise SessionError(
            f"{path} cannot be read ({error.strerror}). Run `wildgrasp check` on the session."
        ) from error
    if record is None:
        raise SessionError(f"{path.name} is damaged at byte {offset}. Run `wildgrasp check` on the session.")
    return record


def walk(path: Path) -> Iterator[tuple[int, Record | Damage]]:
    """Everything in a file in order, as (offset, record or damage); after damage it goes on at the next whole
    record."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        budget = SEARCH_BUDGET * size + MAX_PAYLOAD
        offset = 0
        while offset < size:
            record = _read(file, offset)
            if record is None:
                resume, budget = _next_record(file, offset + 1, size, budget)
                yield offset, Damage(path.name, offset, resume - offset)
                offset = resume
            else:
                yield offset, record
                offset += HEADER.size + len(record.payload)


def _read(file: BinaryIO, offset: int) -> Record | None:
    file.seek(offset)
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    magic, kind, t_ns, length, crc = HEADER.unpack(header)
    if magic != MAGIC or length > MAX_PAYLOAD:
        return None
    payload = file.read(length)
    if len(payload) != length or _crc(kind, t_ns, length, (payload,)) != crc:
        return None
    return Record(kind, t_ns, payload)


def _next_record(file: BinaryIO, start: int, size: int, budget: int) -> tuple[int, int]:
    """Offset of the first whole record at or after ``start`` (the file's size when there is none), and the budget
    left."""
    while start < size and budget > 0:
        file.seek(start)
        block = file.read(SEARCH_BLOCK)
        budget -= len(block)
        found = block.find(MAGIC)
        if found < 0:
            start += max(len(block) - len(MAGIC) + 1, 1)
            continue
        record = _read(file, start + found)
        if record is not None:
            return start + found, budget
        budget -= file.tell() - (start + found)
        start += found + 1
    return size, budget


def _write_all(fd: int, parts: list[bytes | memoryview]) -> None:
    while parts:
        written = os.writev(fd, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written:
            parts[0] = memoryview(parts[0])[written:]


def _crc(kind: int, t_ns: int, length: int, payload: Iterable[bytes]) -> int:
    crc = zlib.crc32(struct.pack("<BqI", kind, t_ns, length))
    for part in payload:
        crc = zlib.crc32(part, crc)
    return crc
