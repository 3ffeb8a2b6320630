"""The robot cell: UR5, RG2 and wrist camera over a table with objects, in MuJoCo. Pure physics, no notion of real time.

Contact and friction alone hold an object; nothing is ever attached or teleported, except that
:meth:`RobotCell.remove_object` takes away what an operator would take away.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np

from digital_twin.world import gripper_model
from digital_twin.world.cell_piles import CellScene, PileSettings, SceneName, build_cell_scene
from digital_twin.world.cell_reality import Reality, change_objects
from digital_twin.world.cell_scene import ARM, GRIPPER, T_WORLD_BASE, add_robot
from digital_twin.world.cell_sheet import Sheet
from digital_twin.world.cell_truth import LiftJudge
from digital_twin.world.cell_wall import Hooks, wall_geoms
from digital_twin.world.gripper_model import GripperModelConfig
from digital_twin.world.robot_arm import JointServo
from digital_twin.world.robot_fingers import FingerDrive, FingerSettings, FingerState
from digital_twin.world.scene import TIMESTEP_S, settle
from wildgrasp import rig
from wildgrasp.geometry import Array, inverse, pose

PREFIX = ARM + GRIPPER
CAMERA_NAME = PREFIX + gripper_model.CAMERA_NAME
# Fingers pointing down, 0.45 m above the middle of the workspace; elbow up, the camera on the side away from the base.
START_Q = (2.922, -1.560, 1.693, -1.703, -1.571, -0.220)
_ASIDE_Q = (START_Q[0] - np.pi / 2, *START_Q[1:])  # out of the way while objects fall
_FAR_AWAY_M = 20.0


@dataclass(frozen=True)
class CellSettings:
    """One robot cell. ``seed`` decides objects, surfaces, light and how they fall."""

    seed: int = 0
    scene: SceneName = "tabletop"
    pile: PileSettings = field(default_factory=PileSettings)
    reality: Reality = field(default_factory=Reality)
    start_q: tuple[float, ...] = START_Q


class RobotCell:
    """A compiled cell. :meth:`step` lets time pass; everything else reads or commands."""

    def __init__(self, settings: CellSettings | None = None, scene: CellScene | None = None) -> None:
        """``scene`` replaces the pile of the settings by any other scene that is still open."""
        self.settings = settings or CellSettings()
        rng = np.random.default_rng(self.settings.seed)
        scene = scene or build_cell_scene(self.settings.scene, rng, self.settings.pile)
        gripper = replace(GripperModelConfig(), pad_friction=self.settings.reality.pad_friction)
        self.T_fingertip_camera = rig.NOMINAL_T_FINGERTIP_CAMERA @ self.settings.reality.T_nominal_camera
        add_robot(scene.spec, gripper, self.T_fingertip_camera)
        # Objects at rest sleep until something touches them: a third of the cost while the arm is in the air.
        scene.spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
        for name in scene.kinds:  # their masses move below, which MuJoCo's short cut for lone bodies does not allow
            scene.spec.body(name).simple = 0
        self.model = scene.spec.compile()
        self.data = mujoco.MjData(self.model)
        self.object_kinds = scene.kinds
        self._find_addresses()
        change_objects(self.model, self.object_bodies.values(), self.settings.reality, rng)
        self._hooks, self.sheet = Hooks(self.model), Sheet(self.model)
        self.place_robot(_ASIDE_Q)
        settle(self.model, self.data, tuple(scene.kinds))
        self._settled = self.data.qpos.copy()
        self.reset()

    def reset(self) -> None:
        """Back to where everything had come to rest, the arm at its start pose, the fingers open."""
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self._settled
        self.sheet.reset()
        self.place_robot(self.settings.start_q)
        self.judge.reset()
        self.judge.watch(self.data)

    def reset_objects(self) -> None:
        """Objects back to where they had come to rest; the robot stays as it is."""
        for name in self.object_kinds:
            joint = self.model.joint(name)
            start, dof = joint.qposadr[0], joint.dofadr[0]
            self.data.qpos[start : start + 7] = self._settled[start : start + 7]
            self.data.qvel[dof : dof + 6] = 0.0
        self._hooks.reset(self.data)
        mujoco.mj_forward(self.model, self.data)
        self.judge.reset()
        self.judge.watch(self.data)

    def place_robot(self, q: Sequence[float] | Array) -> None:
        """Put the arm at joint angles [6], still and open, without letting time pass: for resets and for planning."""
        q = np.array(q, dtype=np.float64)
        self.data.qpos[self._arm_qpos] = q
        self.data.qpos[self._finger_qpos] = rig.MAX_OPENING_M / 2
        self.data.qvel[self._arm_dof] = 0.0
        self.data.qvel[self._finger_dof] = 0.0
        self.data.ctrl[self._arm_ctrl] = q
        self.data.ctrl[self._grip] = rig.MAX_OPENING_M
        self._q_target = q
        self.fingers = FingerDrive(FingerSettings())
        self._limit_grip_force()
        mujoco.mj_forward(self.model, self.data)

    @contextmanager
    def imagined(self) -> Iterator[None]:
        """Whatever happens to the cell inside has not happened afterwards: for trying things out."""
        names = ("data", "fingers", "sheet", "judge", "_q_target")
        real = {name: getattr(self, name) for name in names}
        try:
            for name in names:
                setattr(self, name, copy.copy(real[name]))
            yield
        finally:
            for name in names:
                setattr(self, name, real[name])
            self._limit_grip_force()

    # --- time passes ---

    def step(self, q_target: Array, dt: float) -> tuple[Array, Array]:
        """Let dt seconds (a multiple of 2 ms) pass while the servos follow q_target [6] rad; returns q [6], qd [6]."""
        q_target = np.asarray(q_target, dtype=np.float64)
        substeps = round(dt / TIMESTEP_S)
        target_speed = (q_target - self._q_target) / dt
        for k in range(substeps):
            q = self._q_target + (q_target - self._q_target) * (k + 1) / substeps
            self.data.ctrl[self._arm_ctrl] = self._servo.position_command(q, target_speed)
            self._drive_fingers(TIMESTEP_S)
            self.sheet.drive(self.data, TIMESTEP_S)
            mujoco.mj_step(self.model, self.data)
            self._hooks.watch(self.data)
        self._q_target = q_target.copy()
        self.judge.watch(self.data)
        return self.q, self.qd

    def command_fingers(self, width_m: float, force_n: float) -> None:
        """Start moving the fingers towards a width with at most a force; see :class:`FingerDrive`."""
        self.fingers.command(width_m, force_n * self.settings.reality.force_scale)
        self._limit_grip_force()

    # --- readings ---

    @property
    def time_s(self) -> float:
        return float(self.data.time)

    @property
    def q(self) -> Array:
        """Joint angles [6] in rad."""
        return self.data.qpos[self._arm_qpos].copy()

    @property
    def qd(self) -> Array:
        """Joint speeds [6] in rad/s."""
        return self.data.qvel[self._arm_dof].copy()

    def finger_state(self) -> FingerState:
        return self.fingers.state

    # --- truth, which no product code sees ---

    def T_base_fingertip(self) -> Array:
        """Where the fingertips really are, [4, 4] in the robot's base."""
        return inverse(T_WORLD_BASE) @ self._body_pose(self._gripper_body)

    def T_base_camera(self) -> Array:
        """Where the camera really is, [4, 4] in the robot's base, optical convention."""
        return inverse(T_WORLD_BASE) @ gripper_model.camera_pose(self.data, CAMERA_NAME)

    def objects(self) -> dict[str, Array]:
        """T_base_object [4, 4] of the objects that are on or above the table."""
        T_base_world = inverse(T_WORLD_BASE)
        return {
            name: T_base_world @ self._body_pose(body)
            for name, body in self.object_bodies.items()
            if -0.05 < self.data.xpos[body, 2] < 2.0 and abs(self.data.xpos[body, 0]) < _FAR_AWAY_M / 2
        }

    def object_speed(self, name: str) -> float:
        """Of the object's origin, m/s."""
        dof = self.model.joint(name).dofadr[0]
        return float(np.linalg.norm(self.data.qvel[dof : dof + 3]))

    def lifted_objects(self) -> list[str]:
        """Objects that hang between the pads; see :class:`LiftJudge`."""
        return self.judge.lifted(self.data)

    def grips_fixed(self) -> bool:
        """Whether the pads press against something that stands fixed; see :class:`LiftJudge`."""
        return self.judge.grips_fixed(self.data)

    def nearest_object(self) -> str | None:
        """The object whose centre is nearest to the fingertips; None when none is left."""
        tip = self.data.xpos[self._gripper_body]
        names = list(self.objects())
        if not names:
            return None
        return min(names, key=lambda n: float(np.linalg.norm(self.data.xipos[self.object_bodies[n]] - tip)))

    def remove_object(self, name: str) -> None:
        """Take an object out of the cell, as an operator would; it comes back with :meth:`reset`."""
        self._hooks.release(self.data, name)
        joint = self.model.joint(name)
        start, dof = joint.qposadr[0], joint.dofadr[0]
        self.data.qpos[start : start + 3] = [_FAR_AWAY_M, _FAR_AWAY_M + start, 0.5]
        self.data.qvel[dof : dof + 6] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def robot_touches(self) -> bool:
        """Whether any part of the robot touches anything at present."""
        robot = self._robot_geoms
        a, b = self.data.contact.geom[: self.data.ncon].T
        return bool((robot[a] != robot[b]).any())

    # --- how ---

    def _find_addresses(self) -> None:
        model = self.model
        self._arm_qpos = np.array([model.joint(f"{ARM}joint_{i + 1}").qposadr[0] for i in range(6)])
        self._arm_dof = np.array([model.joint(f"{ARM}joint_{i + 1}").dofadr[0] for i in range(6)])
        self._arm_ctrl = np.array([model.actuator(f"{ARM}joint_{i + 1}").id for i in range(6)])
        fingers = [model.joint(PREFIX + name) for name in gripper_model.FINGER_JOINTS]
        self._finger_qpos = np.array([joint.qposadr[0] for joint in fingers])
        self._finger_dof = np.array([joint.dofadr[0] for joint in fingers])
        self._grip = model.actuator(PREFIX + gripper_model.ACTUATOR).id
        self._gripper_body = model.body(PREFIX + gripper_model.ROOT).id
        self.object_bodies = {name: model.body(name).id for name in self.object_kinds}
        gripper_bodies = {self._gripper_body} | {model.body(PREFIX + name).id for name in gripper_model.FINGER_JOINTS}
        pads = (model.geom(PREFIX + "left_pad").id, model.geom(PREFIX + "right_pad").id)
        self.judge = LiftJudge(model, self.object_bodies, pads, gripper_bodies, wall_geoms(model))
        self._servo = JointServo()
        self._robot_geoms = model.body_rootid[model.geom_bodyid] == model.body_rootid[self._gripper_body]

    def _limit_grip_force(self) -> None:
        self.model.actuator_forcerange[self._grip] = [-self.fingers.force_n, self.fingers.force_n]

    def _drive_fingers(self, dt: float) -> None:
        width = float(self.data.qpos[self._finger_qpos].sum())
        self.data.ctrl[self._grip] = self.fingers.step(width, dt)

    def _body_pose(self, body: int) -> Array:
        return pose(self.data.xmat[body].reshape(3, 3), self.data.xpos[body])
