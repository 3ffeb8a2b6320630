"""Writing a session: record first, index second."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.geometry import to_vector
from wildgrasp.sessions import rows, schema
from wildgrasp.sessions.arrays import pack_arrays
from wildgrasp.sessions.blobs import BlobRef, BlobWriter, Kind
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample
from wildgrasp.sessions.frames import EncodedFrame, FrameEncoder
from wildgrasp.sessions.layout import BLOB_FOLDER, INDEX_NAME, FolderLock, chunk_name, sync_folder

CHUNK_BYTES = 256 * 1024 * 1024
SYNC_EVERY = 15  # frames between two commits: half a second at 30 fps


class SessionWriter:
    """Creates a session folder and appends to it. One thread owns a writer; one other may call :meth:`sync`.

    Args:
        sync_every: frames after which the writer syncs by itself; None where somebody else calls :meth:`sync`.

    Raises SessionError when the folder exists already (nothing that was recorded is ever overwritten), and when the
    disk refuses: then everything up to the last whole record is kept, and ``wildgrasp repair`` rebuilds the index. A
    session that cannot even be begun leaves no folder.
    """

    def __init__(
        self,
        path: Path,
        camera: CameraInfo,
        meta: dict[str, Any] | None = None,
        quality: int = 90,
        sync_every: int | None = SYNC_EVERY,
    ) -> None:
        self.path = Path(path)
        self.camera = camera
        self.frame_count = 0
        self._encoder = FrameEncoder(quality)
        self._sync_every = sync_every
        self._chunk = 0
        self._full: SimpleQueue[BlobWriter] = SimpleQueue()  # chunks to be synced and closed
        self._pending: SimpleQueue[tuple[Callable[..., None], tuple]] = SimpleQueue()  # rows of records not yet synced
        self._lock: FolderLock | None = None
        self._blobs: BlobWriter | None = None
        self._db: sqlite3.Connection | None = None
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            raise SessionError(f"{self.path} exists already. Choose another name; nothing was changed.") from None
        except OSError as error:
            raise SessionError(f"{self.path} cannot be created ({error.strerror}). Choose another folder.") from error
        try:
            self._begin(meta or {})
        except BaseException:
            self.abandon()
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def _begin(self, meta: dict[str, Any]) -> None:
        self._lock = FolderLock(self.path)
        with self._disk():
            (self.path / BLOB_FOLDER).mkdir()
            self._blobs = BlobWriter(self._chunk_path())
            self._db = rows.create_index(self.path / INDEX_NAME)
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
            self._db.execute("BEGIN")
            for folder in (self.path / BLOB_FOLDER, self.path, self.path.resolve().parent):
                sync_folder(folder)
        for key, value in {"camera": asdict(self.camera), "format": schema.SCHEMA_VERSION, **meta}.items():
            self.set_meta(key, value)
        self.sync()

    # --- what is recorded ---

    def add_frame(self, frame: RGBDFrame) -> int:
        """Encode and append one frame; returns its id."""
        return self.add_encoded_frame(self._encoder.encode(frame))

    def add_encoded_frame(self, frame: EncodedFrame) -> int:
        """Append a frame that was encoded before; returns its id."""
        frame_id = self.frame_count
        with self._disk():
            if self._blobs.offset > CHUNK_BYTES:
                self._next_chunk()
            ref = self._blobs.append(Kind.FRAME, frame.t_host_ns, *frame.payload(frame_id))
        self._pending.put((rows.insert_frame, (frame_id, frame.t_host_ns, frame.t_device_ns, ref)))
        self.frame_count += 1
        if self._sync_every is not None and self.frame_count % self._sync_every == 0:
            self.sync()
        return frame_id

    def add_event(self, event: GripperEvent) -> None:
        self._append_json(Kind.EVENT, event.t_ns, asdict(event))
        self._pending.put((rows.insert_message, (event,)))

    def add_servo(self, samples: list[ServoSample]) -> None:
        if not samples:
            return
        self._append_json(Kind.SERVO, samples[0].t_ns, [asdict(s) for s in samples])
        for sample in samples:
            self._pending.put((rows.insert_message, (sample,)))

    def add_gap(self, gap: Gap) -> None:
        self._append_json(Kind.GAP, gap.t_start_ns, asdict(gap))
        self._pending.put((rows.insert_message, (gap,)))

    def add_health(self, sample: HealthSample) -> None:
        self._append_json(Kind.HEALTH, sample.t_ns, asdict(sample))
        self._pending.put((rows.insert_message, (sample,)))

    def set_meta(self, key: str, value: Any) -> None:
        """Keep any JSON value under a key: device, participant, task, clock fit, health, calibration …"""
        self._append_json(Kind.META, 0, {"key": key, "value": value})
        self._pending.put((rows.insert_meta, (key, value)))

    # --- poses and decisions (robot runs, imports) ---

    def add_pose(self, source: str, frame_id: int, T_world_camera: NDArray, sigma_m: float = 0.0) -> None:
        vector = dict(zip(("x", "y", "z", "qx", "qy", "qz", "qw"), to_vector(T_world_camera).tolist(), strict=True))
        row = {"source": source, "frame_id": frame_id, **vector, "status": "ok", "sigma_m": sigma_m}
        self._insert("poses", row)

    def add_array(self, t_ns: int, arrays: dict[str, NDArray]) -> BlobRef:
        with self._disk():
            return self._blobs.append(Kind.ARRAY, t_ns, pack_arrays(arrays))

    def insert(self, table: str, row: dict[str, Any]) -> int:
        """Insert into one of the robot tables (episodes, decisions, transitions); returns the row's id."""
        if table not in schema.ROW_TABLES or table == "poses":
            raise ValueError(f"no robot table {table!r}")
        values = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        return self._insert(table, values)

    def _insert(self, table: str, row: dict[str, Any]) -> int:
        with self._disk():
            row_id = rows.insert_row(self._db, table, row)
        stored = row if table == "poses" else {"id": row_id, **row}
        self._append_json(Kind.ROW, 0, {"table": table, "row": stored})
        return row_id

    # --- durability ---

    def sync(self) -> None:
        """Make everything so far survive: the records go to the disk first, then their rows into the index.

        May be called on another thread while records are appended; what is appended meanwhile waits for the next call.
        """
        count, current = self._pending.qsize(), self._blobs  # in this order: the rows' records stand in here or before
        with self._disk():
            self._close_full_chunks()
            current.sync()
            for _ in range(count):
                insert, values = self._pending.get()
                insert(self._db, *values)
            self._db.execute("COMMIT")
            self._db.execute("BEGIN")

    def close(self) -> None:
        """Finish: the index becomes a single file again."""
        if self._db is None:
            return
        try:
            self.set_meta("closed", True)
            self.sync()
            with self._disk():
                self._db.execute("COMMIT")
                self._db.executescript(
                    "PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE;"
                )
                self._db.close()
                sync_folder(self.path)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the files as they are, after an error. What was written stays; repair completes the index."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._blobs is not None:
            self._full.put(self._blobs)
        while not self._full.empty():
            with suppress(OSError):  # the error that led here was told already
                self._full.get().close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and issubclass(kind, SessionError) and self._db is not None:
            self.abandon()
        else:
            self.close()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """What the disk refuses becomes one clear error."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise SessionError(
                f"{self.path} could not be written ({error}). The {self.frame_count} frames before this are kept. Free "
                "some space or use another disk, then run `wildgrasp repair` on it."
            ) from error

    def _append_json(self, kind: Kind, t_ns: int, value: Any) -> None:
        with self._disk():
            self._blobs.append(kind, t_ns, json.dumps(value).encode())

    def _chunk_path(self) -> Path:
        return self.path / BLOB_FOLDER / chunk_name(self._chunk)

    def _next_chunk(self) -> None:
        self._full.put(self._blobs)  # before the new one stands in its place: see sync
        self._chunk += 1
        self._blobs = BlobWriter(self._chunk_path())

    def _close_full_chunks(self) -> None:
        if self._full.empty():
            return
        while not self._full.empty():
            self._full.get().close()
        sync_folder(self.path / BLOB_FOLDER)
