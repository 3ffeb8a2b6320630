"""The upload queue: which sessions wait for upload, how far each is, and why one failed. Any process may look at it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wildgrasp.sessions.layout import FolderLock
from wildgrasp.sessions.session import Session
from wildgrasp.upload.contents import list_files, same_recording
from wildgrasp.upload.database import transaction
from wildgrasp.upload.errors import QueueBusyError, SessionRefusedError, UploadError

QUEUE_NAME = "uploads.sqlite"  # in the folder of the recordings
WAITING, UPLOADING, UPLOADED, FAILED = "waiting", "uploading", "uploaded", "failed"

_ITEMS = """
SELECT s.*, coalesce((SELECT sum(bytes) FROM files WHERE session = s.id), s.bytes) AS total,
       coalesce((SELECT sum(p.bytes) FROM parts p JOIN files f ON (f.session, f.number) = (p.session, p.file)
                 WHERE p.session = s.id AND (p.etag IS NOT NULL OR f.checksum IS NOT NULL)), 0) AS sent
FROM sessions s"""


@dataclass(frozen=True)
class UploadItem:
    """A session in the queue. ``uploaded`` means: the server confirmed the checksum of all of it."""

    session: Path
    state: str  # waiting, uploading, uploaded, failed
    bytes_total: int
    bytes_sent: int
    problem: str  # why it failed, or what it waits for; '' when all is well
    uploaded_at: str | None  # UTC, ISO 8601


class UploadQueue:
    """A queue in one SQLite file. Holds no open file, so that any thread and process may use one."""

    def __init__(self, path: Path) -> None:
        """Raises UploadError where the file is no queue or cannot be written."""
        self.path = Path(path).absolute()
        if not self.path.parent.is_dir():
            raise UploadError(f"There is no folder {self.path.parent} for the upload queue. Create it first.")
        with transaction(self.path):
            pass

    # --- for people and apps ---

    def add(self, session_path: Path) -> UploadItem:
        """Let a session wait for upload; one that failed waits again. One that is uploaded stays so, unless another
        recording has its name now.

        Quick: whether the recording is whole is looked at when its upload begins. Raises SessionRefusedError for a
        folder that is no session, is being recorded, was cut off, or holds links; SessionError where it is damaged.
        """
        session = Path(session_path).resolve()
        files = _looked_at(session)
        with transaction(self.path) as db:
            row = db.execute("SELECT id, state FROM sessions WHERE path = ?", (self._stored(session),)).fetchone()
            if row is None:
                sql = "INSERT INTO sessions (state, bytes, path) VALUES (?, ?, ?)"
            elif row["state"] == FAILED or (row["state"] == UPLOADED and _is_another(db, row["id"], files)):
                sql = "UPDATE sessions SET state = ?, bytes = ?, problem = '', uploaded_at = NULL WHERE path = ?"
            else:
                sql = None
            if sql is not None:
                db.execute(sql, (WAITING, sum(files.values()), self._stored(session)))
        return self.item(session)

    def items(self) -> list[UploadItem]:
        """All sessions in the order in which they were added."""
        with transaction(self.path, write=False) as db:
            return [self._item(row) for row in db.execute(f"{_ITEMS} ORDER BY id")]

    def item(self, session_path: Path) -> UploadItem:
        """Raises UploadError where the session is not in the queue."""
        with transaction(self.path, write=False) as db:
            row = db.execute(f"{_ITEMS} WHERE path = ?", (self._stored(session_path),)).fetchone()
        if row is None:
            raise UploadError(f"{session_path} is not in the upload queue. Add it first.")
        return self._item(row)

    def remove(self, session_path: Path) -> None:
        """Take a session out of the queue. The session and what the server has of it stay as they are.

        Raises QueueBusyError when it is being uploaded right now.
        """
        with transaction(self.path) as db:
            stored = (self._stored(session_path),)
            row = db.execute("SELECT state FROM sessions WHERE path = ?", stored).fetchone()
            if row is not None and row["state"] == UPLOADING:
                with self.locked():
                    pass
            db.execute("DELETE FROM sessions WHERE path = ?", stored)

    def pause(self) -> None:
        """Let whoever uploads, in this process or another, stop after the part at hand."""
        self._set_paused(True)

    def resume(self) -> None:
        self._set_paused(False)

    @property
    def paused(self) -> bool:
        with transaction(self.path, write=False) as db:
            return bool(db.execute("SELECT paused FROM settings").fetchone()[0])

    # --- for the uploader ---

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The right to upload; the operating system takes it back when the process dies. Raises QueueBusyError."""
        # Not on the queue itself: closing any descriptor of it would drop SQLite's own locks.
        try:
            fd = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise UploadError(f"{self.path.parent} cannot be written ({error.strerror}). Check the disk.") from error
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise QueueBusyError(
                    "Another window or program is uploading these recordings already. Nothing needs to be done."
                ) from None
            yield
        finally:
            os.close(fd)

    def claim_next(self) -> UploadItem | None:
        """The first session that waits, now uploading; one whose upload was cut off comes before all others."""
        with transaction(self.path) as db:
            row = db.execute(
                "UPDATE sessions SET state = ? WHERE id = "
                "(SELECT id FROM sessions WHERE state IN (?, ?) ORDER BY state = ?, id LIMIT 1) RETURNING path",
                (UPLOADING, WAITING, UPLOADING, WAITING),
            ).fetchone()
        return None if row is None else self.item(self._path(row["path"]))

    def set_state(self, session: Path, state: str, problem: str = "") -> None:
        uploaded_at = datetime.now(UTC).isoformat(timespec="seconds") if state == UPLOADED else None
        with transaction(self.path) as db:
            db.execute(
                "UPDATE sessions SET state = ?, problem = ?, uploaded_at = ? WHERE path = ?",
                (state, problem, uploaded_at, self._stored(session)),
            )

    def session_id(self, session: Path) -> int:
        """The session's number in the queue's tables."""
        with transaction(self.path, write=False) as db:
            row = db.execute("SELECT id FROM sessions WHERE path = ?", (self._stored(session),)).fetchone()
        if row is None:
            raise UploadError(f"{session} is not in the upload queue.")
        return row["id"]

    def verified_files(self, session: Path) -> dict[str, bytes]:
        """SHA-256 by relative path of the files whose copy the server has confirmed."""
        with transaction(self.path, write=False) as db:
            rows = db.execute(
                "SELECT f.path, f.sha256 FROM files f JOIN sessions s ON s.id = f.session "
                "WHERE s.path = ? AND f.path IS NOT NULL AND f.checksum IS NOT NULL",
                (self._stored(session),),
            ).fetchall()
        return {row["path"]: row["sha256"] for row in rows}

    # --- inside ---

    def _set_paused(self, paused: bool) -> None:
        with transaction(self.path) as db:
            db.execute("UPDATE settings SET paused = ?", (int(paused),))

    def _item(self, row: sqlite3.Row) -> UploadItem:
        return UploadItem(
            self._path(row["path"]), row["state"], row["total"], row["sent"], row["problem"], row["uploaded_at"]
        )

    def _stored(self, session: Path) -> str:
        """Relative where the session lies beside the queue, so that a disk may be mounted elsewhere."""
        session, folder = Path(session).resolve(), self.path.parent.resolve()
        return str(session.relative_to(folder) if session.is_relative_to(folder) else session)

    def _path(self, stored: str) -> Path:
        return self.path.parent.resolve() / stored


def _is_another(db: sqlite3.Connection, number: int, files: dict[str, int]) -> bool:
    """Whether what was recorded differs from what was uploaded. (What processing adds later is no reason.)"""
    uploaded = db.execute("SELECT path, bytes FROM files WHERE session = ? AND path IS NOT NULL", (number,))
    return not same_recording(files, {row["path"]: row["bytes"] for row in uploaded})


def _looked_at(session: Path) -> dict[str, int]:
    """Size by path of all files of a session that is finished and holds nothing but plain files."""
    FolderLock(session).release()  # raises while it is recorded
    if not session.is_dir() or not any(session.iterdir()):
        raise SessionRefusedError(f"{session} is no session.")
    files = dict(list_files(session))
    with Session(session) as opened:
        if not opened.closed:
            raise SessionRefusedError(
                f"{session} was cut off while it was recorded. It was kept; run `wildgrasp repair {session}` first."
            )
    return files
