"""Cutting a part out of a recording, for privacy: it is gone from the files, not merely hidden.

What remains is copied, record by record, into a new session beside the old one, which then takes its place. A computer
that goes off in between leaves either the old session or the new one; :func:`finish_cuts` tidies up what is left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.events import Gap
from wildgrasp.sessions.frames import EncodedFrame, unpack_frame
from wildgrasp.sessions.layout import FolderLock, sync_folder
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

REASON = "privacy"
_NEW, _OLD = ".cut-new", ".cut-old"
_REWRITTEN = ("camera", "format", "closed", "health", "repaired")


@dataclass(frozen=True)
class CutReport:
    frames_removed: int
    frames_left: int
    events_removed: int


def cut_out(path: Path, t_start_ns: int, t_end_ns: int, progress: Callable[[float], None] | None = None) -> CutReport:
    """Remove all frames, events, marks and servo readings with t_start_ns ≤ time ≤ t_end_ns from a session.

    The cut stands in the session as a gap of source ``person`` with the reason ``privacy``; frames are numbered anew.
    What `process` had found is left out: process it again. ``progress`` is told the fraction done.

    Raises SessionError when the session is damaged, is a robot's or an import with poses, or the disk refuses; then it
    is as it was.
    """
    path = Path(path)
    lock = FolderLock(path)
    try:
        new, old = _beside(path, _NEW), _beside(path, _OLD)
        shutil.rmtree(new, ignore_errors=True)
        try:
            with Session(path) as session:
                _require_cuttable(session)
                report = _copy(session, new, t_start_ns, t_end_ns, progress or (lambda _: None))
            os.rename(path, old)  # noqa: PTH104
            os.rename(new, path)  # noqa: PTH104
            sync_folder(path.parent)
            shutil.rmtree(old)
        except (SessionError, OSError) as error:
            if old.exists() and not path.exists():
                os.rename(old, path)  # noqa: PTH104
            shutil.rmtree(new, ignore_errors=True)
            raise SessionError(f"Nothing could be cut out of {path.name} ({error}). It is as it was before.") from error
        return report
    finally:
        lock.release()


def finish_cuts(folder: Path) -> None:
    """Tidy up cuts in a folder of sessions that a power cut interrupted: what was to be removed is removed."""
    for old in folder.glob(f".*{_OLD}"):
        path = folder / old.name[1 : -len(_OLD)]
        new = _beside(path, _NEW)
        if not path.exists() and new.exists():
            new.rename(path)
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)
    for new in folder.glob(f".*{_NEW}"):
        shutil.rmtree(new)


def _beside(path: Path, suffix: str) -> Path:
    return path.parent / f".{path.name}{suffix}"


def _require_cuttable(session: Session) -> None:
    if not session.closed:
        raise SessionError(f"{session.path} was cut off while recording. Run `wildgrasp repair` on it first.")
    if session.db.execute("SELECT EXISTS (SELECT 1 FROM poses WHERE source != 'tracking')").fetchone()[0]:
        raise SessionError(f"{session.path} comes with poses: only people's recordings can be cut.")


def _copy(session: Session, new: Path, start_ns: int, end_ns: int, progress: Callable[[float], None]) -> CutReport:
    def stays(t_ns: int) -> bool:
        return not start_ns <= t_ns <= end_ns

    frames = session.db.execute("SELECT t_ns, file, offset FROM frames ORDER BY id").fetchall()
    left = [frame for frame in frames if stays(frame[0])]
    events = session.events()
    events_left = [event for event in events if stays(event.t_ns)]
    gaps = [*session.gaps(), Gap("person", start_ns, end_ns, REASON)]
    with SessionWriter(new, session.camera_info) as out:
        for key, value in session.meta.items():
            if key not in _REWRITTEN:
                out.set_meta(key, _without(key, value, stays))
        for number, (t_ns, file, offset) in enumerate(left):
            image = unpack_frame(session.read_blob(BlobRef(file, offset)).payload)
            out.add_encoded_frame(EncodedFrame(t_ns, image.t_device_ns, image.color, image.depth))
            progress((number + 1) / len(left))
        for event in events_left:
            out.add_event(event)
        out.add_servo([sample for sample in session.servo() if stays(sample.t_ns)])
        for gap in gaps:
            out.add_gap(gap)
        for sample in session.health():
            if stays(sample.t_ns):
                out.add_health(sample)
        counts = {"frames": len(left), "events": len(events_left), "gaps": len(gaps)}
        out.set_meta("health", {**session.meta.get("health", {}), **counts})
    return CutReport(len(frames) - len(left), len(left), len(events) - len(events_left))


def _without(key: str, value: Any, stays: Callable[[int], bool]) -> Any:
    """Outcomes of picks that are cut out go with them."""
    if key != "outcomes":
        return value
    return [outcome for outcome in value if stays(outcome["t_press_ns"])]
