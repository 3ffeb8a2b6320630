"""What an episode is told (configuration) and what it tells (states, events, result)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from robot_runner import guard
from robot_runner.arm.base import MotionLimits
from wildgrasp.rig import MAX_OPENING_M


class State(Enum):
    START = "start"  # open, rise, go to the start pose
    OBSERVE = "observe"
    DECIDE = "decide"
    MOVE = "move"
    FINISH = "finish"  # the last move before closing
    CLOSE = "close"
    LIFT = "lift"
    CHECK = "check"
    DROP = "drop"
    PAUSED = "paused"  # between two moves, until the operator goes on
    END = "end"


_APPROACH = MotionLimits()
_TRAVEL = MotionLimits(speed_m_s=0.4, acceleration_m_s2=1.2)
_FINISH = MotionLimits(speed_m_s=0.1, acceleration_m_s2=0.5)
_LIFT = MotionLimits(speed_m_s=0.15, acceleration_m_s2=0.5)


@dataclass(frozen=True, eq=False)
class EpisodeConfig:
    """One grasp's constants. SI units; the hand–eye calibration stands in ``guard`` (T_tool_camera)."""

    guard: guard.GuardLimits = field(default_factory=guard.GuardLimits)
    start_q: tuple[float, ...] = (0.0, -1.57, 1.35, -1.35, -1.57, 0.0)  # rad
    max_steps: int = 40
    approach: MotionLimits = _APPROACH
    travel: MotionLimits = _TRAVEL
    finish: MotionLimits = _FINISH
    lift: MotionLimits = _LIFT
    remaining_m: float = 0.003  # a move counts as done, and the next look may begin, this far before its goal
    open_width_m: float = MAX_OPENING_M
    force_n: float = 25.0
    lift_height_m: float = 0.10  # section VII of the paper
    min_width_m: float = 0.004  # narrower than this after the lift: the fingers hold nothing
    camera_latency_s: float = 0.0  # of t_host_ns behind the exposure; measured by calibration
    max_frame_age_s: float = 1.0
    policy_timeout_s: float = 5.0  # from exposure to decision; what comes later is not acted on
    camera_timeout_s: float = 3.0  # for one picture; the arm stands still meanwhile
    max_refusals: int = 3  # or late decisions, in a row, before the episode ends
    move_timeout_s: float = 20.0
    gripper_timeout_s: float = 5.0


@dataclass(frozen=True)
class EpisodeResult:
    """How it went. ``outcome``: success | empty | dropped | stuck | out of steps | refused | stopped | fault."""

    outcome: str
    reason: str
    steps: int
    width_m: float | None  # between the fingers after the lift
    t_start_ns: int
    t_end_ns: int
    timings_ms: dict[str, float] = field(default_factory=dict)  # mean per decision: fuse, views, q

    @property
    def success(self) -> bool:
        return self.outcome == "success"


@dataclass(frozen=True)
class Operator:
    """What a person may do to a running episode, asked for again and again from the episode's thread."""

    stop_requested: Callable[[], bool] = lambda: False
    pause_requested: Callable[[], bool] = lambda: False
    speed: Callable[[], float] = lambda: 1.0  # fraction in (0, 1] of the configured speeds, for the next move


@dataclass(frozen=True)
class EpisodeEvent:
    """Progress, for consoles and films. ``detail`` holds the objects of that moment: decision, verdict, frame …"""

    t_ns: int
    state: State
    text: str
    detail: dict[str, Any] = field(default_factory=dict)
