"""Rebuilding the index of a session from its blobs. The blobs are never changed; the index of before is kept beside
it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.sessions import rows, schema
from wildgrasp.sessions.blobs import read_record
from wildgrasp.sessions.events import Gap
from wildgrasp.sessions.index import NewerFormatError, camera_from_json, open_index
from wildgrasp.sessions.layout import (
    INDEX_FILES,
    INDEX_NAME,
    FolderLock,
    blob_path,
    check_index_files,
    sync_file,
    sync_folder,
)
from wildgrasp.sessions.survey import FoundFrame, Survey, survey

REPAIR_META = ("closed", "cut_off", "repaired")  # keys of meta that a repair writes itself
REPAIR_SOURCE = "disk"  # of the gaps that a repair lists: a recorder has other ones
_UNFINISHED = f"{INDEX_NAME}.repairing"


@dataclass(frozen=True)
class RepairReport:
    """What a repaired session holds, and where its index of before went."""

    path: Path
    frames: int
    frames_in_old_index: int
    lost_frames: int  # recorded once, and damaged on the disk
    damaged_bytes: int
    processing_kept: bool
    kept: Path | None  # folder with the index of before; None when there was none


def repair_session(path: Path, progress: Callable[[int], None] | None = None) -> RepairReport:
    """Rebuild a session's index from its blobs, all or nothing.

    Frames that cannot be read any more are left out and listed as a gap; the others are numbered anew without holes.
    Raises SessionError when nothing of the recording can be read, or while it is being recorded.
    """
    path = Path(path)
    lock = FolderLock(path)
    try:
        check_index_files(path)
        found = survey(path, progress)
        _require_camera(path, found)
        unfinished, kept = path / _UNFINISHED, None
        try:
            kept = _keep_old(path)  # before anything of it is opened, which would change it
            unfinished.unlink(missing_ok=True)
            ids = _build(unfinished, found)
            old_frames, processing_kept = _carry_over(path, unfinished, ids, found)
            _forget_unreadable(path, unfinished)
            _put_in_place(path, unfinished)
        except (OSError, sqlite3.Error) as error:
            if kept is not None and all((path / file.name).exists() for file in kept.iterdir()):
                shutil.rmtree(kept, ignore_errors=True)  # nothing of the old index is gone
            raise SessionError(
                f"{path} could not be repaired ({error}). Its data is as it was before; make room and try again."
            ) from error
        finally:
            with suppress(OSError):  # the next repair replaces it
                unfinished.unlink(missing_ok=True)
        damaged = sum(damage.length for damage in found.damage)
        lost = found.lost_frames + len(found.frames) - len(ids)
        return RepairReport(path, len(ids), old_frames, lost, damaged, processing_kept, kept)
    finally:
        lock.release()


def _require_camera(path: Path, found: Survey) -> None:
    try:
        camera_from_json(found.meta["camera"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise SessionError(
            f"{path} cannot be repaired: its first record, the camera, cannot be read. Nothing was changed."
        ) from error


# --- the new index ---


def _build(index: Path, found: Survey) -> dict[int, int]:
    """Write the new index; returns the new id of every frame that is in it by its recorded id."""
    db = rows.create_scratch_index(index)
    try:
        db.execute("BEGIN")
        frames = _usable(found)
        ids = {frame.id: new for new, frame in enumerate(frames)}
        for frame in frames:
            rows.insert_frame(db, ids[frame.id], frame.t_ns, frame.t_device_ns, frame.ref)
        for message in [*found.events, *found.servo, *found.gaps, *_lost_as_gaps(frames), *found.health]:
            rows.insert_message(db, message)
        lost_rows = {}
        for table, row in found.rows:
            if not _insert_row(db, table, row, ids):
                lost_rows[table] = lost_rows.get(table, 0) + 1
        for key, value in {**found.meta, **_repair_meta(found, len(frames), lost_rows)}.items():
            rows.insert_meta(db, key, value)
        db.execute("COMMIT")
    finally:
        db.close()
    return ids


def _usable(found: Survey) -> list[FoundFrame]:
    camera = camera_from_json(found.meta["camera"]).intrinsics
    size = (camera.height, camera.width)
    return [frame for frame in found.frames if frame.sizes == (size, size)]


def _lost_as_gaps(frames: list[FoundFrame]) -> list[Gap]:
    reason = "the recorded frames were damaged on the disk"
    return [Gap(REPAIR_SOURCE, a.t_ns, b.t_ns, reason, b.id - a.id - 1) for a, b in pairwise(frames) if b.id > a.id + 1]


def _insert_row(db: sqlite3.Connection, table: str, row: dict[str, Any], ids: dict[int, int]) -> bool:
    """Insert a recorded row with its frame's new number; False where its frame is lost or it fits no table."""
    if row.get("frame_id") is not None:
        if row["frame_id"] not in ids:
            return False
        row = {**row, "frame_id": ids[row["frame_id"]]}
    try:
        rows.insert_row(db, table, row, replace=True)
    except (ValueError, sqlite3.IntegrityError):
        return False
    return True


def _repair_meta(found: Survey, frames: int, lost_rows: dict[str, int]) -> dict[str, Any]:
    return {
        "closed": True,
        "cut_off": found.meta.get("closed") is not True,
        "repaired": {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "damage": [[d.file, d.offset, d.length] for d in found.damage],
            "lost_frames": found.lost_frames + len(found.frames) - frames,
            "lost_rows": lost_rows,
        },
    }


# --- what processing had found ---


def _carry_over(path: Path, unfinished: Path, ids: dict[int, int], found: Survey) -> tuple[int, bool]:
    """Copy what processing had added, when the old index can be read and numbers its frames as the new one does.

    Returns (frames in the old index, whether anything of processing was there and is kept).
    """
    try:
        old = open_index(path)
    except NewerFormatError:
        raise
    except SessionError:
        return 0, False
    new = rows.open_scratch_index(unfinished)
    try:
        indexed = dict(old.execute("SELECT id, t_ns FROM frames").fetchall())
        times = {ids[frame.id]: frame.t_ns for frame in found.frames if frame.id in ids}
        if any(times.get(frame_id) != t_ns for frame_id, t_ns in indexed.items()):
            return len(indexed), False
        new.execute("BEGIN")
        copied = 0
        for table in schema.DERIVED_TABLES:
            columns = [name for _, name, *_ in new.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join("?" * len(columns))
            cells = old.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            copied += new.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", cells).rowcount
        new.execute("COMMIT")
        return len(indexed), copied > 0
    except sqlite3.DatabaseError:
        if new.in_transaction:
            new.execute("ROLLBACK")
        return 0, False
    finally:
        old.close()
        new.close()


def _forget_unreadable(path: Path, unfinished: Path) -> None:
    """Rows that point to data which cannot be read any more: masks go, decisions stay without their arrays. What
    processing found of frames that do not exist goes too."""
    db = rows.open_scratch_index(unfinished)
    db.execute("BEGIN")
    for table in schema.DERIVED_TABLES:
        for column in schema.FRAME_COLUMNS.get(table, ()):
            db.execute(f"DELETE FROM {table} WHERE {schema.strays(column)}")
    for table, statement in (
        ("masks", "DELETE FROM masks WHERE id = ?"),
        ("decisions", "UPDATE decisions SET file = NULL, offset = NULL WHERE id = ?"),
    ):
        references = db.execute(f"SELECT id, file, offset FROM {table} WHERE file IS NOT NULL").fetchall()
        for row_id, file, offset in references:
            try:
                read_record(blob_path(path, file), offset)
            except (SessionError, TypeError):
                db.execute(statement, (row_id,))
    db.execute("COMMIT")
    db.close()


# --- the old index and the new one ---


def _keep_old(path: Path) -> Path | None:
    """Copy the old index aside, as it is."""
    old = [path / name for name in INDEX_FILES if (path / name).exists()]
    if not old:
        return None
    number = 1
    while (kept := path / f"before-repair-{number}").exists():
        number += 1
    kept.mkdir()
    try:
        for file in old:
            shutil.copy2(file, kept / file.name)
            sync_file(kept / file.name)
        sync_folder(kept)
    except OSError:
        shutil.rmtree(kept, ignore_errors=True)
        raise
    return kept


def _put_in_place(path: Path, unfinished: Path) -> None:
    """Replace the old index. At every moment there is an index, or blobs to repair it from."""
    sync_file(unfinished)
    # A log or journal of the old index must never meet the new one, so it goes first.
    for name in INDEX_FILES[1:]:
        (path / name).unlink(missing_ok=True)
    unfinished.replace(path / INDEX_NAME)
    sync_folder(path)
