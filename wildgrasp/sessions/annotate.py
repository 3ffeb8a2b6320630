"""What a person adds to a finished recording: outcomes, notes. It is recorded like everything else, so it outlives a
repair."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.sessions import rows
from wildgrasp.sessions.blobs import BlobWriter, Kind
from wildgrasp.sessions.index import open_index
from wildgrasp.sessions.layout import FolderLock, chunks


def annotate(path: Path, key: str, value: Any) -> None:
    """Keep a JSON value under a key of ``meta`` in a closed session: a record is appended, and the index follows.

    Raises SessionError when the session is being recorded, was cut off, or cannot be written; then it is as before.
    """
    path = Path(path)
    lock = FolderLock(path)
    try:
        files = chunks(path)
        db = open_index(path)
        try:
            if not files or db.execute("SELECT value FROM meta WHERE key = 'closed'").fetchone() != ("true",):
                raise SessionError(f"{path} was cut off while recording. Run `wildgrasp repair` on it first.")
            blobs = BlobWriter(files[-1])
            start = blobs.offset
            try:
                blobs.append(Kind.META, 0, json.dumps({"key": key, "value": value}).encode())
                blobs.close()
                rows.insert_meta(db, key, value)
            except (OSError, sqlite3.Error) as error:
                blobs.abandon(start)
                raise SessionError(f"{path} could not be written ({error}). It is as it was before.") from error
        finally:
            db.close()
    finally:
        lock.release()
