"""Reading a session, and adding what processing finds."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.geometry import PinholeCamera, from_vector, to_vector
from wildgrasp.sessions import schema
from wildgrasp.sessions.arrays import pack_arrays, unpack_arrays
from wildgrasp.sessions.blobs import BlobRef, BlobWriter, Kind, Record, read_record
from wildgrasp.sessions.codecs import decode_color, decode_depth, decode_mask, encode_mask
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample
from wildgrasp.sessions.writer import BLOB_FOLDER, FRAME_HEADER, INDEX_NAME

_BLOB_NAME = re.compile(r"[0-9a-z_-]+\.wgb")
DERIVED_BLOB = "derived.wgb"  # masks and arrays that processing adds; the recorded chunks are never touched


@dataclass(frozen=True)
class Poses:
    """Camera trajectory of one source."""

    frame_ids: NDArray[np.int64]  # [N]
    T_world_camera: NDArray[np.float64]  # [N, 4, 4]
    status: list[str]  # ok | predicted | lost
    sigma_m: NDArray[np.float64]  # [N]


class Session:
    """A session folder, opened for reading. Raises SessionError when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        index = self.path / INDEX_NAME
        if not index.is_file():
            raise SessionError(
                f"{self.path} is not a session (there is no {INDEX_NAME} in it). Give the folder that `capture`, `import` or "
                "`simulate` wrote; if its index was lost, `wildgrasp repair` rebuilds it."
            )
        try:
            self._connection = sqlite3.connect(index, isolation_level=None)
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self.meta: dict[str, Any] = {
                k: json.loads(v) for k, v in self._connection.execute("SELECT key, value FROM meta")
            }
            self.camera_info = _camera_info(self.meta["camera"])
            rows = self._connection.execute("SELECT t_ns, file, offset FROM frames ORDER BY id").fetchall()
        except (sqlite3.Error, json.JSONDecodeError, KeyError, TypeError) as error:
            raise SessionError(
                f"The index of {self.path} is damaged ({error}). Nothing was changed; `wildgrasp repair` rebuilds it."
            ) from error
        if version > schema.SCHEMA_VERSION:
            raise SessionError(
                f"{self.path} was written by a newer WildGrasp (format {version}). Update and try again."
            )
        self.db = sqlite_utils.Database(self._connection)
        self.times_ns = np.array([r[0] for r in rows], dtype=np.int64)
        self._frame_refs = [BlobRef(r[1], r[2]) for r in rows]

    # --- recorded ---

    def __len__(self) -> int:
        return len(self._frame_refs)

    @property
    def camera(self) -> PinholeCamera:
        return self.camera_info.intrinsics

    @property
    def T_camera_fingertip(self) -> NDArray[np.float64] | None:
        """The gripper's calibration [4, 4], or None where the session has no gripper."""
        vector = self.meta.get("T_camera_fingertip")
        return None if vector is None else from_vector(np.array(vector))

    def frame(self, index: int) -> RGBDFrame:
        record = self.read_blob(self._frame_refs[index])
        t_device_ns, color_bytes, depth_bytes = FRAME_HEADER.unpack_from(record.payload)
        start = FRAME_HEADER.size
        if start + color_bytes + depth_bytes != len(record.payload):
            raise SessionError(f"Frame {index} of {self.path} is damaged. Run `wildgrasp check` on it.")
        color = decode_color(record.payload[start : start + color_bytes])
        depth_raw = decode_depth(record.payload[start + color_bytes :])
        if color.shape[:2] != depth_raw.shape:
            raise SessionError(f"Frame {index} of {self.path} pairs images of different sizes.")
        return RGBDFrame(color, depth_raw, self.camera_info.depth_scale, record.t_ns, t_device_ns)

    def frames(self, start: int = 0, stop: int | None = None, stride: int = 1) -> Iterator[RGBDFrame]:
        for index in range(start, len(self) if stop is None else stop, stride):
            yield self.frame(index)

    def events(self) -> list[GripperEvent]:
        rows = self.db.query("SELECT t_ns, kind, uncertainty_ns, detail FROM events ORDER BY t_ns, id")
        return [GripperEvent(**row) for row in rows]

    def servo(self) -> list[ServoSample]:
        sql = "SELECT t_ns, opening, speed, load, temperature_c, voltage_v, moving, error FROM servo ORDER BY t_ns"
        return [ServoSample(**{**row, "moving": bool(row["moving"])}) for row in self.db.query(sql)]

    def gaps(self) -> list[Gap]:
        sql = "SELECT source, t_start_ns, t_end_ns, reason, lost_frames FROM gaps ORDER BY t_start_ns"
        return [Gap(**row) for row in self.db.query(sql)]

    # --- poses, masks, arrays ---

    def poses(self, source: str) -> Poses | None:
        """Trajectory of a source ('recorded', 'tracking', 'arm'), or None."""
        sql = "SELECT frame_id, x, y, z, qx, qy, qz, qw, status, sigma_m FROM poses WHERE source = ? ORDER BY frame_id"
        rows = self._connection.execute(sql, (source,)).fetchall()
        if not rows:
            return None
        return Poses(
            np.array([r[0] for r in rows], dtype=np.int64),
            from_vector(np.array([r[1:8] for r in rows])),
            [r[8] for r in rows],
            np.array([r[9] for r in rows], dtype=np.float64),
        )

    def read_blob(self, ref: BlobRef) -> Record:
        if not _BLOB_NAME.fullmatch(ref.file):  # a session from elsewhere is untrusted: no path leaves it
            raise SessionError(f"{self.path} points outside itself ({ref.file!r}). Do not use it.")
        return read_record(self.path / BLOB_FOLDER / ref.file, ref.offset)

    def read_mask(self, ref: BlobRef) -> NDArray[np.bool_]:
        return decode_mask(self.read_blob(ref).payload)

    def read_arrays(self, ref: BlobRef) -> dict[str, NDArray]:
        return unpack_arrays(self.read_blob(ref).payload)

    # --- what processing adds ---

    @contextmanager
    def edit(self) -> Iterator[SessionEdit]:
        """One atomic change of the derived tables: all of it is kept, or none."""
        edit = SessionEdit(self)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield edit
            edit.blobs.close()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            edit.blobs.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SessionEdit:
    """Handed out by :meth:`Session.edit`."""

    def __init__(self, session: Session) -> None:
        self._db = session._connection
        self.blobs = BlobWriter(session.path / BLOB_FOLDER / DERIVED_BLOB)

    def execute(self, sql: str, parameters: tuple | dict = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def set_poses(self, source: str, poses: Poses) -> None:
        """Replace the trajectory of a source."""
        self._db.execute("DELETE FROM poses WHERE source = ?", (source,))
        rows = zip(poses.frame_ids, to_vector(poses.T_world_camera), poses.status, poses.sigma_m, strict=True)
        self._db.executemany(
            "INSERT INTO poses VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            [(source, int(i), *map(float, v), status, float(s)) for i, v, status, s in rows],
        )

    def add_mask(self, mask: NDArray[np.bool_]) -> BlobRef:
        return self.blobs.append(Kind.MASK, 0, encode_mask(mask))

    def add_arrays(self, arrays: dict[str, NDArray]) -> BlobRef:
        return self.blobs.append(Kind.ARRAY, 0, pack_arrays(arrays))


def _camera_info(value: dict[str, Any]) -> CameraInfo:
    return CameraInfo(**{**value, "intrinsics": PinholeCamera(**value["intrinsics"])})
