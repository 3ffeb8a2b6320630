"""Grasps that work, found with knowledge that no policy has: surfaces by ray, then tried out in physics.

Antipodal pairs of surface points are sampled by rays against the true objects; where an open gripper fits, the robot is
put there, closes, lifts, and the cell's own judge decides. All of it is imagined: the cell stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from digital_twin.benchmark.workspace import guard_limits
from digital_twin.world.cell_scene import T_WORLD_BASE
from digital_twin.world.furniture import STATIC_GROUP
from digital_twin.world.objects import OBJECT_GROUP
from digital_twin.world.robot_cell import RobotCell
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from robot_runner.guard import check
from wildgrasp.geometry import Array, interpolate, inverse, pose, so3_exp
from wildgrasp.rig import T_TOOL_FINGERTIP

CYCLE_S = 0.008
_T_BASE_WORLD = inverse(T_WORLD_BASE)
_T_FINGERTIP_TOOL = inverse(T_TOOL_FINGERTIP)


@dataclass(frozen=True)
class GraspSearch:
    """How to search."""

    wanted: int = 6
    max_samples: int = 4000
    max_trials: int = 20
    max_tilt_rad: float = np.deg2rad(55.0)  # of the approach, from straight down (or straight at the wall)
    width_m: tuple[float, float] = (0.004, 0.09)
    max_normal_error_rad: float = np.deg2rad(15.0)
    overreach_m: tuple[float, ...] = (0.025, 0.018, 0.012, 0.006)  # of the pad ends beyond the contact points
    retreats_m: tuple[float, ...] = (0.0, 0.02, 0.05, 0.09)  # where the open gripper has to fit …
    asides_m: tuple[float, ...] = (0.0, 0.006, -0.006)  # … with room on both sides
    miss_m: float = 0.005  # a grasp must hold also when it is missed by this much …
    miss_rad: float = np.deg2rad(5.0)  # … and turned by this much
    force_n: float = 25.0
    lift_m: float = 0.1


@dataclass(frozen=True, eq=False)
class VerifiedGrasp:
    """A fingertip pose at which, and beside which, closing and lifting took this object."""

    object: str
    width_m: float
    T_object_fingertip: Array  # [4, 4]: stays right when the object is pushed
    T_base_fingertip: Array  # [4, 4] at the time of the search


def find_grasps(cell: RobotCell, rng: np.random.Generator, search: GraspSearch | None = None) -> list[VerifiedGrasp]:
    """Verified grasps in the cell as it stands, were the robot out of the way."""
    search = search or GraspSearch()
    with cell.imagined():
        cell.place_robot(cell.settings.start_q)
        return _find(cell, rng, search)


def grasped_by(cell: RobotCell, T_base_fingertip: Array, force_n: float, lift_m: float) -> list[str]:
    """Names of what would hang between the pads if the robot, from where it is, went straight to a pose [4, 4], closed
    and lifted."""
    with cell.imagined():
        q = _go(cell, cell.q, T_base_fingertip)
        return _close_and_lift(cell, q, T_base_fingertip, force_n, lift_m)


def height_between(cell: RobotCell, T_base_fingertip: Array) -> float:
    """How far in metres something reaches in between the fingers at a pose [4, 4], in truth; -inf if nothing does."""
    highest = -np.inf
    for x in _BETWEEN_X_M:
        T_world = T_WORLD_BASE @ T_base_fingertip @ pose(t=np.array([x, 0.0, -_BETWEEN_M]))
        distance, _, _ = _ray(cell, T_world[:3, 3], T_world[:3, 2])
        if distance >= 0:
            highest = max(highest, _BETWEEN_M - distance)
    return highest


def _find(cell: RobotCell, rng: np.random.Generator, search: GraspSearch) -> list[VerifiedGrasp]:
    objects = list(cell.objects())
    found: list[VerifiedGrasp] = []
    trials = 0
    for _ in range(search.max_samples):
        if len(found) >= search.wanted or trials >= search.max_trials or not objects:
            break
        name = objects[rng.integers(len(objects))]
        sample = _sample(cell, name, rng, search)
        if sample is None:
            continue
        T_base_contact, width = sample
        grasp = _deepest(cell, T_base_contact, search)
        if grasp is None:
            continue
        q, T_base_fingertip = grasp
        trials += 1
        T_base_object = cell.objects()[name]
        missed = T_base_fingertip @ pose(so3_exp(search.miss_rad * _direction(rng)), search.miss_m * _direction(rng))
        if all(_try_out(cell, q, T, search) == [name] for T in (T_base_fingertip, missed)):
            found.append(VerifiedGrasp(name, width, inverse(T_base_object) @ T_base_fingertip, T_base_fingertip))
    return found


def _sample(cell: RobotCell, name: str, rng: np.random.Generator, search: GraspSearch) -> tuple[Array, float] | None:
    """An antipodal pair on the object: T_base_fingertip with its origin between the two points, and their distance."""
    body = cell.object_bodies[name]
    center = cell.data.xipos[body]
    into = _into(cell)
    outside = rng.normal(size=3)
    outside -= 0.5 * (outside @ into) * into
    outside = outside - 2 * max(outside @ into, 0.0) * into  # from the side that the robot is on
    origin = center + 0.15 * outside / np.linalg.norm(outside)
    aim = _unit(center + rng.normal(size=3) * 0.012 - origin)
    first = _hit(cell, body, origin, aim)
    if first is None:
        return None
    point, normal = first
    closing = _unit(-normal + 0.08 * rng.normal(size=3))
    second = _hit(cell, body, point + 0.11 * closing, -closing)
    if second is None:
        return None
    width = float((second[0] - point) @ closing)
    steep = second[1] @ closing < np.cos(search.max_normal_error_rad)
    if steep or not search.width_m[0] < width < search.width_m[1]:
        return None
    approach = _approach(closing, into, rng, search.max_tilt_rad)
    if approach is None:
        return None
    R = np.stack([closing, np.cross(approach, closing), approach], axis=1)
    T_world_fingertip = pose(R, (point + second[0]) / 2)
    return _T_BASE_WORLD @ T_world_fingertip, width


def _hit(cell: RobotCell, body: int, origin: Array, direction: Array) -> tuple[Array, Array] | None:
    """First surface point and normal along a ray (world frame), if it belongs to the body."""
    distance, geom, normal = _ray(cell, origin, direction)
    if distance < 0 or cell.model.geom_bodyid[geom] != body:
        return None
    return origin + distance * direction, normal


def _ray(cell: RobotCell, origin: Array, direction: Array) -> tuple[float, int, Array]:
    """Distance (negative: nothing), geom and normal of what a ray meets first (world frame). Rays pass the robot."""
    geom, normal = np.full(1, -1, np.int32), np.zeros(3)
    groups = np.zeros(mujoco.mjNGROUP, np.uint8)
    groups[[STATIC_GROUP, OBJECT_GROUP]] = 1
    distance = mujoco.mj_ray(cell.model, cell.data, origin, direction, groups, 1, -1, geom, normal)
    return distance, int(geom[0]), normal


def _into(cell: RobotCell) -> Array:
    """Which way the scene is entered (world frame): straight down, or straight at the wall."""
    return np.array([1.0, 0, 0] if cell.settings.scene == "wall" else [0, 0, -1.0])


def _approach(closing: Array, into: Array, rng: np.random.Generator, max_tilt: float) -> Array | None:
    """A direction perpendicular to the closing direction, mostly ``into`` the scene."""
    steepest = into - (into @ closing) * closing
    if np.linalg.norm(steepest) < 0.5:
        return None
    approach = so3_exp(closing * rng.normal() * 0.35) @ _unit(steepest)
    return approach if approach @ into > np.cos(max_tilt) else None


def _deepest(cell: RobotCell, T_base_contact: Array, search: GraspSearch) -> tuple[Array, Array] | None:
    """Joint angles and T_base_fingertip of the deepest grasp about the contact points where the open gripper fits, and
    which the guard does not refuse."""
    limits = guard_limits(cell.settings.scene)
    for overreach in search.overreach_m:
        T = T_base_contact @ pose(t=np.array([0, 0, overreach]))
        q = _fits(cell, T, search)
        if q is not None and check(T, q, limits).kind != "refuse":
            return q, T
    return None


def _fits(cell: RobotCell, T_base_fingertip: Array, search: GraspSearch) -> Array | None:
    """Joint angles at a pose if the open gripper touches nothing there, a little beside it, and behind it."""
    behind, aside = np.meshgrid(search.retreats_m, search.asides_m, indexing="ij")
    retreats = pose(t=np.stack([aside, np.zeros_like(aside), -behind], axis=-1).reshape(-1, 3))
    q, reached = inverse_near(UR5, T_base_fingertip @ retreats @ _T_FINGERTIP_TOOL, np.array(cell.settings.start_q), 40)
    if not reached.all():
        return None
    free = True
    for joints in q:
        cell.place_robot(joints)
        free = free and not cell.robot_touches()
    cell.place_robot(cell.settings.start_q)
    return q[0] if free else None


def _try_out(cell: RobotCell, q: Array, T_base_fingertip: Array, search: GraspSearch) -> list[str]:
    """Names of what hangs between the pads after closing and lifting at a pose near joint angles q."""
    with cell.imagined():
        q, _ = inverse_near(UR5, T_base_fingertip @ _T_FINGERTIP_TOOL, q)
        cell.place_robot(q)
        return _close_and_lift(cell, q, T_base_fingertip, search.force_n, search.lift_m)


def _close_and_lift(cell: RobotCell, q: Array, T_base_fingertip: Array, force_n: float, lift_m: float) -> list[str]:
    cell.command_fingers(0.0, force_n)
    for _ in range(250):
        cell.step(q, CYCLE_S)
        if not cell.finger_state().busy:
            break
    cell.judge.reset()
    cell.judge.watch(cell.data)
    q = _go(cell, q, pose(t=np.array([0.0, 0.0, lift_m])) @ T_base_fingertip)
    for _ in range(50):  # what slides down slowly is not held
        cell.step(q, CYCLE_S)
    return cell.lifted_objects()


def _go(cell: RobotCell, q: Array, T_base_fingertip: Array) -> Array:
    """Move straight from joint angles q [6] to a pose [4, 4]; the joint angles there."""
    T_start = forward(UR5, q) @ T_TOOL_FINGERTIP
    distance_m = np.linalg.norm(T_base_fingertip[:3, 3] - T_start[:3, 3])
    steps = max(20, int(np.ceil(distance_m / _SPEED_M_S / CYCLE_S)))
    for u in np.linspace(0, 1, steps + 1)[1:]:
        q, _ = inverse_near(UR5, interpolate(T_start, T_base_fingertip, u) @ _T_FINGERTIP_TOOL, q)
        cell.step(q, CYCLE_S)
    return q


_BETWEEN_M = 0.1
_BETWEEN_X_M = np.linspace(-0.03, 0.03, 13)  # along the closing direction

_SPEED_M_S = 0.1  # no faster than an episode lifts: what creeps out of the fingers does so in time


def _direction(rng: np.random.Generator) -> Array:
    return _unit(rng.normal(size=3))


def _unit(v: Array) -> Array:
    return v / np.linalg.norm(v)
