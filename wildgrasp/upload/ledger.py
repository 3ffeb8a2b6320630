"""What of one session the server has confirmed, part by part: written after each answer, read after a power cut."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wildgrasp.upload.contents import PlannedFile, PlannedPart
from wildgrasp.upload.database import transaction
from wildgrasp.upload.manifest import manifest_bytes, manifest_key, session_key
from wildgrasp.upload.queue import UploadQueue
from wildgrasp.upload.target import UploadTarget


@dataclass(frozen=True)
class LedgerFile:
    """An object to be, and how far it is."""

    number: int
    key: str
    path: str | None  # None: the manifest, whose bytes are ``content``
    content: bytes | None
    parts: tuple[PlannedPart, ...]
    etags: tuple[str | None, ...]  # of each part; None: not confirmed
    upload_id: str | None
    checksum: str | None  # as the server confirmed the whole; None: not finished


class Ledger:
    """The upload of one session to one place."""

    def __init__(self, queue: UploadQueue, session: Path, target: UploadTarget) -> None:
        self._queue = queue.path
        self._session = queue.session_id(session)
        self._name = session.name
        self._target = target

    @property
    def planned(self) -> bool:
        """Whether there is a plan for this server, bucket and device."""
        with transaction(self._queue, write=False) as db:
            row = db.execute("SELECT place FROM sessions WHERE id = ?", (self._session,)).fetchone()
        return row is not None and row["place"] == self._target.place

    def plan(self, files: Sequence[PlannedFile]) -> None:
        """Replace the plan. Objects of before that are the same, on the same server, keep what was sent of them."""
        device, name = self._target.device, self._name
        manifest = manifest_bytes(device, name, files)
        digest = hashlib.sha256(manifest).digest()
        rows = [(session_key(device, name, file.path), file.path, None, file) for file in files]
        whole = PlannedFile("", len(manifest), digest, (PlannedPart(1, 0, len(manifest), digest),))
        rows.append((manifest_key(device, name), None, manifest, whole))
        before = {(file.key, file.parts): file for file in self.files()} if self.planned else {}
        with transaction(self._queue) as db:
            db.execute("DELETE FROM files WHERE session = ?", (self._session,))
            for number, (key, path, content, file) in enumerate(rows):
                old = before.get((key, file.parts))
                etags = old.etags if old else (None,) * len(file.parts)
                upload_id, checksum = (old.upload_id, old.checksum) if old else (None, None)
                db.execute(
                    "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (self._session, number, key, path, content, file.bytes, file.sha256, upload_id, checksum),
                )
                db.executemany(
                    "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (self._session, number, part.number, part.offset, part.bytes, part.sha256, etag)
                        for part, etag in zip(file.parts, etags, strict=True)
                    ],
                )
            db.execute("UPDATE sessions SET place = ? WHERE id = ?", (self._target.place, self._session))

    def files(self) -> list[LedgerFile]:
        """All objects in the order of upload; the manifest is the last."""
        with transaction(self._queue, write=False) as db:
            files = db.execute("SELECT * FROM files WHERE session = ? ORDER BY number", (self._session,)).fetchall()
            parts = db.execute(
                "SELECT * FROM parts WHERE session = ? ORDER BY file, number", (self._session,)
            ).fetchall()
        of_file: dict[int, list] = {file["number"]: [] for file in files}
        for part in parts:
            of_file[part["file"]].append(part)
        return [
            LedgerFile(
                file["number"],
                file["key"],
                file["path"],
                file["content"],
                tuple(PlannedPart(p["number"], p["offset"], p["bytes"], p["sha256"]) for p in of_file[file["number"]]),
                tuple(p["etag"] for p in of_file[file["number"]]),
                file["upload_id"],
                file["checksum"],
            )
            for file in files
        ]

    def begun(self, file: LedgerFile, upload_id: str | None) -> None:
        """The server has opened an upload (None: it knows of none any more); nothing of it is confirmed yet."""
        where = (self._session, file.number)
        with transaction(self._queue) as db:
            db.execute("UPDATE files SET upload_id = ? WHERE session = ? AND number = ?", (upload_id, *where))
            db.execute("UPDATE parts SET etag = NULL WHERE session = ? AND file = ?", where)

    def confirmed(self, file: LedgerFile, part: PlannedPart, etag: str | None) -> None:
        """The server has a part, with the right checksum (None: it has lost it)."""
        with transaction(self._queue) as db:
            db.execute(
                "UPDATE parts SET etag = ? WHERE session = ? AND file = ? AND number = ?",
                (etag, self._session, file.number, part.number),
            )

    def finished(self, file: LedgerFile, checksum: str) -> None:
        """The server has the whole object, and this is the checksum that it answered."""
        with transaction(self._queue) as db:
            db.execute(
                "UPDATE files SET checksum = ? WHERE session = ? AND number = ?",
                (checksum, self._session, file.number),
            )
