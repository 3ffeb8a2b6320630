"""Where the simulated robot may go in each scene: what is fused, the guard, and the start pose of an episode."""

from __future__ import annotations

import numpy as np

from digital_twin.world.cell_piles import SceneName
from digital_twin.world.cell_scene import TABLE_HEIGHT_IN_BASE_M
from digital_twin.world.cell_wall import WALL_IN_BASE_M
from digital_twin.world.robot_cell import START_Q
from grasp_policy.scene.tsdf import Volume
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from robot_runner.guard import GuardLimits, KeepOutBox, check_joints
from wildgrasp.geometry import inverse, pose, so3_exp
from wildgrasp.rig import T_TOOL_FINGERTIP

# In the robot's base: the volume that is fused, most of it above the table, and where the fingertips may go.
WORKSPACE_VOLUME = Volume.around((0.5, 0.0, TABLE_HEIGHT_IN_BASE_M + 0.25), (0.8, 0.8, 0.6))
WORKSPACE_LOWER = (0.15, -0.40, TABLE_HEIGHT_IN_BASE_M - 0.01)
WORKSPACE_UPPER = (0.85, 0.40, 0.40)

# The same in front of the wall; a little of what is behind its surface, so that the surface itself is fused.
WALL_VOLUME = Volume.around((WALL_IN_BASE_M - 0.25, 0.0, 0.12), (0.6, 0.8, 0.8))
WALL_LOWER = (0.25, -0.35, -0.15)
WALL_UPPER = (WALL_IN_BASE_M, 0.35, 0.45)
_WALL = KeepOutBox((WALL_IN_BASE_M - 0.001, -1.0, -1.0), (WALL_IN_BASE_M + 0.5, 1.0, 1.5), "wall")
# Fingers pointing at the wall, half a metre from it; elbow up, the camera above.
WALL_START_Q = (2.520, -2.060, 2.510, -0.440, 0.950, -np.pi)


def scene_volume(scene: SceneName) -> Volume:
    """What a policy fuses, in the robot's base."""
    return WALL_VOLUME if scene == "wall" else WORKSPACE_VOLUME


def guard_limits(scene: SceneName = "tabletop") -> GuardLimits:
    """The product's default guard with this cell's table, wall and workspace."""
    if scene == "wall":
        return GuardLimits(
            workspace_lower=WALL_LOWER,
            workspace_upper=WALL_UPPER,
            table_height_m=TABLE_HEIGHT_IN_BASE_M,
            keep_out=(_WALL,),
            keep_out_clearance_m=0.004,  # flat: what is straight between two poses in front of it stays in front of it
        )
    return GuardLimits(
        workspace_lower=WORKSPACE_LOWER,
        workspace_upper=WORKSPACE_UPPER,
        table_height_m=TABLE_HEIGHT_IN_BASE_M,
    )


def start_joints(
    rng: np.random.Generator, shift_m: float, turn_rad: float, scene: SceneName = "tabletop"
) -> tuple[float, ...]:
    """Joint angles [6] of a start pose that the guard accepts: the scene's own, shifted and turned at random."""
    start_q = WALL_START_Q if scene == "wall" else START_Q
    T_base_fingertip = forward(UR5, np.array(start_q)) @ T_TOOL_FINGERTIP
    limits = guard_limits(scene)
    for _ in range(50):
        T_shift = pose(so3_exp(rng.uniform(-turn_rad, turn_rad, 3)), rng.uniform(-shift_m, shift_m, 3))
        q, reached = inverse_near(UR5, T_base_fingertip @ T_shift @ inverse(T_TOOL_FINGERTIP), np.array(start_q))
        if reached and check_joints(q, q, limits).kind != "refuse":
            return tuple(float(v) for v in q)
    return start_q
