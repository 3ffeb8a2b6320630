"""The gripper as a MuJoCo model: the same shape for the handheld device and for the robot's RG2 (``wildgrasp.rig``).

The model's root body ``gripper`` is in the fingertip frame: origin midway between the pad ends, x closing, z approach.
Two fingers slide along x, coupled; one actuator pulls on the sum of their displacements, which is the opening in
metres. Its force is the grip force. Contact and friction alone hold what is between the pads.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from digital_twin.world.objects import quaternion
from wildgrasp import rig
from wildgrasp.geometry import Array, PinholeCamera, pose

CAMERA = PinholeCamera.from_hfov(640, 480, np.deg2rad(65.0))  # a D415's colour camera at 640 × 480
GRIPPER_GROUP = 2  # geom group of the gripper
ROOT, CAMERA_NAME, ACTUATOR, TENDON = "gripper", "d415", "grip", "opening"
FINGER_JOINTS = ("left_finger", "right_finger")

# MuJoCo cameras look along -z with y up; optical frames look along +z with y down.
T_OPTICAL_GL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class GripperModelConfig:
    """What the fingers are like."""

    pad_friction: float = 0.9
    force_n: float = 25.0  # limit of the actuator
    stiffness_n_m: float = 2000.0  # of pads and linkage: force over commanded minus actual opening
    damping_n_s_m: float = 60.0
    mass_kg: float = 1.0  # without fingers


def gripper_spec(
    config: GripperModelConfig | None = None, T_fingertip_camera: Array = rig.NOMINAL_T_FINGERTIP_CAMERA
) -> mujoco.MjSpec:
    """The gripper with its wrist camera, to be attached to a flange or to a free body.

    After attaching with prefix ``p`` there are: body ``p + ROOT``, camera ``p + CAMERA_NAME`` (``CAMERA``'s
    intrinsics), joints ``p + FINGER_JOINTS[i]`` (each from 0 to half the stroke), actuator ``p + ACTUATOR``. Command
    the actuator with the opening in metres; the force is ``stiffness_n_m`` times the difference, up to ``force_n``, so
    a command below the object's width squeezes.
    """
    config = config or GripperModelConfig()
    spec = mujoco.MjSpec()
    root = spec.worldbody.add_body(name=ROOT, gravcomp=1.0)
    boxes = rig.gripper_boxes(0.0)
    _add_box(root, "palm", boxes["palm"], mass=config.mass_kg, rgba=(0.16, 0.17, 0.19, 1))
    for joint, side, sign in zip(FINGER_JOINTS, ("left", "right"), (1.0, -1.0), strict=True):
        finger = root.add_body(name=joint, gravcomp=1.0)
        finger.add_joint(
            name=joint,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[sign, 0, 0],
            limited=mujoco.mjtLimited.mjLIMITED_TRUE,
            range=[0, rig.MAX_OPENING_M / 2],
            damping=_polynomial(5.0),
            armature=0.05,
        )
        pad = _add_box(finger, f"{side}_pad", boxes[f"{side}_pad"], mass=0.06, rgba=(0.07, 0.07, 0.08, 1))
        _make_grippy(pad, config.pad_friction)
        _add_box(finger, f"{side}_link", boxes[f"{side}_link"], mass=0.05, rgba=(0.75, 0.76, 0.78, 1))
    _couple_fingers(spec)
    _add_actuator(spec, config)
    _add_camera(root, T_fingertip_camera)
    return spec


def opening(data: mujoco.MjData, prefix: str = "") -> float:
    """Distance between the pads in metres."""
    return float(sum(data.joint(prefix + joint).qpos[0] for joint in FINGER_JOINTS))


def camera_pose(data: mujoco.MjData, name: str) -> Array:
    """T_world_camera [4, 4] of a camera, in the optical convention (x right, y down, z forward)."""
    camera = data.cam(name)
    return pose(camera.xmat.reshape(3, 3), camera.xpos) @ T_OPTICAL_GL


def _add_box(
    body: mujoco.MjsBody, name: str, box: rig.Box, mass: float, rgba: tuple[float, float, float, float]
) -> mujoco.MjsGeom:
    return body.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=box.center,
        size=box.half,
        mass=mass,
        rgba=rgba,
        group=GRIPPER_GROUP,
    )


def _make_grippy(pad: mujoco.MjsGeom, friction: float) -> None:
    pad.priority = 1  # the pads' settings win over the object's
    pad.condim = 4
    pad.friction = [friction, 0.01, 0.001]
    pad.solref = [0.004, 1.0]
    pad.solimp = [0.95, 0.99, 0.001, 0.5, 2.0]


def _couple_fingers(spec: mujoco.MjSpec) -> None:
    """One rack and pinion drives both fingers: they are always equally far from the middle."""
    equality = spec.add_equality(name="coupling", type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT)
    equality.name1, equality.name2 = FINGER_JOINTS
    equality.data[:5] = [0, 1, 0, 0, 0]
    equality.solref = [0.004, 1.0]
    for joint in FINGER_JOINTS:
        spec.add_exclude(bodyname1=ROOT, bodyname2=joint)


def _add_actuator(spec: mujoco.MjSpec, config: GripperModelConfig) -> None:
    tendon = spec.add_tendon(name=TENDON)
    for joint in FINGER_JOINTS:
        tendon.wrap_joint(joint, 1.0)
    actuator = spec.add_actuator(name=ACTUATOR, target=TENDON, trntype=mujoco.mjtTrn.mjTRN_TENDON)
    actuator.set_to_position(kp=config.stiffness_n_m, kv=config.damping_n_s_m)
    actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
    actuator.forcerange = [-config.force_n, config.force_n]


def _add_camera(root: mujoco.MjsBody, T_fingertip_camera: Array) -> None:
    T = T_fingertip_camera @ T_OPTICAL_GL
    fovy = 2 * np.rad2deg(np.arctan(CAMERA.height / 2 / CAMERA.fy))
    root.add_camera(name=CAMERA_NAME, pos=T[:3, 3], quat=quaternion(T), fovy=fovy)


def _polynomial(linear: float) -> Array:
    """Damping as MuJoCo stores it: coefficients of a polynomial in the speed."""
    return np.array([linear, 0.0, 0.0])
