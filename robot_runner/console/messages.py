"""What the console's window and the process that runs the robot say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import Safety
from robot_runner.console.margins import Margin
from robot_runner.keep_out import KeepOutBox


class Phase(Enum):
    """What the runner is at. Only START leads to motion, and only from READY."""

    CONNECTING = "connecting"
    READY = "ready"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    ATTENTION = "attention"  # something stopped it: a person has to look and confirm


class Cause(Enum):
    """Why attention is needed; each has its own recovery steps."""

    UNREACHABLE = "unreachable"
    PROTECTIVE_STOP = "protective stop"
    EMERGENCY_STOP = "emergency stop"
    LINK_LOST = "link lost"
    PROGRAM_STOPPED = "program stopped"
    FAULT = "fault"  # camera, gripper, disk, policy …: the text says


CAUSES = {
    Safety.PROTECTIVE_STOP: Cause.PROTECTIVE_STOP,
    Safety.EMERGENCY_STOP: Cause.EMERGENCY_STOP,
    Safety.DISCONNECTED: Cause.LINK_LOST,
    Safety.PROGRAM_STOPPED: Cause.PROGRAM_STOPPED,
}


# --- from the window ---


@dataclass(frozen=True)
class Alive:
    """The window answers. Without it for a second, a run is stopped: nobody could stop it from here."""


@dataclass(frozen=True)
class Start:
    policy: str
    scene: str
    episodes: int


@dataclass(frozen=True)
class Pause:
    paused: bool


@dataclass(frozen=True)
class StopNow:
    pass


@dataclass(frozen=True)
class SetSpeed:
    fraction: float


@dataclass(frozen=True)
class Recover:
    """A person has looked at the arm and confirmed each step."""


@dataclass(frozen=True)
class SaveBoxes:
    scene: str
    boxes: tuple[KeepOutBox, ...]


@dataclass(frozen=True)
class Leave:
    pass


# --- from the runner ---


@dataclass(frozen=True)
class SceneShown:
    """A scene as the window draws it."""

    name: str
    workspace_lower: tuple[float, float, float]
    workspace_upper: tuple[float, float, float]
    table_height_m: float
    boxes: tuple[KeepOutBox, ...]


@dataclass(frozen=True)
class Choices:
    policies: tuple[str, ...]
    scenes: tuple[SceneShown, ...]


@dataclass(frozen=True)
class Status:
    phase: Phase
    cause: Cause | None = None
    text: str = ""  # why, in words
    width_m: float | None = None
    grip: str = ""  # empty: open or closed on nothing
    joints: tuple[Margin, ...] = ()
    workspace: tuple[Margin, ...] = ()
    fingertip_m: tuple[float, float, float] | None = None  # in the base


@dataclass(frozen=True)
class Progress:
    """Where the run is."""

    episode: int
    episodes: int
    state: str
    text: str
    step: int


@dataclass(frozen=True, eq=False)
class Picture:
    color: NDArray[np.uint8]  # [H, W, 3]
    lines: NDArray[np.float64]  # [N, 2, 2] the chosen action, pixels of ``color``


@dataclass(frozen=True, eq=False)
class ViewsShown:
    color: NDArray[np.uint8] | None  # [N, h, w, 3]
    values: NDArray[np.float32]  # [N]; NaN where refused
    chosen: int | None
    kind: str  # move, close, stuck, refused


@dataclass(frozen=True)
class Outcome:
    """One finished grasp, of this run or of an earlier one."""

    run: str
    number: int
    outcome: str
    reason: str
    steps: int
    seconds: float

    @property
    def success(self) -> bool:
        return self.outcome == "success"


@dataclass(frozen=True)
class RunEnded:
    run: str
    text: str
