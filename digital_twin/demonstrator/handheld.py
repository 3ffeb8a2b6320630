"""The handheld gripper at home: a hand that goes where a person moves it, fingers that a servo moves.

The hand is a free body, pulled by a weld to where the person wants it. The servo's gear train turns a rack that pulls
the fingers through the compliance of pads and linkage. Objects are held by contact and friction alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import mujoco
import numpy as np

from capture_app.gripper.stops import ServoStops
from digital_twin.avr.plant import PlantState, servo_torque
from digital_twin.world.cell_things import Thing
from digital_twin.world.cell_wall import Hooks
from digital_twin.world.gripper_model import (
    ACTUATOR,
    CAMERA_NAME,
    FINGER_JOINTS,
    ROOT,
    TENDON,
    GripperModelConfig,
    camera_pose,
    gripper_spec,
)
from digital_twin.world.homes import HomeName, HomeSettings
from digital_twin.world.objects import Family, quaternion
from digital_twin.world.scene import TIMESTEP_S, build_scene, object_poses, settle
from digital_twin.world.workplace import Workplace
from wildgrasp import rig
from wildgrasp.geometry import Array, pose

HAND, WISH, PREFIX = "hand", "wish", "hand/"
CAMERA = PREFIX + CAMERA_NAME
GRIPPER = PREFIX + ROOT
STEP_NS = round(TIMESTEP_S * 1e9)
PAUSE_NS = 1_000_000_000  # a longer gap between two updates: the device was off, and the world did not wait for it


@dataclass(frozen=True)
class HandheldConfig:
    """The scene, and the device in it. ``stops``: servo positions at the fingers' mechanical ends."""

    n_objects: int = 6
    family: Family = "train"
    home: HomeName = "table"
    settings: HomeSettings = field(default_factory=HomeSettings)
    meshes: Path | None = None  # a folder whose objects replace the family
    mesh_scale: float = 1.0  # metres per unit of the meshes
    stops: ServoStops = field(default_factory=ServoStops)
    friction_torque: float = 0.05  # fraction of stall torque that the gear train eats
    gripper: GripperModelConfig = field(default_factory=GripperModelConfig)


@dataclass(frozen=True)
class HandheldScene:
    """A compiled scene; building it again from the same seed and configuration gives the same model."""

    model: mujoco.MjModel
    objects: tuple[Thing, ...]
    object_names: tuple[str, ...]
    workplace: Workplace


def state_size(config: HandheldConfig) -> int:
    """Length of ``qpos``: a free body per object, the hand, and two fingers."""
    return 7 * (config.n_objects + 1) + 2


def build_handheld_scene(seed: int, config: HandheldConfig) -> HandheldScene:
    """A place at home with the handheld gripper, parked."""
    scene = build_scene(
        seed, config.n_objects, config.family, config.home, config.settings, config.meshes, config.mesh_scale
    )
    spec = scene.spec
    spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP  # what lies still costs nothing until it is touched
    quality = spec.visual.quality  # rounder than this is not seen at 640 × 480, and costs a sixth of a picture
    quality.numquads, quality.numslices, quality.numstacks = 1, 20, 8
    T_parked = scene.workplace.T_parked
    place = {"pos": T_parked[:3, 3], "quat": quaternion(T_parked)}
    spec.worldbody.add_body(name=WISH, mocap=True, **place)
    hand = spec.worldbody.add_body(name=HAND, gravcomp=1.0, **place)
    hand.add_freejoint(name=HAND)
    spec.attach(gripper_spec(config.gripper), prefix=PREFIX, frame=hand.add_frame())
    arm = spec.add_equality(name="arm", type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY)
    arm.name1, arm.name2 = WISH, HAND
    arm.data[10] = 1.0  # torque scale
    arm.solref, arm.solimp = [0.004, 1.0], [0.95, 0.99, 0.001, 0.5, 2.0]
    return HandheldScene(spec.compile(), scene.objects, scene.object_names, scene.workplace)


class HandheldWorld:
    """The simulated world behind the gripper's servo (a ``ServoPlant``) and camera.

    Time is the servo's: every :meth:`update` advances the physics in steps of 2 ms up to its time.
    """

    def __init__(self, seed: int, config: HandheldConfig | None = None) -> None:
        self.config = config or HandheldConfig()
        scene = build_handheld_scene(seed, self.config)
        self.model, self.objects, self.object_names = scene.model, scene.objects, scene.object_names
        self.workplace = scene.workplace
        self.data = mujoco.MjData(self.model)
        self.hooks = Hooks(self.model)
        self._actuator = self.model.actuator(PREFIX + ACTUATOR).id
        self._fingers = [self.model.joint(PREFIX + name).qposadr[0] for name in FINGER_JOINTS]
        self._tendon = self.model.tendon(PREFIX + TENDON).id
        self._rack_m = rig.MAX_OPENING_M  # the opening that the gear train's position stands for
        self._t_ns: int | None = None
        place_hand(self.model, self.data, self.workplace.T_parked, rig.MAX_OPENING_M)
        settle(self.model, self.data, self.object_names)

    # --- the hand ---

    def command_hand(self, T_world_fingertip: Array) -> None:
        """Where the person wants the fingertips from now on, [4, 4]."""
        self.data.mocap_pos[0] = T_world_fingertip[:3, 3]
        mujoco.mju_mat2Quat(self.data.mocap_quat[0], np.ascontiguousarray(T_world_fingertip[:3, :3]).ravel())

    # --- the servo ---

    def update(
        self, t_ns: int, goal_ticks: float, speed_ticks_s: float, torque_fraction: float, enabled: bool
    ) -> PlantState:
        """Advance to ``t_ns`` under the servo's commands; see ``digital_twin.avr.plant.ServoPlant``."""
        if self._t_ns is None or t_ns - self._t_ns > PAUSE_NS:
            self._t_ns = t_ns
        torque = 0.0
        while t_ns - self._t_ns >= STEP_NS:
            torque = self._torque(goal_ticks, torque_fraction, enabled)
            self._turn_rack(torque, goal_ticks, speed_ticks_s)
            self.data.ctrl[self._actuator] = self._rack_m
            mujoco.mj_step(self.model, self.data)
            self.hooks.watch(self.data)
            self._t_ns += STEP_NS
        torque = self._torque(goal_ticks, torque_fraction, enabled)
        return PlantState(self._ticks(self.opening), self._ticks_per_m * self.opening_speed, self._load(torque))

    def _torque(self, goal_ticks: float, torque_fraction: float, enabled: bool) -> float:
        return servo_torque(goal_ticks, self._ticks(self.opening), torque_fraction) if enabled else 0.0

    def _turn_rack(self, torque: float, goal_ticks: float, speed_ticks_s: float) -> None:
        """Move the rack towards the goal as far as speed and torque allow in one step.

        The gear train (254 : 1) is not driven back by the fingers: without torque the rack stays, and so does the grip
        force.
        """
        if abs(torque) <= self.config.friction_torque:
            return
        gripper = self.config.gripper
        opens = torque * self._ticks_per_m > 0
        step = speed_ticks_s / abs(self._ticks_per_m) * TIMESTEP_S
        reach = abs(torque) * gripper.force_n / gripper.stiffness_n_m  # compliance taken up at that torque
        if opens:
            free = max(self._rack_m, self.opening)  # first the grip's tension goes
            self._rack_m = min(free + step, self.opening + reach, max(self._opening_m(goal_ticks), free))
        else:
            free = min(self._rack_m, self.opening + reach)
            self._rack_m = min(free, max(free - step, self.opening - reach))

    def _load(self, torque: float) -> float:
        """Torque that the motor has to give: what the fingers feel when it drives, friction when they are free."""
        if abs(torque) <= self.config.friction_torque:
            return torque
        felt = abs(self.data.actuator_force[self._actuator]) / self.config.gripper.force_n
        return float(np.sign(torque) * np.clip(felt, self.config.friction_torque, abs(torque)))

    # --- what is where ---

    @property
    def t_ns(self) -> int:
        """The servo's time of the last step."""
        return self._t_ns or 0

    @property
    def opening(self) -> float:
        """Distance between the pads, metres."""
        return float(self.data.qpos[self._fingers[0]] + self.data.qpos[self._fingers[1]])

    @property
    def opening_speed(self) -> float:
        """Metres per second, negative while closing."""
        return float(self.data.ten_velocity[self._tendon])

    @property
    def grip_force(self) -> float:
        """Force with which the fingers are pulled together, newtons (negative: apart)."""
        return -float(self.data.actuator_force[self._actuator])

    @property
    def T_world_fingertip(self) -> Array:
        return fingertip_pose(self.data)

    @property
    def T_world_camera(self) -> Array:
        return camera_pose(self.data, CAMERA)

    def object_poses(self) -> Array:
        """T_world_object [n, 4, 4]."""
        return object_poses(self.model, self.data, self.object_names)

    def lowest_point(self, object_index: int) -> float:
        """Height of an object's lowest point (of its geoms' boxes), metres."""
        body = self.model.body(self.object_names[object_index]).id
        geoms = self.model.body_geomadr[body] + np.arange(self.model.body_geomnum[body])
        R = self.data.geom_xmat[geoms].reshape(-1, 3, 3)
        centers, half = self.model.geom_aabb[geoms, :3], self.model.geom_aabb[geoms, 3:]
        z = self.data.geom_xpos[geoms, 2] + np.einsum("nk,nk->n", R[:, 2], centers)
        return float((z - np.einsum("nk,nk->n", np.abs(R[:, 2]), half)).min())

    # --- units ---

    @property
    def _ticks_per_m(self) -> float:
        stops = self.config.stops
        return (stops.open_ticks - stops.closed_ticks) / rig.MAX_OPENING_M

    def _ticks(self, opening_m: float) -> float:
        return self.config.stops.ticks(opening_m / rig.MAX_OPENING_M)

    def _opening_m(self, ticks: float) -> float:
        return self.config.stops.opening(ticks) * rig.MAX_OPENING_M


def fingertip_pose(data: mujoco.MjData) -> Array:
    """T_world_fingertip [4, 4] of the handheld gripper."""
    body = data.body(GRIPPER)
    return pose(body.xmat.reshape(3, 3), body.xpos)


def place_hand(model: mujoco.MjModel, data: mujoco.MjData, T_world_fingertip: Array, opening_m: float) -> None:
    """Put the hand at a pose [4, 4], at rest and open: for setting up a scene or trying something out, not for
    moving.
    """
    joint = data.joint(HAND)
    joint.qpos[:3], joint.qpos[3:] = T_world_fingertip[:3, 3], quaternion(T_world_fingertip)
    joint.qvel[:] = 0.0
    data.mocap_pos[0], data.mocap_quat[0] = joint.qpos[:3], joint.qpos[3:]
    for name in ("left_finger", "right_finger"):
        finger = data.joint(PREFIX + name)
        finger.qpos[0], finger.qvel[0] = opening_m / 2, 0.0
    data.ctrl[model.actuator(PREFIX + ACTUATOR).id] = opening_m
