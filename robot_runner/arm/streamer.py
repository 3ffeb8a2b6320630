"""From goals to one joint target per control cycle. No robot and no clock in here: the link calls it, tests call it.

The plan (:mod:`profile`) bounds speed and acceleration; a moving average over the plan's joint angles then bounds jerk,
by 2·acceleration / length of the average, without exceeding the other caps. Everything starts from the last *commanded*
joints: the arm's lag never turns into a jump.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import MotionLimits
from robot_runner.arm.kinematics import ArmModel, forward, inverse_near, jacobian, within_limits
from robot_runner.arm.profile import brake_joints, step_joints, step_pose

Array = NDArray[np.float64]

SMOOTHING_S = 0.04
STOP_RAD_S2 = 6.0
_JUMP_RAD = 0.2  # more than this in one cycle is another branch, not a motion
_AT_REST = 1e-7


class Mode(Enum):
    HOLD = "hold"
    LINE = "line"
    JOINTS = "joints"
    STOP = "stop"


class Streamer:
    """Holds, moves in a line, moves in joints, or stops; :meth:`next` yields the joints of the next cycle."""

    def __init__(self, model: ArmModel, dt: float, q: Array) -> None:
        self.model, self._dt = model, dt
        self._recent: deque[Array] = deque(maxlen=max(1, round(SMOOTHING_S / dt)))
        self.reset(q)

    def reset(self, q: Array) -> None:
        """Hold at joints [6], forgetting every goal: after connecting, and after any stop that was not ours."""
        self.mode = Mode.HOLD
        self.fault = ""
        self._q, self._qd = np.array(q, dtype=np.float64), np.zeros(6)
        self._twist = np.zeros(6)
        self._T_goal, self._q_goal, self._limits = np.eye(4), self._q, MotionLimits()
        self._recent.extend([self._q] * self._recent.maxlen)

    def move_to(self, T_base_tool: Array, limits: MotionLimits) -> None:
        """Go straight to a flange pose [4, 4] from wherever the plan is, at whatever speed it has."""
        if self.mode is not Mode.LINE:
            self._twist = jacobian(self.model, self._q) @ self._qd
        self.mode, self._T_goal, self._limits, self.fault = Mode.LINE, T_base_tool, limits, ""

    def move_joints(self, q: Array, limits: MotionLimits) -> None:
        """Go to joints [6] by the shortest way in joint space."""
        self.mode, self._q_goal, self._limits, self.fault = Mode.JOINTS, np.array(q), limits, ""

    def stop(self) -> None:
        if self.mode is not Mode.HOLD:
            self.mode = Mode.STOP

    @property
    def moving(self) -> bool:
        """Whether a goal is being followed."""
        return self.mode in (Mode.LINE, Mode.JOINTS)

    @property
    def settled(self) -> bool:
        """Whether nothing moves any more: the plan is at rest and the average has caught up."""
        return self.mode is Mode.HOLD and all(np.abs(q - self._q).max() < _AT_REST for q in self._recent)

    def next(self) -> Array:
        """Joint target [6] of the next cycle."""
        if self.mode is Mode.LINE:
            self._follow_line()
        elif self.mode is Mode.JOINTS:
            q, qd = step_joints(self._q, self._qd, self._q_goal, self._limits, self._dt)
            self._advance(q, qd)
            if np.abs(q - self._q_goal).max() < _AT_REST:
                self._rest()
        elif self.mode is Mode.STOP:
            self._q, self._qd = brake_joints(self._q, self._qd, STOP_RAD_S2, self._dt)
            if np.abs(self._qd).max() < _AT_REST:
                self._rest()
        self._recent.append(self._q)
        return np.mean(self._recent, axis=0)

    def _follow_line(self) -> None:
        T = forward(self.model, self._q)
        T_next, twist = step_pose(T, self._twist, self._T_goal, self._limits, self._dt)
        q, reached = inverse_near(self.model, T_next, self._q, iterations=15)
        fastest = np.abs(q - self._q).max() / self._dt
        if reached and fastest > self._limits.joint_speed_rad_s:
            twist = twist * (self._limits.joint_speed_rad_s / fastest)
            q = self._q + (q - self._q) * (self._limits.joint_speed_rad_s / fastest)
        if not reached or fastest * self._dt > _JUMP_RAD:
            self._fail("The straight way to the goal leaves the arm's reach or passes a singularity.")
            return
        self._twist = twist
        self._advance(q, (q - self._q) / self._dt)
        if np.abs(T_next - self._T_goal).max() < 1e-6 and np.abs(twist).max() < 1e-4:
            self._rest()

    def _advance(self, q: Array, qd: Array) -> None:
        if within_limits(self.model, q + qd * np.abs(qd) / (2 * STOP_RAD_S2)):  # where it could still stop
            self._q, self._qd = q, qd
        else:
            self._fail("A joint would have passed its limit.")

    def _fail(self, why: str) -> None:
        self.fault, self.mode = why, Mode.STOP

    def _rest(self) -> None:
        self.mode, self._qd, self._twist = Mode.HOLD, np.zeros(6), np.zeros(6)
