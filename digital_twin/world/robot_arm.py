"""The UR5 as a MuJoCo model: its DH table, the link masses of the data sheet, plain shapes, torque-limited servos.

Frames. Body ``link_i`` is the DH frame i-1 turned by joint i, so every joint is a hinge about its body's own z axis;
the site ``flange`` is the DH frame 6: exactly the pose that a controller reports for its tool flange.

Servos. A real UR follows a streamed joint target with a lag of a few milliseconds. A position actuator alone would lag
by kv / kp (37 ms at these gains), so the servo is given the target's velocity too: ``JointServo.position_command``.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from digital_twin.world.gripper_model import GRIPPER_GROUP
from robot_runner.arm.kinematics import UR5, ArmModel

LINK_MASS_KG = (3.7, 8.393, 2.33, 1.219, 1.219, 0.1879)  # Universal Robots, "DH parameters for calculations": UR5
MAX_TORQUE_NM = (150.0, 150.0, 150.0, 28.0, 28.0, 28.0)

LINK_COLOR = (0.72, 0.74, 0.76, 1.0)
JOINT_COLOR = (0.25, 0.45, 0.62, 1.0)

# The arm touches what has contype bit 0 (table, objects), never itself: self-collision is the guard's to refuse.
ARM_GEOM = {"contype": 2, "conaffinity": 1, "group": GRIPPER_GROUP}


@dataclass(frozen=True)
class JointServo:
    """Gains of the joint servos: natural frequencies of 70–100 rad/s, slightly overdamped, with the links of a UR5."""

    kp: tuple[float, ...] = (16000.0, 16000.0, 9000.0, 1600.0, 1600.0, 900.0)  # N·m/rad
    kv: tuple[float, ...] = (600.0, 600.0, 320.0, 40.0, 40.0, 20.0)  # N·m·s/rad
    armature: tuple[float, ...] = (1.0, 1.0, 0.6, 0.15, 0.15, 0.1)  # kg·m²: rotors behind 101:1 gears

    def position_command(self, q: NDArray[np.float64], qd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actuator command that tracks q [6] rad moving at qd [6] rad/s without the lag of the damping."""
        return q + np.divide(self.kv, self.kp) * qd


def build_arm(model: ArmModel = UR5, servo: JointServo | None = None) -> mujoco.MjSpec:
    """The arm alone, its base at the origin: bodies ``link_1`` … ``link_6``, site ``flange``, actuators ``joint_1`` ….

    Attach it to a site of the world with ``spec.attach``, and a gripper to its site ``flange``.
    """
    servo = servo or JointServo()
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    base = spec.worldbody.add_body(name="base")
    _cylinder(base, [0, 0, 0.0], [0, 0, 0.06], 0.075, LINK_COLOR)
    body = base
    position, rotation = np.zeros(3), np.array([1.0, 0, 0, 0])
    for i in range(6):
        body = body.add_body(name=f"link_{i + 1}", pos=position, quat=rotation, gravcomp=1.0)
        body.add_joint(name=f"joint_{i + 1}", axis=[0, 0, 1], range=[-2 * np.pi, 2 * np.pi], armature=servo.armature[i])
        body.explicitinertial = True
        position, rotation = _to_next_joint(model, i)
        _set_inertia(body, LINK_MASS_KG[i], position)
        _draw_link(body, model, i)
        _add_servo(spec, i, servo)
    body.add_site(name="flange", pos=position, quat=rotation, size=[0.005, 0.005, 0.005], group=4)
    return spec


def _to_next_joint(model: ArmModel, i: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fixed part of DH row i after its rotation: Tz(d) Tx(a) Rx(alpha), as position [3] and quaternion wxyz [4]."""
    half = model.alpha[i] / 2
    return np.array([model.a[i], 0, model.d[i]]), np.array([np.cos(half), np.sin(half), 0, 0])


def _set_inertia(body: mujoco.MjsBody, mass: float, axis: NDArray[np.float64], radius: float = 0.055) -> None:
    """Inertia of a solid cylinder from the joint to the next joint (the gear's rotor is the joint's armature)."""
    length = max(float(np.linalg.norm(axis)), 0.08)
    along, across = 0.5 * mass * radius**2, mass * (3 * radius**2 + length**2) / 12
    body.mass = mass
    body.ipos = axis / 2
    principal = np.abs(axis) / length > 0.7  # the axis of the cylinder: x for the two long links, z otherwise
    body.inertia = np.where(principal, along, across) if principal.any() else np.full(3, across)


def _draw_link(body: mujoco.MjsBody, model: ArmModel, i: int) -> None:
    """Joint housing along the joint's axis, then the tube to the next joint.

    The two long links stand beside the axis as the real ones do: shoulder offset 0.136 m, elbow offset -0.120 m
    (URDF of ros-industrial/universal_robot).
    """
    if i == 0:
        _cylinder(body, [0, 0, model.d[0] - 0.06], [0, 0, model.d[0] + 0.06], 0.06, JOINT_COLOR)
    elif i == 1:
        _cylinder(body, [0, 0, 0.06], [0, 0, 0.20], 0.06, JOINT_COLOR)
        _capsule(body, [0, 0, 0.136], [model.a[1], 0, 0.136], 0.055, LINK_COLOR)
    elif i == 2:
        _cylinder(body, [0, 0, -0.04], [0, 0, 0.09], 0.05, JOINT_COLOR)
        _capsule(body, [0, 0, 0.017], [model.a[2], 0, 0.017], 0.045, LINK_COLOR)
    elif i in (3, 4):
        _cylinder(body, [0, 0, model.d[i] - 0.055], [0, 0, model.d[i] + 0.045], 0.04, JOINT_COLOR)
        _cylinder(body, [0, 0, 0.03], [0, 0, model.d[i]], 0.038, LINK_COLOR)
    else:
        _cylinder(body, [0, 0, model.d[5] - 0.03], [0, 0, model.d[5]], 0.0375, LINK_COLOR)


def _add_servo(spec: mujoco.MjSpec, i: int, servo: JointServo) -> None:
    actuator = spec.add_actuator(
        name=f"joint_{i + 1}",
        target=f"joint_{i + 1}",
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        forcerange=[-MAX_TORQUE_NM[i], MAX_TORQUE_NM[i]],
    )
    actuator.forcelimited = True
    actuator.gainprm[0] = servo.kp[i]
    actuator.biasprm[1], actuator.biasprm[2] = -servo.kp[i], -servo.kv[i]


def _capsule(body: mujoco.MjsBody, start: list[float], end: list[float], radius: float, rgba: tuple) -> None:
    _stretched(body, mujoco.mjtGeom.mjGEOM_CAPSULE, start, end, radius, rgba)


def _cylinder(body: mujoco.MjsBody, start: list[float], end: list[float], radius: float, rgba: tuple) -> None:
    _stretched(body, mujoco.mjtGeom.mjGEOM_CYLINDER, start, end, radius, rgba)


def _stretched(
    body: mujoco.MjsBody, kind: int, start: list[float], end: list[float], radius: float, rgba: tuple
) -> None:
    geom = body.add_geom(type=kind, fromto=[*start, *end], size=[radius, 0, 0], rgba=rgba, **ARM_GEOM)
    geom.mass = 0.0  # the body's inertia is explicit
