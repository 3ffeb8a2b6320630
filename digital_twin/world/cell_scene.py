"""The robot in its cell: a UR5 with an RG2 and a wrist camera on a pedestal at the edge of the table.

Frame ``world``: origin on the table top in the middle of the robot's workspace, z up, the robot's base at negative x.
"""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world.gripper_model import GRIPPER_GROUP, GripperModelConfig, gripper_spec
from digital_twin.world.objects import quaternion
from digital_twin.world.robot_arm import build_arm
from wildgrasp import rig
from wildgrasp.geometry import Array, pose

# The base stands 0.3 m above the table: from there the fingertips reach every point of the workspace pointing down,
# most of it tilted by 45°, and the start pose half a metre above it. A base at table height reaches neither.
TABLE_HEIGHT_IN_BASE_M = -0.3
T_WORLD_BASE = pose(t=np.array([-0.5, 0.0, -TABLE_HEIGHT_IN_BASE_M]))
GRIPPER = "rg2/"  # prefix of the gripper's names
ARM = "ur5/"  # prefix of the arm's names


def add_robot(spec: mujoco.MjSpec, gripper: GripperModelConfig, T_fingertip_camera: Array) -> None:
    """Put a UR5 with an RG2 and a wrist camera on a pedestal. Names get the prefixes ``ARM`` and ``GRIPPER``."""
    base = T_WORLD_BASE[:3, 3]
    spec.worldbody.add_geom(
        name="pedestal",
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        fromto=[base[0], base[1], 0.0, *base],
        size=[0.07, 0, 0],
        rgba=[0.3, 0.3, 0.32, 1],
    )
    arm = build_arm()
    flange = arm.site("flange")
    T_link_fingertip = pose(t=flange.pos) @ rig.T_TOOL_FINGERTIP  # a UR's last DH row does not turn
    link = arm.body("link_6")
    _add_mount(link, flange.pos, T_link_fingertip)
    fingertip = link.add_site(name="fingertip", pos=T_link_fingertip[:3, 3], quat=quaternion(T_link_fingertip), group=4)
    arm.attach(gripper_spec(gripper, T_fingertip_camera), prefix=GRIPPER, site=fingertip)
    spec.attach(arm, prefix=ARM, site=spec.worldbody.add_site(name="robot_base", pos=base))


def _add_mount(link: mujoco.MjsBody, flange: Array, T_link_fingertip: Array) -> None:
    """The adapter between flange and gripper; weightless, its mass is part of the gripper's."""
    palm = rig.gripper_boxes(0.0)["palm"]
    top = T_link_fingertip[:3, :3] @ (palm.center - [0, 0, palm.half[2]]) + T_link_fingertip[:3, 3]
    mount = link.add_geom(type=mujoco.mjtGeom.mjGEOM_CYLINDER, fromto=[*flange, *top], size=[0.03, 0, 0])
    mount.mass, mount.contype, mount.conaffinity = 0.0, 0, 0
    mount.rgba, mount.group = [0.16, 0.17, 0.19, 1], GRIPPER_GROUP
