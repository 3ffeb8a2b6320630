"""The upload queue's SQLite file: what waits, and what of it the server has confirmed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wildgrasp.upload.errors import UploadError

VERSION = 1
BUSY_S = 20.0
_SCHEMA = f"""
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,      -- relative to the queue's folder where it lies in it
    state TEXT NOT NULL,            -- waiting, uploading, uploaded, failed
    bytes INTEGER NOT NULL,         -- as found when it was added, until it is planned
    problem TEXT NOT NULL DEFAULT '',
    place TEXT,                     -- server, bucket and device that the plan is for; NULL: not planned
    uploaded_at TEXT                -- UTC
);
CREATE TABLE files (
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    number INTEGER NOT NULL,        -- the order of upload
    key TEXT NOT NULL,              -- the object's name
    path TEXT,                      -- relative to the session; NULL: the manifest
    content BLOB,                   -- the manifest's bytes
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    upload_id TEXT,
    checksum TEXT,                  -- what the server answered of the whole object; NULL: not verified
    PRIMARY KEY (session, number)
);
CREATE TABLE parts (
    session INTEGER NOT NULL,
    file INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- from 1
    offset INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    etag TEXT,                      -- the server's name of what it has; NULL: not confirmed
    PRIMARY KEY (session, file, number),
    FOREIGN KEY (session, file) REFERENCES files ON DELETE CASCADE
);
CREATE TABLE settings (paused INTEGER NOT NULL);
INSERT INTO settings VALUES (0);
PRAGMA user_version = {VERSION};
"""


@contextmanager
def transaction(path: Path, write: bool = True) -> Iterator[sqlite3.Connection]:
    """One change or look, whole and on the disk when it returns. A connection each time: any thread may call.

    Raises UploadError where the file cannot be used.
    """
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            db.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                _prepare(db, path)
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise UploadError(
            f"The upload queue {path} cannot be used ({error}). No recording was touched. If it is damaged, move it "
            "away and add the sessions again."
        ) from error


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise UploadError(f"The upload queue {path} was written by a newer WildGrasp. Update and try again.")
    if version == 0:
        for statement in _SCHEMA.split(";\n"):
            db.execute(statement)
