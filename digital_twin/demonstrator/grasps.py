"""Grasps that hold: antipodal candidates found with rays, then tried out by physics in a copy of the world.

A candidate is a pair of opposite surface points (normals within 15° of the closing axis) whose open fingers reach it
without touching anything. It is verified when closing and taking the object out, as the workplace asks for, really
takes the object along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np

from digital_twin.demonstrator.handheld import HAND, PREFIX, HandheldWorld, place_hand
from digital_twin.demonstrator.motion import min_jerk
from digital_twin.world.furniture import STATIC_GROUP
from digital_twin.world.gripper_model import ACTUATOR, opening
from digital_twin.world.objects import OBJECT_GROUP
from wildgrasp import rig
from wildgrasp.geometry import Array, inverse, pose, so3_exp

# Rays see the table and the objects, not the gripper.
SOLID_GROUPS = np.array([group in (STATIC_GROUP, OBJECT_GROUP) for group in range(6)], np.uint8)

_TRY_STEPS_PER_M = 1600  # of 2 ms: 0.3 m/s
_SQUEEZE_M = 0.0018  # the firmware's goal beyond the contact
_SLIP_M = 0.04  # an object that is held follows the hand this closely, though it may swing


@dataclass(frozen=True)
class GraspConfig:
    """Where to look for grasps."""

    tries: int = 400  # pairs of rays per object
    axis_wobble: float = 0.08  # standard deviation of the closing axis about the surface normal, rad
    normal_cone_deg: float = 15.0
    min_width_m: float = 0.004
    max_width_m: float = 0.095
    tilt_spreads_rad: tuple[float, ...] = (0.15, 0.6, 1.4)  # of the approach from straight in: one is drawn
    overreach_m: tuple[float, ...] = (
        0.025,
        0.018,
        0.012,
        0.006,
        0.0,
    )  # of the fingertips beyond the points, tried in turn
    corridor_m: tuple[float, ...] = (0.0, 0.02, 0.05, 0.08)  # distances before the grasp that must be free
    try_force_n: float = 10.0


@dataclass(frozen=True)
class Grasp:
    """A grasp of one object, fixed to it."""

    object_index: int
    T_object_fingertip: Array  # [4, 4]
    width_m: float  # between the contacts


class GraspPlanner:
    """Finds and tries grasps in its own copy of a world's state; the world itself is never touched."""

    def __init__(self, world: HandheldWorld, seed: int, config: GraspConfig | None = None) -> None:
        self._world = world
        self._config = config or GraspConfig()
        self._rng = np.random.default_rng(seed)
        self._workplace = world.workplace
        self._inward = np.array(world.workplace.inward)
        self._model = world.model
        self._data = mujoco.MjData(world.model)
        self._objects = [world.model.body(name).id for name in world.object_names]
        self._hand_bodies = _subtree(world.model, world.model.body(HAND).id)
        self.tried = self.held = 0  # by physics

    def within_reach(self) -> list[int]:
        """Indices of the objects that lie on the worked part of the workplace."""
        return np.flatnonzero(self._workplace.reachable(self._world.object_poses()[:, :3, 3])).tolist()

    def find(self, object_index: int, wanted: int = 1, trials: int = 6) -> list[Grasp]:
        """Up to ``wanted`` verified grasps of an object as it lies now; physics is asked at most ``trials`` times."""
        found: list[Grasp] = []
        for count, (T, width) in enumerate(self._candidates(object_index)):
            if len(found) >= wanted or count >= trials:
                break
            if self.holds(object_index, T):
                T_world_object = self._world.object_poses()[object_index]
                found.append(Grasp(object_index, inverse(T_world_object) @ T, width))
        return found

    def is_free(self, T_world_fingertip: Array) -> bool:
        """Whether the open hand touches nothing at a grasp, as things lie now, nor on the straight end of the way
        there.
        """
        self._copy_state(self._workplace.T_parked)
        return self._corridor_is_free(T_world_fingertip)

    def holds(self, object_index: int, T_world_fingertip: Array) -> bool:
        """Whether closing here and taking it out takes the object along and keeps it, tried in a copy of the world."""
        data = self._data
        self._copy_state(T_world_fingertip)
        if self._hand_touches():
            return False
        body = self._objects[object_index]
        before = data.xpos[body].copy()
        self._close()
        for way in np.array(self._workplace.way_out):
            start, steps = data.mocap_pos[0].copy(), round(_TRY_STEPS_PER_M * np.linalg.norm(way))
            for k in range(steps):
                data.mocap_pos[0] = start + way * min_jerk((k + 1) / steps)
                self._step()
        for _ in range(60):
            self._step()
        self.tried += 1
        moved, hand_moved = data.xpos[body] - before, data.mocap_pos[0] - T_world_fingertip[:3, 3]
        held = np.linalg.norm(moved - hand_moved) < _SLIP_M and opening(data, PREFIX) > 0.002
        self.held += held
        return bool(held)

    def _close(self) -> None:
        """As the gripper does: no harder than it will, and where the fingers have met something, only a little on."""
        data, actuator = self._data, self._model.actuator(PREFIX + ACTUATOR).id
        tension = self._config.try_force_n / self._world.config.gripper.stiffness_n_m
        still, end = 0, -1.0
        for k in range(240):
            goal, now = rig.MAX_OPENING_M * (1 - min(1.0, k / 150)), opening(data, PREFIX)
            data.ctrl[actuator] = max(goal - tension, now - tension, end)
            self._step()
            still = still + 1 if k > 40 and now - opening(data, PREFIX) < 1e-5 else 0
            if still == 15 and end < 0:
                end = now - _SQUEEZE_M

    def _step(self) -> None:
        mujoco.mj_step(self._model, self._data)
        self._world.hooks.watch(self._data)

    def _candidates(self, object_index: int) -> Iterator[tuple[Array, float]]:
        """T_world_fingertip and width of collision-free antipodal grasps."""
        config = self._config
        body = self._objects[object_index]
        self._copy_state(self._workplace.T_parked)
        for _ in range(config.tries):
            pair = self._antipodal_pair(body)
            if pair is None:
                continue
            middle, axis, width = pair
            approach = self._approach(axis)
            if approach is None:
                continue
            R = np.stack([axis, np.cross(approach, axis), approach], axis=1)
            for overreach in config.overreach_m:
                T = pose(R, middle + approach * overreach)
                if self._corridor_is_free(T):
                    yield T, width
                    self._copy_state(self._workplace.T_parked)
                    break
            else:
                self._copy_state(self._workplace.T_parked)

    def _antipodal_pair(self, body: int) -> tuple[Array, Array, float] | None:
        """Middle, closing axis and distance of two opposite points of a body, or None for an unlucky draw."""
        rng, config = self._rng, self._config
        center = self._data.xipos[body]
        outward = rng.normal(size=3)
        outward -= min(0.0, 2 * float(outward @ -self._inward)) * -self._inward  # from where the hand comes
        origin = center + 0.25 * outward / np.linalg.norm(outward)
        # Aim anywhere at the object: its far ends as well as its middle.
        aim = center + rng.normal(size=3) * 0.5 * self._size(body)
        first = self._ray(origin, aim - origin, body)
        if first is None:
            return None
        point, normal = first
        axis = _unit(-normal + rng.normal(size=3) * config.axis_wobble)
        # From far away for the whole object, from close by for the wall of a hollow one.
        distance = 0.03 if rng.random() < 0.25 else rig.MAX_OPENING_M
        second = self._ray(point + axis * distance, -axis, body)
        if second is None:
            return None
        opposite, opposite_normal = second
        width = float((opposite - point) @ axis)
        facing = opposite_normal @ axis > np.cos(np.deg2rad(config.normal_cone_deg))
        if not facing or not config.min_width_m < width < config.max_width_m:
            return None
        return (point + opposite) / 2, axis, width

    def _approach(self, axis: Array) -> Array | None:
        """A direction across the closing axis: straight in, slanted or from the side."""
        across = self._inward - (self._inward @ axis) * axis
        if np.linalg.norm(across) < 0.3:
            return None
        tilt = self._rng.normal() * self._rng.choice(self._config.tilt_spreads_rad)
        approach = so3_exp(_unit(axis) * tilt) @ _unit(across)
        return approach if approach @ self._inward > np.cos(np.deg2rad(self._workplace.steepest_deg)) else None

    def _corridor_is_free(self, T: Array) -> bool:
        for back in (*self._config.corridor_m, self._workplace.straight_m):
            place_hand(self._model, self._data, T @ pose(t=np.array([0, 0, -back])), rig.MAX_OPENING_M)
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_comPos(self._model, self._data)
            mujoco.mj_collision(self._model, self._data)
            if self._hand_touches():
                return False
        return True

    def _hand_touches(self) -> bool:
        bodies = self._model.geom_bodyid[self._data.contact.geom]
        hand = np.isin(bodies, self._hand_bodies)
        return bool((hand[:, 0] != hand[:, 1]).any())

    def _copy_state(self, T_world_fingertip: Array) -> None:
        """The world's present state, with the open hand somewhere else."""
        mujoco.mj_copyData(self._data, self._model, self._world.data)
        self._data.qvel[:] = 0.0
        self._data.qacc_warmstart[:] = 0.0
        place_hand(self._model, self._data, T_world_fingertip, rig.MAX_OPENING_M)
        mujoco.mj_forward(self._model, self._data)

    def _ray(self, origin: Array, direction: Array, body: int) -> tuple[Array, Array] | None:
        """Where a ray first meets an object, if it is this one: point and outward normal."""
        geom, normal = np.zeros(1, np.int32), np.zeros(3)
        direction = _unit(direction)
        distance = mujoco.mj_ray(self._model, self._data, origin, direction, SOLID_GROUPS, True, -1, geom, normal)
        if distance < 0 or self._model.geom_bodyid[geom[0]] != body:
            return None
        return origin + distance * direction, normal

    def _size(self, body: int) -> Array:
        """Half extent [3] of a body's geoms about their middle, as they lie."""
        geoms = self._model.body_geomadr[body] + np.arange(self._model.body_geomnum[body])
        radius = self._model.geom_rbound[geoms][:, None]
        low = (self._data.geom_xpos[geoms] - radius).min(axis=0)
        high = (self._data.geom_xpos[geoms] + radius).max(axis=0)
        return (high - low) / 2


def _unit(v: Array) -> Array:
    return v / np.linalg.norm(v)


def _subtree(model: mujoco.MjModel, root: int) -> list[int]:
    bodies = [root]
    for body in range(root + 1, model.nbody):
        if model.body_parentid[body] in bodies:
            bodies.append(body)
    return bodies
