"""The arm seam: what an episode needs of a robot arm, and nothing of how it is reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Safety(Enum):
    """Why an arm may or may not move."""

    NORMAL = "normal"
    PROTECTIVE_STOP = "protective stop"
    EMERGENCY_STOP = "emergency stop"
    DISCONNECTED = "disconnected"
    PROGRAM_STOPPED = "program stopped"


@dataclass(frozen=True)
class MotionLimits:
    """Caps of one motion, at the fingertips and in the joints. The defaults are slow on purpose."""

    speed_m_s: float = 0.25
    acceleration_m_s2: float = 0.8
    angular_speed_rad_s: float = 1.0
    angular_acceleration_rad_s2: float = 4.0
    joint_speed_rad_s: float = 1.5
    joint_acceleration_rad_s2: float = 3.0

    def slowed(self, fraction: float) -> MotionLimits:
        """The same with all speeds at a fraction in (0, 1]; accelerations stay."""
        return replace(
            self,
            speed_m_s=fraction * self.speed_m_s,
            angular_speed_rad_s=fraction * self.angular_speed_rad_s,
            joint_speed_rad_s=fraction * self.joint_speed_rad_s,
        )


@dataclass(frozen=True)
class ArmState:
    """One reading of the arm. Stale readings are the reader's to refuse: look at t_ns."""

    t_ns: int  # host monotonic clock when the reading was received
    q: NDArray[np.float64]  # [6] rad
    qd: NDArray[np.float64]  # [6] rad/s
    T_base_tool: NDArray[np.float64]  # [4, 4] flange in the robot's base
    moving: bool
    safety: Safety


class Arm(Protocol):
    """A six-joint arm that follows Cartesian goals. All motion is non-blocking; waiting is explicit."""

    def connect(self) -> None:
        """Raises RobotError with what to do when no controller answers."""
        ...

    def state(self) -> ArmState: ...

    def tool_pose_at(self, t_ns: int) -> NDArray[np.float64]:
        """T_base_tool [4, 4] at a past host time, interpolated from the recent readings (for camera latency)."""
        ...

    def move_to(self, T_base_tool: NDArray[np.float64], limits: MotionLimits) -> None:
        """Start moving in a straight line towards a pose; replaces the goal of a motion under way.

        Raises RobotError when the pose cannot be reached or the arm may not move."""
        ...

    def move_joints(self, q: NDArray[np.float64], limits: MotionLimits) -> None:
        """Start moving to joint angles [6] in rad."""
        ...

    def wait(self, timeout_s: float, remaining_m: float = 0.0) -> bool:
        """Block until the motion has at most remaining_m to go (0: arrived and still) or the time is up; True if so.

        Raises RobotError as soon as the arm stops for any other reason."""
        ...

    def stop(self) -> None:
        """Decelerate and hold. Never raises for an arm that is already stopped."""
        ...

    def close(self) -> None: ...
