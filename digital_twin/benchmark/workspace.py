"""Where the simulated robot may go: the guard and the start pose of every evaluation episode."""

from __future__ import annotations

import numpy as np

from digital_twin.world.cell_scene import TABLE_HEIGHT_IN_BASE_M
from digital_twin.world.robot_cell import START_Q
from grasp_policy.scene.tsdf import Volume
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from robot_runner.guard import GuardLimits, check_joints
from wildgrasp.geometry import inverse, pose, so3_exp
from wildgrasp.rig import T_TOOL_FINGERTIP

# In the robot's base: the volume that is fused, most of it above the table, and where the fingertips may go.
WORKSPACE_VOLUME = Volume.around((0.5, 0.0, TABLE_HEIGHT_IN_BASE_M + 0.25), (0.8, 0.8, 0.6))
WORKSPACE_LOWER = (0.15, -0.40, TABLE_HEIGHT_IN_BASE_M - 0.01)
WORKSPACE_UPPER = (0.85, 0.40, 0.40)


def guard_limits() -> GuardLimits:
    """The product's default guard with this cell's table and workspace."""
    return GuardLimits(
        workspace_lower=WORKSPACE_LOWER,
        workspace_upper=WORKSPACE_UPPER,
        table_height_m=TABLE_HEIGHT_IN_BASE_M,
    )


def start_joints(rng: np.random.Generator, shift_m: float, turn_rad: float) -> tuple[float, ...]:
    """Joint angles [6] of a start pose that the guard accepts: ``START_Q`` shifted and turned at random."""
    T_base_fingertip = forward(UR5, np.array(START_Q)) @ T_TOOL_FINGERTIP
    limits = guard_limits()
    for _ in range(50):
        T_shift = pose(so3_exp(rng.uniform(-turn_rad, turn_rad, 3)), rng.uniform(-shift_m, shift_m, 3))
        q, reached = inverse_near(UR5, T_base_fingertip @ T_shift @ inverse(T_TOOL_FINGERTIP), np.array(START_Q))
        if reached and check_joints(q, q, limits).kind != "refuse":
            return tuple(float(v) for v in q)
    return START_Q
