"""What the recorded blobs of a session hold, without looking at its index: the truth that check compares and repair
uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.sessions import schema
from wildgrasp.sessions.blobs import BlobRef, Damage, Kind, Record, walk
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample, from_values
from wildgrasp.sessions.frames import unpack_frame
from wildgrasp.sessions.index import NewerFormatError
from wildgrasp.sessions.layout import chunk_name, chunks

MAX_JSON = 16 * 1024 * 1024  # bytes of one JSON record


@dataclass(frozen=True)
class FoundFrame:
    id: int
    t_ns: int
    t_device_ns: int
    ref: BlobRef
    sizes: tuple[tuple[int, int], tuple[int, int]]  # (height, width) of colour and of depth


@dataclass
class Survey:
    """Everything recorded, in the order in which it was."""

    meta: dict[str, Any] = field(default_factory=dict)
    frames: list[FoundFrame] = field(default_factory=list)
    events: list[GripperEvent] = field(default_factory=list)
    servo: list[ServoSample] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    health: list[HealthSample] = field(default_factory=list)
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    missing_chunks: list[str] = field(default_factory=list)

    @property
    def lost_frames(self) -> int:
        """Frames that were written and cannot be read, as far as the ids of the others and the recorder's count at
        the end tell."""
        health = self.meta.get("health")
        counted = health.get("frames") if isinstance(health, dict) else None
        written = max(self.frames[-1].id + 1 if self.frames else 0, counted if isinstance(counted, int) else 0)
        return written - len(self.frames)


def survey(path: Path, progress: Callable[[int], None] | None = None) -> Survey:
    """Walk all chunks of a session. ``progress`` is told the number of bytes read since the last call.

    Raises SessionError when the folder leads out of itself, cannot be read, or was written by a newer version.
    """
    found = Survey()
    files = chunks(path)
    if files:
        present = {file.name for file in files}
        found.missing_chunks = [n for n in map(chunk_name, range(int(files[-1].stem))) if n not in present]
    for file in files:
        last = 0
        try:
            for offset, item in walk(file):
                if isinstance(item, Damage):
                    found.damage.append(item)
                else:
                    _take(found, item, BlobRef(file.name, offset))
                if progress is not None:
                    progress(offset - last)
                    last = offset
        except OSError as error:
            raise SessionError(f"{file} cannot be read ({error.strerror}). Nothing was changed.") from error
    version = found.meta.get("format")
    if isinstance(version, int) and version > schema.SCHEMA_VERSION:
        raise NewerFormatError.of(path, version)
    return found


def _take(found: Survey, record: Record, ref: BlobRef) -> None:
    try:
        if record.kind == Kind.FRAME:
            frame = unpack_frame(record.payload)
            if found.frames and frame.id <= found.frames[-1].id:
                raise ValueError("a frame's id does not advance")
            found.frames.append(FoundFrame(frame.id, record.t_ns, frame.t_device_ns, ref, frame.sizes()))
        elif record.kind in (Kind.META, Kind.EVENT, Kind.SERVO, Kind.GAP, Kind.ROW, Kind.HEALTH):
            _take_json(found, record)
        elif record.kind not in (Kind.MASK, Kind.ARRAY):
            raise ValueError(f"a record of kind {record.kind}")
    except (SessionError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Its checksum is right, so it was written so: by something else than a recorder. It counts as damaged.
        found.damage.append(Damage(ref.file, ref.offset, len(record.payload)))


def _take_json(found: Survey, record: Record) -> None:
    if len(record.payload) > MAX_JSON:
        raise ValueError("a record that is too long")
    value = json.loads(record.payload)
    if record.kind == Kind.META:
        found.meta[_text(value["key"])] = value["value"]
    elif record.kind == Kind.EVENT:
        found.events.append(from_values(GripperEvent, value))
    elif record.kind == Kind.SERVO:
        found.servo.extend([from_values(ServoSample, sample) for sample in value])
    elif record.kind == Kind.GAP:
        found.gaps.append(from_values(Gap, value))
    elif record.kind == Kind.HEALTH:
        found.health.append(from_values(HealthSample, value))
    else:
        row = {_text(name): _scalar(cell) for name, cell in value["row"].items()}
        found.rows.append((_text(value["table"]), row))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a name that is no text")
    return value


def _scalar(value: Any) -> Any:
    """Values that fit into a cell of the index."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number that is too large")
    if value is not None and not isinstance(value, int | float | str):
        raise ValueError("a value that is no number or text")
    return value
