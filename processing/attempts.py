"""From the button and the servo to picking attempts: when each began, what the fingers met, how it ended.

A pure function of what the gripper told, so that its rules can be read, tested and argued about without a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wildgrasp.sessions.events import GripperEvent, ServoSample

Outcome = Literal["held", "empty", "dropped", "unfinished"]
S = 1_000_000_000  # ns


@dataclass(frozen=True)
class AttemptConfig:
    """The heuristics' constants. Openings are fractions of the stroke."""

    double_press_s: float = 0.35  # open for less than this between two presses: one press with a bouncing thumb
    tap_s: float = 0.15  # pressed for less than this: nothing can have been grasped
    closing_s: float = 1.0  # the fingers have met something or each other by then
    rest_s: float = 0.2  # at the end of that time they rest
    rest_opening: float = 0.015  # this near to where they rest they have arrived
    closed_opening: float = 0.03  # at or below: nothing is between the fingers
    contact_load: float = 0.12  # servo load that tells of a contact
    drop_opening: float = 0.05  # fingers that close by this much while holding have lost something
    approach_s: float = 10.0  # an approach is at most so long
    retreat_s: float = 1.0  # the hand draws back after opening


@dataclass(frozen=True)
class Attempt:
    """One try to pick something up. Frames are indices into the session, in order start ≤ grasp ≤ release ≤ end."""

    number: int  # picking order, from 0
    t_press_ns: int
    t_grasp_ns: int  # the fingers have closed on something, or on nothing
    t_release_ns: int | None  # None: the recording ended first
    frame_start: int  # the approach begins
    frame_grasp: int
    frame_release: int
    frame_end: int  # last frame that belongs to the attempt
    outcome: Outcome
    reason: str
    opening: float | None  # at which the fingers settled; None without servo readings

    @property
    def hold(self) -> range:
        """Frames in which something may be between the fingers."""
        return range(self.frame_grasp, self.frame_release + 1)


@dataclass(frozen=True)
class _Servo:
    """Servo readings as arrays."""

    t_ns: NDArray[np.int64]
    opening: NDArray[np.float64]
    load: NDArray[np.float64]

    def between(self, start_ns: int, stop_ns: int) -> _Servo:
        a, b = np.searchsorted(self.t_ns, [start_ns, stop_ns])
        return _Servo(self.t_ns[a:b], self.opening[a:b], self.load[a:b])

    def __len__(self) -> int:
        return len(self.t_ns)


def find_attempts(
    events: Sequence[GripperEvent],
    servo: Sequence[ServoSample],
    frame_times_ns: NDArray[np.int64],
    config: AttemptConfig | None = None,
) -> list[Attempt]:
    """Attempts in picking order. ``frame_times_ns`` [N] ascending; events and readings in any order.

    Presses before the first frame or after the last one are left out: there is no picture of them.
    """
    config = config or AttemptConfig()
    if len(frame_times_ns) == 0:
        return []
    readings = _arrays(servo)
    holds = _merge_double_presses(_pair(events), config)
    holds = [h for h in holds if h[0] <= frame_times_ns[-1] and (h[1] is None or h[1] >= frame_times_ns[0])]
    attempts: list[Attempt] = []
    for number, (press, release) in enumerate(holds):
        after = attempts[-1].frame_end + 1 if attempts else 0
        following = holds[number + 1][0] if number + 1 < len(holds) else None
        attempts.append(_describe(number, press, release, after, following, events, readings, frame_times_ns, config))
    return attempts


def _arrays(servo: Sequence[ServoSample]) -> _Servo:
    ordered = sorted(servo, key=lambda s: s.t_ns)
    return _Servo(
        np.array([s.t_ns for s in ordered], dtype=np.int64),
        np.array([s.opening for s in ordered], dtype=np.float64),
        np.array([abs(s.load) for s in ordered], dtype=np.float64),
    )


def _pair(events: Sequence[GripperEvent]) -> list[tuple[int, int | None]]:
    """(press, release) times. A press while pressed means that a release was missed: the hold goes on."""
    holds: list[tuple[int, int | None]] = []
    for event in sorted(events, key=lambda e: e.t_ns):
        pressed = bool(holds) and holds[-1][1] is None
        if event.kind == "press" and not pressed:
            holds.append((event.t_ns, None))
        elif event.kind == "release" and pressed:
            holds[-1] = (holds[-1][0], event.t_ns)
    return holds


def _merge_double_presses(
    holds: Sequence[tuple[int, int | None]], config: AttemptConfig
) -> list[tuple[int, int | None]]:
    merged: list[tuple[int, int | None]] = []
    for press, release in holds:
        if merged and merged[-1][1] is not None and press - merged[-1][1] < config.double_press_s * S:
            merged[-1] = (merged[-1][0], release)
        else:
            merged.append((press, release))
    return merged


def _describe(
    number: int,
    press: int,
    release: int | None,
    first_frame: int,
    next_press: int | None,
    events: Sequence[GripperEvent],
    servo: _Servo,
    frames: NDArray[np.int64],
    config: AttemptConfig,
) -> Attempt:
    end = release if release is not None else int(frames[-1]) + 1
    contact = next(
        (e.t_ns for e in sorted(events, key=lambda e: e.t_ns) if e.kind == "contact" and press <= e.t_ns < end), None
    )
    held = servo.between(press, end)
    grasp = _fingers_stop(held, press, contact, end, config)
    opening = _settled_opening(held, grasp)
    outcome, reason = _judge(press, release, grasp, opening, contact, held, config)
    marked = [e for e in events if e.kind == "mark" and end <= e.t_ns < (next_press or np.iinfo(np.int64).max)]
    if marked and outcome == "held":
        outcome, reason = "dropped", "the person marked it as failed"
    frame_grasp = _frame_from(frames, grasp)
    frame_release = _frame_from(frames, end) if release is not None else len(frames) - 1
    frame_release = max(frame_release, frame_grasp)
    latest = end + int(config.retreat_s * S)
    if next_press is not None:  # the hand goes back and comes again: half of the time in between each
        latest = min(latest, (end + next_press) // 2)
    frame_end = max(frame_release, int(np.searchsorted(frames, latest, side="right")) - 1)
    earliest = int(np.searchsorted(frames, press - int(config.approach_s * S)))
    frame_start = min(max(first_frame, earliest), frame_grasp)
    return Attempt(
        number, press, grasp, release, frame_start, frame_grasp, frame_release, frame_end, outcome, reason, opening
    )


def _fingers_stop(held: _Servo, press: int, contact: int | None, end: int, config: AttemptConfig) -> int:
    """When the closing fingers have come to rest; without readings, when they touched something or must have."""
    latest = min(press + int(config.closing_s * S), end)
    closing = held.between(press, latest)
    if len(closing) < 3:
        return (press + latest) // 2 if contact is None else contact
    rest = np.median(closing.opening[closing.t_ns >= closing.t_ns[-1] - config.rest_s * S])
    moving = np.flatnonzero(np.abs(closing.opening - rest) > config.rest_opening)
    arrived = min(int(moving[-1]) + 1, len(closing) - 1) if len(moving) else 0
    return int(closing.t_ns[arrived])


def _settled_opening(held: _Servo, grasp: int) -> float | None:
    """Fingers go on pressing for a moment after they touched: what they settle at is the width of the thing."""
    after = held.between(grasp, np.iinfo(np.int64).max)
    if len(after) == 0:
        return None
    return float(np.median(after.between(grasp, max(grasp + S // 2, int(after.t_ns[0]) + 1)).opening))


def _judge(
    press: int,
    release: int | None,
    grasp: int,
    settled: float | None,
    contact: int | None,
    held: _Servo,
    config: AttemptConfig,
) -> tuple[Outcome, str]:
    """Outcome and why, in words for the person who recorded it."""
    if release is not None and release - press < config.tap_s * S:
        return "empty", f"the button was only tapped ({(release - press) / 1e6:.0f} ms)"
    after = held.between(grasp, np.iinfo(np.int64).max)
    if settled is not None:
        loaded = contact is not None or bool(np.max(after.load) >= config.contact_load)
        if settled <= config.closed_opening and not (loaded and settled > config.closed_opening / 2):
            return "empty", "the fingers closed fully: nothing was between them"
        lost = np.flatnonzero(after.opening < settled - min(config.drop_opening, settled - config.closed_opening / 2))
        if len(lost) > 0:
            seconds = (after.t_ns[lost[0]] - grasp) / S
            return "dropped", f"the fingers closed further {seconds:.1f} s after the grasp: it slipped out"
    if release is None:
        return "unfinished", "the recording ended while the button was pressed"
    if settled is None:
        return "held", "judged by the button alone: there are no servo readings"
    return "held", f"held for {(release - grasp) / S:.1f} s at {settled:.0%} opening"


def _frame_from(frames: NDArray[np.int64], t_ns: int) -> int:
    """The first frame at or after a time; the last one when there is none."""
    return min(int(np.searchsorted(frames, t_ns)), len(frames) - 1)
