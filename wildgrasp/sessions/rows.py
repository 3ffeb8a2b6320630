"""Rows of the index, one insert per kind of record: used when recording and when the index is rebuilt."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wildgrasp.sessions import schema
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, Message, ServoSample

TABLES = {GripperEvent: "events", ServoSample: "servo", Gap: "gaps", HealthSample: "health"}
_CREATE = f"BEGIN; {schema.ALL} PRAGMA user_version = {schema.SCHEMA_VERSION}; COMMIT;"


def create_index(path: Path) -> sqlite3.Connection:
    """An empty index of the current version, as a connection in which transactions are explicit."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.executescript(_CREATE)
    return db


def create_scratch_index(path: Path) -> sqlite3.Connection:
    """Like :func:`create_index`, but nothing is safe before the file is synced as a whole: faster, for a file under a
    temporary name."""
    db = open_scratch_index(path)
    db.executescript(_CREATE)
    return db


def open_scratch_index(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
    return db


def insert_meta(db: sqlite3.Connection, key: str, value: Any) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, json.dumps(value)))


def insert_frame(db: sqlite3.Connection, frame_id: int, t_ns: int, t_device_ns: int, ref: BlobRef) -> None:
    db.execute("INSERT INTO frames VALUES (?,?,?,?,?)", (frame_id, t_ns, t_device_ns, ref.file, ref.offset))


def insert_message(db: sqlite3.Connection, message: Message) -> None:
    values = asdict(message)
    db.execute(_insert_sql(TABLES[type(message)], tuple(values)), tuple(values.values()))


def insert_row(db: sqlite3.Connection, table: str, row: dict[str, Any], replace: bool = False) -> int:
    """Insert into a table of ``schema.ROW_TABLES``; returns the row's id. Raises ValueError on another table or
    column: a record from elsewhere names nothing that the schema does not have."""
    if table not in schema.ROW_TABLES:
        raise ValueError(f"no table {table!r}")
    unknown = set(row) - {name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")}
    if unknown:
        raise ValueError(f"no column {sorted(unknown)} in {table}")
    return db.execute(_insert_sql(table, tuple(row), replace), tuple(row.values())).lastrowid


def _insert_sql(table: str, columns: tuple[str, ...], replace: bool = False) -> str:
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
