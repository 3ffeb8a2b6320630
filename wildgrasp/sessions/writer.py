"""Writing a session: record first, index second."""

from __future__ import annotations

import json
import sqlite3
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.geometry import to_vector
from wildgrasp.sessions import schema
from wildgrasp.sessions.arrays import pack_arrays
from wildgrasp.sessions.blobs import BlobRef, BlobWriter, Kind
from wildgrasp.sessions.codecs import encode_color, encode_depth
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample

INDEX_NAME = "index.sqlite"
BLOB_FOLDER = "blobs"
CHUNK_BYTES = 256 * 1024 * 1024
FRAME_HEADER = struct.Struct("<qII")  # t_device_ns, bytes of colour, bytes of depth
SYNC_EVERY = 15  # frames between two commits: half a second at 30 fps


def encode_frame(frame: RGBDFrame, quality: int = 90) -> bytes:
    """Payload of a FRAME record. Costs the time of both encoders, so recorders call it off the writer's thread."""
    color, depth = encode_color(frame.color, quality), encode_depth(frame.depth_raw)
    return FRAME_HEADER.pack(frame.t_device_ns, len(color), len(depth)) + color + depth


class SessionWriter:
    """Creates a session folder and appends to it. One thread owns a writer.

    Raises SessionError when the folder exists already: nothing that was recorded is ever overwritten.
    """

    def __init__(self, path: Path, camera: CameraInfo, meta: dict[str, Any] | None = None, quality: int = 90) -> None:
        self.path = Path(path)
        try:
            (self.path / BLOB_FOLDER).mkdir(parents=True)
        except FileExistsError:
            raise SessionError(f"{self.path} exists already. Choose another name; nothing was changed.") from None
        except OSError as error:
            raise SessionError(f"{self.path} cannot be created ({error.strerror}). Choose another folder.") from error
        self._db = sqlite3.connect(self.path / INDEX_NAME, isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + schema.ALL)
        self._db.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
        self._db.execute("BEGIN")
        self.camera = camera
        self._quality = quality
        self._chunk = 0
        self._blobs = BlobWriter(self._chunk_path())
        self.frame_count = 0
        self.set_meta("camera", camera_to_json(camera))
        for key, value in (meta or {}).items():
            self.set_meta(key, value)
        self.sync()

    # --- what is recorded ---

    def add_frame(self, frame: RGBDFrame) -> int:
        """Encode and append one frame; returns its id."""
        return self.add_encoded_frame(frame.t_host_ns, encode_frame(frame, self._quality))

    def add_encoded_frame(self, t_ns: int, payload: bytes) -> int:
        if self._blobs.offset > CHUNK_BYTES:
            self._next_chunk()
        ref = self._blobs.append(Kind.FRAME, t_ns, payload)
        t_device_ns = FRAME_HEADER.unpack_from(payload)[0]
        row = (self.frame_count, t_ns, t_device_ns, ref.file, ref.offset)
        self._db.execute("INSERT INTO frames VALUES (?,?,?,?,?)", row)
        self.frame_count += 1
        if self.frame_count % SYNC_EVERY == 0:
            self.sync()
        return self.frame_count - 1

    def add_event(self, event: GripperEvent) -> None:
        self._append_json(Kind.EVENT, event.t_ns, asdict(event))
        row = (event.t_ns, event.kind, event.uncertainty_ns, event.detail)
        self._db.execute("INSERT INTO events (t_ns, kind, uncertainty_ns, detail) VALUES (?,?,?,?)", row)

    def add_servo(self, samples: list[ServoSample]) -> None:
        if not samples:
            return
        self._append_json(Kind.SERVO, samples[0].t_ns, [asdict(s) for s in samples])
        self._db.executemany(
            "INSERT INTO servo (t_ns, opening, speed, load, temperature_c, voltage_v, moving, error) "
            "VALUES (:t_ns, :opening, :speed, :load, :temperature_c, :voltage_v, :moving, :error)",
            [asdict(s) for s in samples],
        )

    def add_gap(self, gap: Gap) -> None:
        self._append_json(Kind.GAP, gap.t_start_ns, asdict(gap))
        self._db.execute(
            "INSERT INTO gaps (source, t_start_ns, t_end_ns, reason, lost_frames) "
            "VALUES (:source, :t_start_ns, :t_end_ns, :reason, :lost_frames)",
            asdict(gap),
        )

    def set_meta(self, key: str, value: Any) -> None:
        """Keep any JSON value under a key: device, participant, task, clock fit, health, calibration …"""
        text = json.dumps(value)
        self._append_json(Kind.META, 0, {"key": key, "value": value})
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, text))

    # --- poses and decisions (robot runs, imports) ---

    def add_pose(self, source: str, frame_id: int, T_world_camera: NDArray, sigma_m: float = 0.0) -> None:
        row = (source, frame_id, *map(float, to_vector(T_world_camera)), "ok", sigma_m)
        self._db.execute("INSERT INTO poses VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)

    def add_array(self, t_ns: int, arrays: dict[str, NDArray]) -> BlobRef:
        return self._blobs.append(Kind.ARRAY, t_ns, pack_arrays(arrays))

    def insert(self, table: str, row: dict[str, Any]) -> int:
        """Insert into one of the robot tables (episodes, decisions, transitions); returns the row's id."""
        if table not in ("episodes", "decisions", "transitions"):
            raise ValueError(f"no robot table {table!r}")
        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        return self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values).lastrowid

    # --- durability ---

    def sync(self) -> None:
        """Make everything so far survive: blobs to disk first, then the index that points into them."""
        self._blobs.sync()
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Finish: the index becomes a single file again."""
        if self._db is None:
            return
        self.set_meta("closed", True)
        self._blobs.close()
        self._db.execute("COMMIT")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()
        self._db = None

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append_json(self, kind: Kind, t_ns: int, value: Any) -> None:
        self._blobs.append(kind, t_ns, json.dumps(value).encode())

    def _chunk_path(self) -> Path:
        return self.path / BLOB_FOLDER / f"{self._chunk:06d}.wgb"

    def _next_chunk(self) -> None:
        self.sync()
        self._blobs.close()
        self._chunk += 1
        self._blobs = BlobWriter(self._chunk_path())


def camera_to_json(camera: CameraInfo) -> dict[str, Any]:
    return asdict(camera)
