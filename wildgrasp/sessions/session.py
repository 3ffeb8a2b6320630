"""Reading a session, and adding what processing finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.geometry import PinholeCamera, from_vector
from wildgrasp.sessions.arrays import pack_arrays, unpack_arrays
from wildgrasp.sessions.blobs import BlobRef, BlobWriter, Kind, Record, read_record
from wildgrasp.sessions.codecs import decode_mask, encode_mask
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample, from_values
from wildgrasp.sessions.frames import unpack_frame
from wildgrasp.sessions.index import camera_from_json, damage_told, open_index, read_frames, read_meta
from wildgrasp.sessions.layout import BLOB_FOLDER, DERIVED_BLOB, blob_path
from wildgrasp.sessions.poses import Poses, read_poses, write_poses

__all__ = ["Poses", "Session", "SessionEdit"]

_DISK_ERRORS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}  # the low byte says the kind


class Session:
    """A session folder, opened for reading. Raises SessionError when it is none.

    A session that is still being recorded, or whose recording was cut off, opens too: it shows what its index holds so
    far. With ``check_same_thread=False`` it may be handed to another thread, never used by two at once.
    """

    def __init__(self, path: Path, check_same_thread: bool = True) -> None:
        self.path = Path(path)
        self._connection = open_index(self.path, check_same_thread)
        self.db = sqlite_utils.Database(self._connection)
        try:
            with damage_told(self.path):
                self.meta: dict[str, Any] = read_meta(self._connection)
                self.camera_info: CameraInfo = camera_from_json(self.meta["camera"])
                self.times_ns, self._frame_refs = read_frames(self._connection)
        except BaseException:
            self.close()
            raise

    # --- recorded ---

    def __len__(self) -> int:
        return len(self._frame_refs)

    @property
    def camera(self) -> PinholeCamera:
        return self.camera_info.intrinsics

    @property
    def T_camera_fingertip(self) -> NDArray[np.float64] | None:
        """The gripper's calibration [4, 4], or None where the session has no gripper."""
        return self._pose_in_meta("T_camera_fingertip")

    @property
    def T_tool_camera(self) -> NDArray[np.float64] | None:
        """The hand–eye calibration [4, 4] of a robot's session, or None where it has none."""
        return self._pose_in_meta("T_tool_camera")

    def _pose_in_meta(self, key: str) -> NDArray[np.float64] | None:
        vector = self.meta.get(key)
        if vector is None:
            return None
        with damage_told(self.path):
            return from_vector(np.array(vector, dtype=np.float64).reshape(7))

    @property
    def closed(self) -> bool:
        """Whether the recording was finished in order; if not, blobs may hold more than the index knows."""
        return self.meta.get("closed") is True

    def frame(self, index: int) -> RGBDFrame:
        """Frame by position, 0 … len-1. Raises SessionError when it is damaged."""
        record = self.read_blob(self._frame_refs[index])
        size = (self.camera.height, self.camera.width)
        return unpack_frame(record.payload).decode(record.t_ns, self.camera_info.depth_scale, size)

    def frames(self, start: int = 0, stop: int | None = None, stride: int = 1) -> Iterator[RGBDFrame]:
        for index in range(start, len(self) if stop is None else stop, stride):
            yield self.frame(index)

    def events(self) -> list[GripperEvent]:
        return self._messages(GripperEvent, "events", "t_ns")

    def servo(self) -> list[ServoSample]:
        return self._messages(ServoSample, "servo", "t_ns")

    def gaps(self) -> list[Gap]:
        return self._messages(Gap, "gaps", "t_start_ns")

    def health(self) -> list[HealthSample]:
        """How the recording stood, about once a second; ``meta["health"]`` sums it up."""
        return self._messages(HealthSample, "health", "t_ns")

    def _messages(self, kind: type, table: str, time: str) -> list:
        with damage_told(self.path):
            return [from_values(kind, row) for row in self.db.query(f"SELECT * FROM {table} ORDER BY {time}, id")]

    # --- poses, masks, arrays ---

    def poses(self, source: str) -> Poses | None:
        """Trajectory of a source ('recorded', 'tracking', 'arm'), or None."""
        with damage_told(self.path):
            return read_poses(self._connection, source)

    def read_blob(self, ref: BlobRef) -> Record:
        return read_record(blob_path(self.path, ref.file), ref.offset)

    def read_mask(self, ref: BlobRef) -> NDArray[np.bool_]:
        return decode_mask(self.read_blob(ref).payload)

    def read_arrays(self, ref: BlobRef) -> dict[str, NDArray]:
        return unpack_arrays(self.read_blob(ref).payload)

    # --- what processing adds ---

    @contextmanager
    def edit(self) -> Iterator[SessionEdit]:
        """One atomic change of the derived tables: all of it is kept, or none.

        Raises SessionError when somebody else is changing the session, or the disk refuses.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            edit = SessionEdit(self)
        except (sqlite3.OperationalError, OSError) as error:
            self._roll_back()
            raise SessionError(
                f"{self.path} cannot be changed now ({error}). Nothing was changed; try again."
            ) from error
        try:
            yield edit
            edit.blobs.close()
            self._connection.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            edit.take_back()
            if isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_ERRORS:
                raise SessionError(f"{self.path} could not be written ({error}). It is as it was before.") from error
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

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
        self._path = session.path / BLOB_FOLDER / DERIVED_BLOB
        if self._path.exists() or self._path.is_symlink():
            blob_path(session.path, DERIVED_BLOB)
        self.blobs = BlobWriter(self._path)
        self._start = self.blobs.offset

    def execute(self, sql: str, parameters: tuple | dict = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, parameters)

    def set_poses(self, source: str, poses: Poses) -> None:
        """Replace the trajectory of a source."""
        write_poses(self._db, source, poses)

    def add_mask(self, mask: NDArray[np.bool_]) -> BlobRef:
        return self.blobs.append(Kind.MASK, 0, encode_mask(mask))

    def add_arrays(self, arrays: dict[str, NDArray]) -> BlobRef:
        return self.blobs.append(Kind.ARRAY, 0, pack_arrays(arrays))

    def take_back(self) -> None:
        """Drop the records of a change that failed; nothing points to them any more."""
        with suppress(OSError):
            self.blobs.abandon(self._start)
