"""What the runner and the link's process say to each other, and in which words they report to people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import MotionLimits, Safety

SAFETIES = list(Safety)  # a row of the state ring holds the index


@dataclass(frozen=True)
class Patience:
    """How long each side waits for the other. The defaults suit a robot's network; a busy simulation needs more."""

    watchdog_hz: float = 10.0  # the controller stops the program when nothing arrives for 1/watchdog_hz
    stale_s: float = 0.1  # readings older than this: come to rest, give up the goal
    lost_s: float = 0.3  # and than this: the link counts as lost

    @property
    def dead_s(self) -> float:
        """Without anything new for so long, the link's process itself is gone or hangs."""
        return self.lost_s + 0.2


@dataclass(frozen=True)
class LinkConfig:
    """How to reach and follow one controller."""

    host: str
    model: str  # key of MODELS
    patience: Patience
    lookahead_s: float = 0.03  # servoj's shortest: the arm is this far behind, and stops within it
    gain: float = 2000.0  # servoj's highest: damps the law that UR's manual describes best (0.67 of critical)
    payload_kg: float = 0.0  # gripper and mount; 0 leaves the controller's setting


@dataclass(frozen=True)
class LineGoal:
    number: int
    T_base_tool: NDArray[np.float64]
    limits: MotionLimits


@dataclass(frozen=True)
class JointGoal:
    number: int
    q: NDArray[np.float64]
    limits: MotionLimits


@dataclass(frozen=True)
class Stop:
    number: int


@dataclass(frozen=True)
class Recover:
    """Connect again after the operator has seen to the arm."""


@dataclass(frozen=True)
class Close:
    """Come to rest, end the program, leave."""


@dataclass(frozen=True)
class Settings:
    """What is set at the controller, read when the link was made."""

    q: NDArray[np.float64]  # [6] rad at that moment
    T_base_tcp: NDArray[np.float64]  # [4, 4] its tool centre point then
    payload_kg: float


@dataclass(frozen=True)
class Connected:
    """Answer to the start and to Recover. A problem is a sentence, or '' when all is well."""

    problem: str = ""
    settings: Settings | None = None


@dataclass(frozen=True)
class Fault:
    """Why a goal was given up."""

    number: int
    text: str


STALE = (
    "The arm's readings came late, so it was brought to rest. Look at the network to its controller and at what else "
    "this computer does, then start again."
)


def explain(safety: Safety) -> str:
    """What a state means for the person beside the arm, and what to do."""
    return {
        Safety.NORMAL: "",
        Safety.PROTECTIVE_STOP: "The arm is in a protective stop: it met something or was asked too much. "
        "Look at the arm, clear its way, then recover; it does not move on by itself.",
        Safety.EMERGENCY_STOP: "An emergency stop is pressed. Release it, start the arm at its pendant, then recover.",
        Safety.DISCONNECTED: "The link to the arm's controller is lost. Look at the network cable and the "
        "controller, then recover; the arm has been told to stop.",
        Safety.PROGRAM_STOPPED: "The control program on the arm's controller has stopped. Look at the pendant for the "
        "reason, then recover.",
    }[safety]


def plain_words(host: str, text: str) -> str:
    """What the client library said about a controller that did not start, for people."""
    lower = text.lower()
    if "in use" in lower or "already" in lower:
        return f"Another program controls the arm at {host} ({text}). Stop it first."
    if "remote" in lower:
        return f"The controller at {host} is in local control. Switch it to remote control at its pendant."
    return (
        f"The controller at {host} did not start the control program ({text}). Look at its pendant: is the "
        "arm switched on, in remote control, without an open message?"
    )
