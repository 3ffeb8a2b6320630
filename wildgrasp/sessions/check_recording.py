"""The invariants of what was recorded, looked at in the blobs alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wildgrasp.sessions.findings import CheckReport
from wildgrasp.sessions.index import camera_from_json
from wildgrasp.sessions.recording import GAP_PERIODS
from wildgrasp.sessions.survey import Survey

REACTION_NS = 1_000_000_000  # within this time after a press the fingers move
REACTION_OPENING = 0.02
REFIT_NS = 2_000_000  # the gripper's times may step back by this much when its clock is fitted anew
STALL_NS = 1_000_000_000  # … and by this much where a stalled computer made that fit begin anew
AROUND_NS = 60_000_000_000  # the gripper may talk this long before the first frame and after the last


def check_recorded(report: CheckReport, found: Survey) -> None:
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
        report.repairable(f"{wrong} frames are not of the camera's size, in colour or in depth.")
    _check_frame_times(report, found, round(1e9 / camera.fps))
    _check_gaps(report, found)
    _check_gripper_times(report, found)
    _note_presses(report, found)


def _check_frame_times(report: CheckReport, found: Survey, period_ns: int) -> None:
    times = np.array([frame.t_ns for frame in found.frames], dtype=np.int64)
    if len(times) < 2:
        return
    report.duration_s = float(times[-1] - times[0]) * 1e-9
    backwards = int((np.diff(times) <= 0).sum())
    if backwards:
        report.broken(f"The time of {backwards} frames does not advance.")
    starts = np.flatnonzero(np.diff(times) > GAP_PERIODS * period_ns)
    silent = [i for i in starts if not _listed(found, times[i], times[i + 1])]
    if silent:
        longest = max(int(times[i + 1] - times[i]) for i in silent)
        seconds = f"{longest * 1e-9:.2f} s"
        report.note(f"{len(silent)} pauses between frames are not listed as gaps; the longest is {seconds}.")
    stopped = [
        b for a, b in pairwise(found.frames) if b.t_device_ns <= a.t_device_ns and not _listed(found, a.t_ns, b.t_ns)
    ]
    if stopped:
        report.note(f"The camera's own time does not advance in {len(stopped)} frames outside of gaps.")


def _listed(found: Survey, start_ns: int, end_ns: int) -> bool:
    return any(gap.t_start_ns <= end_ns and gap.t_end_ns >= start_ns for gap in found.gaps)


def _check_gaps(report: CheckReport, found: Survey) -> None:
    impossible = sum(gap.t_end_ns < gap.t_start_ns or gap.lost_frames < 0 for gap in found.gaps)
    if impossible:
        report.broken(f"{impossible} gaps end before they start or lost less than nothing.")
    lost = sum(gap.lost_frames for gap in found.gaps)
    if lost:
        report.note(f"{lost} frames were lost while recording, in {len(found.gaps)} listed gaps.")
    health = found.meta.get("health")
    counted = health.get("lost_frames") if isinstance(health, dict) else None
    if counted is not None and counted != lost:
        report.note(f"The recorder counted {counted} lost frames; the listed gaps hold {lost}.")


def _check_gripper_times(report: CheckReport, found: Survey) -> None:
    times = np.array([sample.t_ns for sample in found.servo], dtype=np.int64)
    steps = np.diff(times)
    backwards = int((steps < -STALL_NS).sum())
    if backwards:
        report.broken(f"The time of {backwards} readings of the servo goes backwards.")
    refits = int(((steps < -REFIT_NS) & (steps >= -STALL_NS)).sum())
    if refits:
        report.note(f"{refits} readings of the servo step back in time: the gripper's clock was not known well then.")
    if not found.frames:
        return
    start_ns, end_ns = found.frames[0].t_ns - AROUND_NS, found.frames[-1].t_ns + AROUND_NS
    outside = sum(not start_ns <= message.t_ns <= end_ns for message in [*found.events, *found.servo])
    if outside:
        report.note(f"{outside} messages of the gripper lie more than a minute outside of the frames' time.")


def _note_presses(report: CheckReport, found: Survey) -> None:
    """Presses that no release ends, and presses that no motion follows where the fingers were open and watched."""
    edges = sorted((e.t_ns, e.kind) for e in found.events if e.kind in ("press", "release", "link_lost"))
    missing = sum(a == b and a != "link_lost" for (_, a), (_, b) in pairwise(edges))
    if missing:
        report.note(f"Presses and releases of the button do not alternate: {missing} are missing.")
    if not found.servo:
        return
    times, opening = _motion(found)
    presses = [t_ns for t_ns, kind in edges if kind == "press"]
    unanswered = 0
    for t_ns in presses:
        window = opening[np.searchsorted(times, t_ns) : np.searchsorted(times, t_ns + REACTION_NS)]
        open_before = len(window) > 1 and window[0] > 2 * REACTION_OPENING
        unanswered += bool(open_before and window[0] - window.min() < REACTION_OPENING)
    if unanswered:
        report.note(f"{unanswered} of {len(presses)} presses of the button are followed by no motion of the fingers.")


def _motion(found: Survey) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    samples = sorted((sample.t_ns, sample.opening) for sample in found.servo)
    return np.array([s[0] for s in samples], np.int64), np.array([s[1] for s in samples], np.float64)
