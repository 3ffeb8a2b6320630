"""Scenes: places at home with household objects that have come to rest.

``build_scene`` returns a MuJoCo specification that is still open: attach a hand or a robot to it, compile, then
``settle``. Contact settings follow measurements: elliptic cones with impratio 10 and implicitfast integration at 2 ms
hold grasped objects without creeping, and nothing is ever attached or teleported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from digital_twin.world.cell_things import Thing, things
from digital_twin.world.homes import HomeName, HomeSettings, furnish, hang_up
from digital_twin.world.objects import Family
from digital_twin.world.workplace import Workplace
from wildgrasp.geometry import Array, pose

TIMESTEP_S = 0.002


@dataclass(frozen=True)
class SceneSpec:
    """An open scene: ``spec`` to be completed and compiled, with the objects in it."""

    spec: mujoco.MjSpec
    objects: tuple[Thing, ...]
    object_names: tuple[str, ...]  # body, joint and seed of geom names; objects[i] is object_names[i]
    workplace: Workplace


def build_scene(
    seed: int | np.random.Generator,
    n_objects: int = 6,
    family: Family = "train",
    home: HomeName = "table",
    settings: HomeSettings | None = None,
    meshes: Path | None = None,
    mesh_scale: float = 1.0,
) -> SceneSpec:
    """A furnished scene with objects above the ground, about to drop (or hanging).

    World frame: z up, origin where the objects are (of a table: the middle of its top). Objects are of a family, or
    from a folder of meshes. Deterministic in the seed. Raises UserError when a folder of meshes is no use.
    """
    rng = np.random.default_rng(seed)
    spec = empty_spec()
    place = furnish(spec, rng, home, settings or HomeSettings())
    draw = place.choose(things(family, meshes, mesh_scale))
    objects = tuple(draw(rng) for _ in range(n_objects))
    names = tuple(f"object_{k}" for k in range(n_objects))
    poses = place.layout(rng, objects)
    for thing, name, T in zip(objects, names, poses, strict=True):
        thing.add(spec, name, T)
    if place.hooks:
        hang_up(spec, names, poses)
    return SceneSpec(spec, objects, names, place.workplace)


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
