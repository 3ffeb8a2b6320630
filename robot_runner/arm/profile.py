"""One control cycle of a motion under speed and acceleration caps, towards a goal that may change at any time.

Both start from the present velocity, so replacing the goal in mid-motion bends the path instead of breaking it. They
head straight for the goal at a speed from which they can still stop there, and no velocity changes faster than its cap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import MotionLimits
from wildgrasp.geometry import pose, so3_exp, so3_log

Array = NDArray[np.float64]

_RESERVE = 0.8  # of the acceleration is planned for stopping; the rest corrects what discrete cycles miss
_TINY = 1e-12


def step_pose(T: Array, twist: Array, T_goal: Array, limits: MotionLimits, dt: float) -> tuple[Array, Array]:
    """Next pose [4, 4] and twist [6] (m/s, rad/s, both in the base). Rotation and translation shrink in proportion."""
    rotation = so3_log(T_goal[:3, :3] @ T[:3, :3].T)
    translation = T_goal[:3, 3] - T[:3, 3]
    far, turn = np.linalg.norm(translation), np.linalg.norm(rotation)
    rate = min(
        _rate(far, limits.speed_m_s, limits.acceleration_m_s2, dt),
        _rate(turn, limits.angular_speed_rad_s, limits.angular_acceleration_rad_s2, dt),
    )
    change = rate * np.concatenate([translation, rotation]) - twist
    share = min(
        1.0,
        limits.acceleration_m_s2 * dt / max(np.linalg.norm(change[:3]), _TINY),
        limits.angular_acceleration_rad_s2 * dt / max(np.linalg.norm(change[3:]), _TINY),
    )
    twist = twist + share * change
    return pose(so3_exp(twist[3:] * dt) @ T[:3, :3], T[:3, 3] + twist[:3] * dt), twist


def step_joints(q: Array, qd: Array, q_goal: Array, limits: MotionLimits, dt: float) -> tuple[Array, Array]:
    """Next joint angles [6] and speeds [6]; all joints arrive together."""
    distance = q_goal - q
    farthest = np.abs(distance).max()
    rate = _rate(farthest, limits.joint_speed_rad_s, limits.joint_acceleration_rad_s2, dt)
    qd = _towards(qd, rate * distance, limits.joint_acceleration_rad_s2 * dt)
    return q + qd * dt, qd


def brake_joints(q: Array, qd: Array, deceleration_rad_s2: float, dt: float) -> tuple[Array, Array]:
    """Next joint angles and speeds [6] when everything is to come to rest, all joints in proportion."""
    qd = _towards(qd, np.zeros(6), deceleration_rad_s2 * dt)
    return q + qd * dt, qd


def _rate(distance: float, speed: float, acceleration: float, dt: float) -> float:
    """Speed per distance [1/s] at which to close a distance: capped, and slow enough to stop at its end."""
    if distance < _TINY:
        return 1.0 / dt
    a = _RESERVE * acceleration
    stoppable = -a * dt / 2 + np.sqrt((a * dt / 2) ** 2 + 2 * a * distance)
    return float(min(speed, stoppable, distance / dt) / distance)


def _towards(v: Array, goal: Array, largest_change: float) -> Array:
    change = goal - v
    return v + change * min(1.0, largest_change / max(np.abs(change).max(), _TINY))
