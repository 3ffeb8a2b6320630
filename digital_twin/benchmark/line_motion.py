"""Motions of the in-process arm: straight lines of the tool and straight lines in joint space, under speed limits."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from robot_runner.arm.base import MotionLimits
from robot_runner.arm.kinematics import UR5, inverse_near
from wildgrasp.geometry import Array, interpolate, rotation_angle

_JOINT_ACCELERATION_RAD_S2 = 2.0


class Motion(Protocol):
    """A motion under way."""

    def advance(self, dt: float, q: Array) -> Array:
        """Joint angles [6] to command next, dt seconds after q [6] was commanded."""
        ...

    def remaining_m(self) -> float:
        """Metres to go; exactly 0 at the end."""
        ...


class LineMotion:
    """From T_start to T_goal [4, 4]: the position on a line, the rotation on the shortest arc."""

    def __init__(self, T_start: Array, T_goal: Array, limits: MotionLimits) -> None:
        self._T_start, self._T_goal = T_start, T_goal
        distance = float(np.linalg.norm(T_goal[:3, 3] - T_start[:3, 3]))
        angle = float(rotation_angle(T_start[:3, :3].T @ T_goal[:3, :3]))
        self._distance = max(distance, _ROTATION_ARM_M * angle, 1e-6)
        speed = 1 / max(distance / limits.speed_m_s, angle / limits.angular_speed_rad_s, 1e-6)
        acceleration = 1 / max(distance / limits.acceleration_m_s2, angle / limits.angular_acceleration_rad_s2, 1e-6)
        self._progress = _Progress(speed, acceleration)

    def advance(self, dt: float, q: Array) -> Array:
        T = interpolate(self._T_start, self._T_goal, self._progress.advance(dt))
        return inverse_near(UR5, T, q)[0]

    def remaining_m(self) -> float:
        return (1.0 - self._progress.done) * self._distance


_ROTATION_ARM_M = 0.23  # a turn moves the fingertips about the flange by this much per radian


class JointMotion:
    """From q_start to q_goal [6] rad, all joints arriving together."""

    def __init__(self, q_start: Array, q_goal: Array, limits: MotionLimits) -> None:
        self._q_start, self._q_goal = q_start, q_goal
        largest = max(float(np.abs(q_goal - q_start).max()), 1e-6)
        self._progress = _Progress(limits.joint_speed_rad_s / largest, _JOINT_ACCELERATION_RAD_S2 / largest)

    def advance(self, dt: float, q: Array) -> Array:
        return self._q_start + self._progress.advance(dt) * (self._q_goal - self._q_start)

    def remaining_m(self) -> float:
        return 1.0 - self._progress.done


class _Progress:
    """From 0 to 1 with a trapezoidal speed."""

    def __init__(self, speed: float, acceleration: float) -> None:
        self._limit, self._acceleration = speed, acceleration
        self._speed = 0.0
        self.done = 0.0

    def advance(self, dt: float) -> float:
        a, rest = self._acceleration, 1.0 - self.done
        braking = a * (np.sqrt(dt**2 + 2 * rest / a) - dt)  # fastest after which a full stop still fits, in steps of dt
        self._speed = min(self._limit, self._speed + a * dt, float(braking))
        self.done = min(1.0, self.done + self._speed * dt)
        if self._speed < a * dt:
            self.done = 1.0
        return self.done
