"""URScript's poses (x, y, z and a rotation vector) and the kinematics that programs ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from digital_twin.ur_controller.urscript import ScriptError
from robot_runner.arm.kinematics import forward, inverse_near
from wildgrasp.geometry import inverse, pose, so3_exp, so3_log

if TYPE_CHECKING:
    from digital_twin.ur_controller.machine import Machine

Array = NDArray[np.float64]


class Pose(list):
    """``p[x, y, z, rx, ry, rz]``: a list that functions can tell from joint angles."""


def from_pose(p: list[float]) -> Array:
    """4×4 matrix of a pose."""
    v = np.asarray(p, dtype=np.float64)
    return pose(so3_exp(v[3:]), v[:3])


def to_pose(T: Array) -> Pose:
    return Pose([*T[:3, 3].tolist(), *so3_log(T[:3, :3]).tolist()])


def tool_pose(machine: Machine, q: Array | list[float] | None = None, tcp: list[float] | None = None) -> Array:
    """Pose [4, 4] of the tool centre point at joint angles (default: the commanded ones)."""
    q = machine.q_target if q is None else np.asarray(q, dtype=np.float64)
    return forward(machine.model.arm, q) @ from_pose(machine.tcp if tcp is None else tcp)


def solve(machine: Machine, x: list[float], q_near: list[float] | Array | None = None) -> Array:
    """Joint angles [6] for a pose of the tool centre point, near q_near (default: the commanded ones).

    Raises ScriptError where there is no solution, which ends the program as it does on the real controller."""
    q_near = machine.q_target if q_near is None else np.asarray(q_near, dtype=np.float64)
    T = from_pose(x) @ inverse(from_pose(machine.tcp))
    q, ok = inverse_near(machine.model.arm, T, q_near, iterations=60)
    if not ok:
        raise ScriptError("get_inverse_kin: no solution")
    return q
