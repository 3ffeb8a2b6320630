"""Opening the index of a session, which may come from elsewhere and is not trusted."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo
from wildgrasp.errors import SessionError
from wildgrasp.geometry import PinholeCamera, from_vector
from wildgrasp.sessions import schema
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.codecs import MAX_SIDE
from wildgrasp.sessions.layout import INDEX_NAME, check_index_files

MAX_VALUE = 64 * 1024 * 1024  # bytes of any one value in the index


class NewerFormatError(SessionError):
    """The session was written by a newer version."""

    @classmethod
    def of(cls, path: Path, version: int) -> NewerFormatError:
        return cls(f"{path} was written by a newer WildGrasp (format {version}). Update and try again.")


def open_index(path: Path, check_same_thread: bool = True) -> sqlite3.Connection:
    """The index of a session folder, brought up to this version. Raises SessionError when there is none or it is
    newer."""
    check_index_files(path)
    if not (path / INDEX_NAME).is_file():
        raise SessionError(
            f"{path} is not a session (there is no {INDEX_NAME} in it). Give the folder that `capture`, `import` or "
            "`simulate` wrote; if its index was lost, `wildgrasp repair` rebuilds it."
        )
    with damage_told(path):
        db = sqlite3.connect(path / INDEX_NAME, isolation_level=None, check_same_thread=check_same_thread)
    try:
        with damage_told(path):
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
            db.executescript("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > schema.SCHEMA_VERSION:
                raise NewerFormatError.of(path, version)
            if version < 1:
                raise ValueError(f"format {version}")
            _require_plain_tables(db)
            if version < schema.SCHEMA_VERSION:
                schema.migrate(db, version)
    except BaseException:
        db.close()
        raise
    return db


def _require_plain_tables(db: sqlite3.Connection) -> None:
    """An index holds tables of stored values and nothing that computes: a view or a generated column that was put in a
    table's place could keep a reader busy for ever. Raises ValueError."""
    for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        computed = kind in ("view", "trigger") or (sql or "").upper().split()[1:2] == ["VIRTUAL"]
        if computed or db.execute("SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden", (name,)).fetchone():
            raise ValueError(f"{name} is no plain table")


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Whatever a damaged or forged index makes fail becomes one clear error."""
    try:
        yield
    except (sqlite3.Error, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SessionError(
            f"The index of {path} is damaged ({error}). Nothing was changed; `wildgrasp repair` rebuilds it."
        ) from error


def read_meta(db: sqlite3.Connection) -> dict[str, Any]:
    return {str(k): json.loads(v) for k, v in db.execute("SELECT key, value FROM meta")}


def read_frames(db: sqlite3.Connection) -> tuple[NDArray[np.int64], list[BlobRef]]:
    """Times [N] and places of all frames. Raises ValueError where ids are not 0 … N-1 or a value is of the wrong
    type."""
    rows = db.execute("SELECT id, t_ns, file, offset FROM frames ORDER BY id").fetchall()
    if [row[0] for row in rows] != list(range(len(rows))):
        raise ValueError("frames are missing in it")
    if not all(type(t) is int and type(f) is str and type(o) is int for _, t, f, o in rows):
        raise ValueError("a frame's row is malformed")
    return np.array([row[1] for row in rows], dtype=np.int64), [BlobRef(row[2], row[3]) for row in rows]


def camera_from_json(value: dict[str, Any]) -> CameraInfo:
    """Raises ValueError, KeyError or TypeError where the values describe no camera."""
    lens = PinholeCamera(**{f.name: value["intrinsics"][f.name] for f in fields(PinholeCamera)})
    known = {f.name: value[f.name] for f in fields(CameraInfo) if f.default is MISSING or f.name in value}
    info = CameraInfo(**known | {"intrinsics": lens})
    if info.T_color_depth is not None:
        T_color_depth = tuple(map(float, info.T_color_depth))
        from_vector(np.array(T_color_depth).reshape(7))
        info = replace(info, T_color_depth=T_color_depth)
    whole = all(isinstance(side, int) and 0 < side <= MAX_SIDE for side in (lens.width, lens.height))
    finite = all(math.isfinite(x) for x in (lens.fx, lens.fy, lens.cx, lens.cy, info.depth_scale, info.fps))
    if not (whole and finite and min(lens.fx, lens.fy, info.depth_scale, info.fps) > 0):
        raise ValueError("the camera's values are impossible")
    return info
