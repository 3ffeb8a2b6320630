"""Is a session whole? Every invariant is looked at; nothing is changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np

from wildgrasp.errors import SessionError
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.index import NewerFormatError, camera_from_json
from wildgrasp.sessions.layout import FolderLock
from wildgrasp.sessions.recording import GAP_PERIODS
from wildgrasp.sessions.repair import REPAIR_META
from wildgrasp.sessions.schema import ROW_TABLES
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.survey import Survey, survey

REACTION_NS = 1_000_000_000  # within this time after a press the fingers move
REACTION_OPENING = 0.02


class Status(IntEnum):
    """The verdict; the number is the exit code of ``wildgrasp check``."""

    GOOD = 0
    BROKEN = 1
    REPAIRABLE = 3


@dataclass(frozen=True)
class Finding:
    """Something that was found. GOOD: worth knowing, nothing is wrong with the data."""

    status: Status
    text: str


@dataclass
class CheckReport:
    path: Path
    frames: int = 0
    events: int = 0
    servo_samples: int = 0
    duration_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> Status:
        found = {finding.status for finding in self.findings}
        return next((s for s in (Status.BROKEN, Status.REPAIRABLE) if s in found), Status.GOOD)

    def repairable(self, text: str) -> None:
        self.findings.append(Finding(Status.REPAIRABLE, text))

    def broken(self, text: str) -> None:
        self.findings.append(Finding(Status.BROKEN, text))

    def note(self, text: str) -> None:
        self.findings.append(Finding(Status.GOOD, text))


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
        _check_recorded(report, found)
        if report.status is not Status.BROKEN:
            _check_index(report, found, deep)
        return report
    finally:
        lock.release()


# --- the blobs alone ---


def _check_recorded(report: CheckReport, found: Survey) -> None:
    report.frames, report.events, report.servo_samples = len(found.frames), len(found.events), len(found.servo)
    if "camera" not in found.meta:
        report.broken("Nothing of the recording can be read: its first record, the camera, is missing.")
        return
    try:
        camera = camera_from_json(found.meta["camera"])
    except (ValueError, KeyError, TypeError, OverflowError):
        report.broken("The recorded camera is impossible.")
        return
    for name in found.missing_chunks:
        report.broken(f"The file blobs/{name} is missing. Put it back; without it, `wildgrasp repair` keeps the rest.")
    size = (camera.intrinsics.height, camera.intrinsics.width)
    wrong = sum(frame.sizes != (size, size) for frame in found.frames)
    if wrong:
        report.repairable(f"{wrong} frames are not of the camera's size.")
    times = np.array([frame.t_ns for frame in found.frames], dtype=np.int64)
    if len(times) > 1:
        report.duration_s = float(times[-1] - times[0]) * 1e-9
        backwards = int((np.diff(times) <= 0).sum())
        if backwards:
            report.broken(f"The time of {backwards} frames does not advance.")
        _note_silences(report, times, round(1e9 / camera.fps), found)
    _note_unanswered(report, found)


def _note_silences(report: CheckReport, times: np.ndarray, period_ns: int, found: Survey) -> None:
    starts = np.flatnonzero(np.diff(times) > GAP_PERIODS * period_ns)
    listed = [(gap.t_start_ns, gap.t_end_ns) for gap in found.gaps]
    silent = [i for i in starts if not any(a <= times[i + 1] and b >= times[i] for a, b in listed)]
    if silent:
        longest = max(int(times[i + 1] - times[i]) for i in silent)
        seconds = f"{longest * 1e-9:.2f} s"
        report.note(f"{len(silent)} pauses between frames are not listed as gaps; the longest is {seconds}.")
    lost = sum(gap.lost_frames for gap in found.gaps)
    if lost:
        report.note(f"{lost} frames were lost while recording, in {len(listed)} listed gaps.")


def _note_unanswered(report: CheckReport, found: Survey) -> None:
    """Presses of the button that no finger motion follows, where the fingers were open and watched."""
    if not found.servo:
        return
    samples = sorted((sample.t_ns, sample.opening) for sample in found.servo)
    times, opening = np.array([s[0] for s in samples]), np.array([s[1] for s in samples])
    presses = [event.t_ns for event in found.events if event.kind == "press"]
    unanswered = 0
    for t_ns in presses:
        window = opening[np.searchsorted(times, t_ns) : np.searchsorted(times, t_ns + REACTION_NS)]
        open_before = len(window) > 1 and window[0] > 2 * REACTION_OPENING
        unanswered += bool(open_before and window[0] - window.min() < REACTION_OPENING)
    if unanswered:
        report.note(f"{unanswered} of {len(presses)} presses of the button are followed by no motion of the fingers.")


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
    verdict = next(iter(session.db.query("PRAGMA quick_check(1)")))["quick_check"]
    if verdict != "ok":
        report.repairable(f"The index is damaged ({verdict}).")
    indexed = session.db.query("SELECT id, t_ns, t_device_ns, file, offset FROM frames ORDER BY id")
    recorded = [(f.t_ns, f.t_device_ns, f.ref.file, f.ref.offset) for f in found.frames]
    if [tuple(row.values())[1:] for row in indexed] != recorded:
        report.repairable(f"The index lists {len(session)} frames; {len(recorded)} were recorded and can be read.")
    if found.lost_frames > known.lost_frames:
        report.repairable(f"{found.lost_frames - known.lost_frames} frames were recorded and cannot be read any more.")
    listed = {"events": len(found.events), "servo": len(found.servo)}
    for table, count in listed.items():
        if session.db[table].count != count:
            report.repairable(f"The index lists {session.db[table].count} rows of {table}; {count} were recorded.")
    if session.db["gaps"].count < len(found.gaps):
        report.repairable(f"The index lists {session.db['gaps'].count} gaps; {len(found.gaps)} were recorded.")
    recorded_meta = {key: value for key, value in found.meta.items() if key not in REPAIR_META}
    # As text, in which NaN equals itself.
    if any(json.dumps(session.meta.get(key)) != json.dumps(value) for key, value in recorded_meta.items()):
        report.repairable("What the index says of device, person or task is not what was recorded.")
    _compare_rows(report, session, found, known)
    _check_references(report, session)


def _compare_rows(report: CheckReport, session: Session, found: Survey, known: _Known) -> None:
    for table in ROW_TABLES:
        keys = {_row_key(table, row) for name, row in found.rows if name == table}
        columns = "source, frame_id" if table == "poses" else "id"
        present = {tuple(row.values()) for row in session.db.query(f"SELECT {columns} FROM {table}")}
        lost = len(keys - present) - known.lost_rows.get(table, 0)
        if lost > 0:
            report.repairable(f"{lost} recorded rows of {table} are not in the index.")
    for pose_source in {row["source"] for row in session.db.query("SELECT DISTINCT source FROM poses")}:
        poses = session.poses(pose_source)
        if poses is not None and not ((poses.frame_ids >= 0) & (poses.frame_ids < len(session))).all():
            report.repairable(f"Poses of source {pose_source!r} belong to frames that do not exist.")


def _row_key(table: str, row: dict) -> tuple:
    return (row.get("source"), row.get("frame_id")) if table == "poses" else (row.get("id"),)


def _check_references(report: CheckReport, session: Session) -> None:
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
