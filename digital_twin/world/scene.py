"""Scenes: a kitchen table with household objects that have come to rest.

``build_scene`` returns a MuJoCo specification that is still open: attach a hand or a robot to it, compile, then
``settle``. Contact settings follow measurements: elliptic cones with impratio 10 and implicitfast integration at 2 ms
hold grasped objects without creeping, and nothing is ever attached or teleported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np

from digital_twin.world.backdrop import Table, add_backdrop
from digital_twin.world.objects import Family, HouseholdObject, add_object, sample_object
from wildgrasp.geometry import Array, pose, so3_exp

TIMESTEP_S = 0.002
Arrangement = Literal["scattered", "pile"]


@dataclass(frozen=True)
class SceneSpec:
    """An open scene: ``spec`` to be completed and compiled, with the objects in it."""

    spec: mujoco.MjSpec
    objects: tuple[HouseholdObject, ...]
    object_names: tuple[str, ...]  # body, joint and seed of geom names; objects[i] is object_names[i]


def build_scene(
    seed: int | np.random.Generator,
    n_objects: int = 6,
    family: Family = "train",
    table_height_m: float = 0.75,
    arrangement: Arrangement = "scattered",
    spread_m: float = 0.17,
    table: Table = "patterned",
) -> SceneSpec:
    """A furnished scene with objects above the table, about to drop.

    World frame: origin in the middle of the table's top, z up. ``scattered``: objects stand or lie apart within
    ``spread_m`` of the middle; ``pile``: they are dumped on each other. Deterministic in the seed.
    """
    rng = np.random.default_rng(seed)
    spec = empty_spec()
    add_backdrop(spec, rng, table_height_m, table)
    objects = tuple(sample_object(rng, family) for _ in range(n_objects))
    names = tuple(f"object_{k}" for k in range(n_objects))
    place = _scatter if arrangement == "scattered" else _pile
    for thing, name, T in zip(objects, names, place(rng, objects, spread_m), strict=True):
        add_object(spec, thing, name, T)
    return SceneSpec(spec, objects, names)


def empty_spec() -> mujoco.MjSpec:
    """A specification with the physics and picture settings of every scene, and nothing in it."""
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = TIMESTEP_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.solver = mujoco.mjtSolver.mjSOL_NEWTON
    option.impratio, option.iterations, option.ls_iterations = 10.0, 50, 20
    spec.memory = 64 * 1024 * 1024
    spec.stat.extent = 1.0  # so that the clipping planes below are metres
    spec.visual.map.znear, spec.visual.map.zfar = 0.01, 10.0
    spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
    spec.visual.quality.offsamples, spec.visual.quality.shadowsize = 0, 2048
    return spec


def settle(model: mujoco.MjModel, data: mujoco.MjData, object_names: tuple[str, ...], limit_s: float = 4.0) -> float:
    """Let the objects fall and come to rest; returns the simulated time it took, at most ``limit_s``.

    What rolls for ever is stopped by the limit: velocities are zeroed at the end, so the scene starts at rest.
    """
    dofs = object_dofs(model, object_names)
    start, quiet = data.time, 0
    while data.time - start < limit_s and quiet < 50:
        mujoco.mj_step(model, data)
        quiet = quiet + 1 if np.abs(data.qvel[dofs]).max(initial=0.0) < 0.03 else 0
    elapsed = data.time - start
    data.qvel[:] = 0.0
    data.time = 0.0
    mujoco.mj_forward(model, data)
    return elapsed


def object_dofs(model: mujoco.MjModel, object_names: tuple[str, ...]) -> Array:
    """Indices of the objects' velocities in ``qvel``, [6 · n]."""
    starts = [model.joint(name).dofadr[0] for name in object_names]
    return np.array([s + k for s in starts for k in range(6)], dtype=np.int64)


def object_poses(model: mujoco.MjModel, data: mujoco.MjData, object_names: tuple[str, ...]) -> Array:
    """T_world_object of every object, [n, 4, 4]."""
    ids = [model.body(name).id for name in object_names]
    return pose(data.xmat[ids].reshape(-1, 3, 3), data.xpos[ids])


def _scatter(rng: np.random.Generator, objects: tuple[HouseholdObject, ...], spread: float) -> list[Array]:
    """Standing or lying at random, each where it has most room among a few random places."""
    placed: list[tuple[Array, float]] = []
    poses = []
    for thing in objects:
        T = _upright(rng, thing)
        radius = thing.shape.footprint
        options = [spread * np.sqrt(rng.random()) * _direction(rng) for _ in range(40)]
        room = [min((np.linalg.norm(o - p) - r - radius for p, r in placed), default=0.0) for o in options]
        enough = [k for k, gap in enumerate(room) if gap > 0.005]
        at = options[enough[0] if enough else int(np.argmax(room))]
        crowded = not enough and bool(placed)
        T[:2, 3] = at
        T[2, 3] += 0.1 * len(poses) if crowded else 0.0
        placed.append((at, radius))
        poses.append(T)
    return poses


def _upright(rng: np.random.Generator, thing: HouseholdObject) -> Array:
    """Mostly as it stands, sometimes lying on its side; just above the table."""
    yaw = so3_exp(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
    lying = rng.random() < 0.3
    R = yaw @ so3_exp(np.array([np.pi / 2, 0, 0])) if lying else yaw
    half_height = thing.shape.extent[1] if lying else thing.shape.extent[2]
    return pose(R, np.array([0, 0, half_height + 0.004]))


def _pile(rng: np.random.Generator, objects: tuple[HouseholdObject, ...], spread: float) -> list[Array]:
    """Any orientation, stacked without touching in four narrow columns: they tumble into a pile."""
    tops = np.full(4, 0.01)
    poses = []
    for thing in objects:
        column = int(np.argmin(tops))
        radius = float(np.linalg.norm(thing.shape.extent))
        corner = 0.45 * spread * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)][column])
        at = np.array([*(corner + rng.normal(size=2) * 0.01), tops[column] + radius])
        poses.append(pose(so3_exp(rng.normal(size=3) * 1.5), at))
        tops[column] += 2 * radius + 0.01
    return poses


def _direction(rng: np.random.Generator) -> Array:
    angle = rng.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
