"""Append-only files of framed, checked records.

Everything that a session holds is first a record here; the SQLite index only says where. A file that was cut off anywhere
stays readable up to its last whole record, and the index can be rebuilt by scanning.

    magic "WGR1" | kind u8 | 3 zero bytes | t_ns i64 | length u32 | crc32 u32 | payload

The CRC covers kind, time, length and payload. Little endian.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from wildgrasp.errors import SessionError

MAGIC = b"WGR1"
HEADER = struct.Struct("<4sB3xqII")
MAX_PAYLOAD = 64 * 1024 * 1024


class Kind(IntEnum):
    """What a record holds."""

    META = 1  # JSON object: a key and its value
    FRAME = 2  # JSON header, colour, depth: see writer.py
    EVENT = 3  # JSON: GripperEvent
    SERVO = 4  # JSON: list of ServoSample
    GAP = 5  # JSON: Gap
    MASK = 6  # PNG
    ARRAY = 7  # .npz without pickles


@dataclass(frozen=True)
class BlobRef:
    """Where a record stands: file name inside the session's ``blobs`` folder, and byte offset."""

    file: str
    offset: int


def _crc(kind: int, t_ns: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<BqI", kind, t_ns, len(payload))))


class BlobWriter:
    """Appends records to one file. Not thread-safe: one writer thread owns it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115, PTH123
        self.offset = self._file.tell()

    def append(self, kind: Kind, t_ns: int, payload: bytes) -> BlobRef:
        if len(payload) > MAX_PAYLOAD:
            raise SessionError(f"A record of {len(payload)} bytes is larger than a session may hold.")
        ref = BlobRef(self.path.name, self.offset)
        header = HEADER.pack(MAGIC, kind, t_ns, len(payload), _crc(kind, t_ns, payload))
        data = memoryview(header + payload)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError:
            # Leave no half record behind, so that what follows stays readable.
            self._file.truncate(ref.offset)
            raise
        self.offset = ref.offset + len(header) + len(payload)
        return ref

    def sync(self) -> None:
        """Ask the operating system to put what was written on the disk."""
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        if not self._file.closed:
            self.sync()
            self._file.close()


@dataclass(frozen=True)
class Record:
    kind: int
    t_ns: int
    payload: bytes


def read_record(path: Path, offset: int) -> Record:
    """The record at an offset. Raises SessionError when there is none or its CRC is wrong."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return _read(file.read(HEADER.size), file, path, offset)
    except OSError as error:
        raise SessionError(
            f"{path} cannot be read ({error.strerror}). Run `wildgrasp check` on the session."
        ) from error


def scan(path: Path) -> Iterator[tuple[int, Record]]:
    """All whole records of a file in order, as (offset, record); stops at the first damaged one."""
    with path.open("rb") as file:
        offset = 0
        while True:
            header = file.read(HEADER.size)
            if not header:
                return
            try:
                record = _read(header, file, path, offset)
            except SessionError:
                return
            yield offset, record
            offset += HEADER.size + len(record.payload)


def _read(header: bytes, file, path: Path, offset: int) -> Record:
    damaged = SessionError(f"{path.name} is damaged at byte {offset}. Run `wildgrasp check` on the session.")
    if len(header) < HEADER.size:
        raise damaged
    magic, kind, t_ns, length, crc = HEADER.unpack(header)
    if magic != MAGIC or length > MAX_PAYLOAD:
        raise damaged
    payload = file.read(length)
    if len(payload) != length or _crc(kind, t_ns, payload) != crc:
        raise damaged
    return Record(kind, t_ns, payload)
