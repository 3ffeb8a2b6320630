"""Is a session whole? Every invariant is looked at; nothing is changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.check_recording import check_recorded
from wildgrasp.sessions.findings import CheckReport, Finding, Status
from wildgrasp.sessions.index import NewerFormatError
from wildgrasp.sessions.layout import FolderLock, chunks, is_chunk_name
from wildgrasp.sessions.repair import REPAIR_META, REPAIR_SOURCE
from wildgrasp.sessions.schema import FRAME_COLUMNS, ROW_TABLES, strays
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.survey import Survey, survey

__all__ = ["CheckReport", "Finding", "Status", "check_session"]


def check_session(path: Path, deep: bool = False, progress: Callable[[int], None] | None = None) -> CheckReport:
    """Check a session: blobs against their checksums, index against blobs, and the invariants of what was recorded.

    Args:
        deep: decode every image too.
        progress: told the number of bytes read since the last call.

    Raises SessionError when the folder cannot be opened, is being recorded, or was written by a newer version.
    """
    path = Path(path)
    lock = FolderLock(path)
    try:
        report = CheckReport(path)
        found = survey(path, progress)
        check_recorded(report, found)
        if report.status is not Status.BROKEN:
            _check_index(report, found, deep)
        return report
    finally:
        lock.release()


# --- the index against the blobs ---


@dataclass(frozen=True)
class _Known:
    """Losses that a repair has listed already: they are no news."""

    damage: list = field(default_factory=list)
    lost_frames: int = 0
    lost_rows: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session) -> _Known:
        value = session.meta.get("repaired")
        if not isinstance(value, dict):
            return cls()
        damage, lost_frames, lost_rows = value.get("damage"), value.get("lost_frames"), value.get("lost_rows")
        rows_ok = isinstance(lost_rows, dict) and all(isinstance(n, int) for n in lost_rows.values())
        return cls(
            damage if isinstance(damage, list) else [],
            lost_frames if isinstance(lost_frames, int) else 0,
            lost_rows if rows_ok else {},
        )


def _check_index(report: CheckReport, found: Survey, deep: bool) -> None:
    try:
        session = Session(report.path)
    except NewerFormatError:
        raise
    except SessionError as error:
        report.repairable(str(error))
        return
    with session:
        known = _Known.of(session)
        new = [d for d in found.damage if [d.file, d.offset, d.length] not in known.damage]
        for damage in new:
            report.repairable(f"{damage.length} bytes of blobs/{damage.file} at {damage.offset} hold no whole record.")
        if not session.closed:
            report.repairable("The recording was cut off: it was never closed.")
        try:
            _compare(report, session, found, known)
        except (SessionError, sqlite3.Error, TypeError, ValueError) as error:
            report.repairable(f"The index cannot be read through ({error}).")
            return
        if deep:
            _decode_all(report, session)


def _compare(report: CheckReport, session: Session, found: Survey, known: _Known) -> None:
    verdict = next(iter(session.db.query("PRAGMA integrity_check(1)")))["integrity_check"]
    if verdict != "ok":
        report.repairable(f"The index is damaged ({verdict}).")
    _compare_frames(report, session, found, known)
    for name, recorded, indexed in (
        ("events", found.events, session.events()),
        ("readings of the servo", found.servo, session.servo()),
        ("gaps", found.gaps, [gap for gap in session.gaps() if gap.source != REPAIR_SOURCE]),
        ("health samples", found.health, session.health()),
    ):
        if sorted(map(_text, recorded)) != sorted(map(_text, indexed)):
            report.repairable(f"The index lists {len(indexed)} {name}; they are not the {len(recorded)} recorded ones.")
    recorded_meta = {key: value for key, value in found.meta.items() if key not in REPAIR_META}
    if any(json.dumps(session.meta.get(key)) != json.dumps(value) for key, value in recorded_meta.items()):
        report.repairable("What the index says of device, person or task is not what was recorded.")
    _compare_rows(report, session, found, known)
    _check_references(report, session)


def _text(message: Any) -> str:
    """As text, in which NaN equals itself; and without the sign of zero, which SQLite does not keep."""
    return repr([value + 0.0 if isinstance(value, float) else value for value in astuple(message)])


def _compare_frames(report: CheckReport, session: Session, found: Survey, known: _Known) -> None:
    indexed = session.db.query("SELECT id, t_ns, t_device_ns, file, offset FROM frames ORDER BY id")
    listed = [tuple(row.values())[1:] for row in indexed]
    recorded = [(f.t_ns, f.t_device_ns, f.ref.file, f.ref.offset) for f in found.frames]
    present = {file.name for file in chunks(session.path)}
    named = {file for _, _, file, _ in listed if is_chunk_name(file)}
    for name in sorted(named - present - set(found.missing_chunks)):
        report.broken(f"The file blobs/{name} is missing. Put it back; without it, `wildgrasp repair` keeps the rest.")
    if listed != recorded:
        report.repairable(f"The index lists {len(session)} frames; {len(recorded)} were recorded and can be read.")
    if found.lost_frames > known.lost_frames:
        report.repairable(f"{found.lost_frames - known.lost_frames} frames were recorded and cannot be read any more.")


def _compare_rows(report: CheckReport, session: Session, found: Survey, known: _Known) -> None:
    """Rows that a robot's run or an import recorded. A repair renumbers frames, so after one only keys are compared."""
    repaired = "repaired" in session.meta
    for table in ROW_TABLES:
        recorded = {_row_key(table, row): row for name, row in found.rows if name == table}
        present = {_row_key(table, row): row for row in session.db.query(f"SELECT * FROM {table}")}
        lost = len(recorded.keys() - present.keys()) - known.lost_rows.get(table, 0)
        if lost > 0:
            report.repairable(f"{lost} recorded rows of {table} are not in the index.")
        changed = sum(
            any(present[key].get(name) != cell for name, cell in row.items() if cell == cell)
            for key, row in recorded.items()
            if key in present and not repaired
        )
        if changed:
            report.repairable(f"{changed} rows of {table} in the index are not what was recorded.")


def _row_key(table: str, row: dict) -> tuple:
    return (row.get("source"), row.get("frame_id")) if table == "poses" else (row.get("id"),)


def _check_references(report: CheckReport, session: Session) -> None:
    for table, columns in FRAME_COLUMNS.items():
        for column in columns:
            wrong = next(iter(session.db.query(f"SELECT COUNT(*) AS n FROM {table} WHERE {strays(column)}")))["n"]
            if wrong:
                report.repairable(f"{wrong} rows of {table} belong to frames that do not exist ({column}).")
    for table in ("masks", "decisions"):
        unreadable = 0
        for row in session.db.query(f"SELECT file, offset FROM {table} WHERE file IS NOT NULL"):
            try:
                session.read_blob(BlobRef(row["file"], row["offset"]))
            except SessionError:
                unreadable += 1
        if unreadable:
            report.repairable(f"{unreadable} rows of {table} point to data that cannot be read.")


def _decode_all(report: CheckReport, session: Session) -> None:
    undecodable = 0
    for index in range(len(session)):
        try:
            session.frame(index)
        except SessionError:
            undecodable += 1
    if undecodable:
        report.broken(f"{undecodable} frames hold images that cannot be decoded.")
