"""The ``wall`` scene: objects hang on a flat wall one metre in front of the robot, each on a hook that gives way.

A hook is a weld between object and wall that lets go, once and for all, when it is pulled harder than a hook holds.
Nothing but contact and friction holds the object from then on.
"""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world import textures
from digital_twin.world.cell_scene import T_WORLD_BASE
from digital_twin.world.cell_things import Source, Thing
from digital_twin.world.furniture import STATIC_GROUP
from digital_twin.world.objects import add_material, add_texture
from wildgrasp.geometry import Array, pose, so3_exp

WALL_IN_BASE_M = 1.0  # in front of the robot
HOOK_FORCE_N = 6.0  # that a hook holds, beyond the object's weight
_WALL_X = float(T_WORLD_BASE[0, 3]) + WALL_IN_BASE_M
_LOWER_YZ, _UPPER_YZ = np.array([-0.19, 0.38]), np.array([0.19, 0.64])  # world: where objects hang
_GAP_M = 0.002  # between an object's box and the wall
_ROOM_M = 0.012  # between two objects' boxes
_HOOK = "hook/"  # prefix of the welds
_WALL = "hanging_wall"


def hang_on_wall(spec: mujoco.MjSpec, rng: np.random.Generator, source: Source, count: int) -> dict[str, str]:
    """Add the wall and up to ``count`` objects on it, as many as have room; their kinds by name."""
    _add_wall(spec, rng)
    kinds: dict[str, str] = {}
    taken: list[tuple[Array, Array]] = []
    for _ in range(count):
        thing = source(rng)
        R = _flat_against_wall(thing, rng)
        half = np.abs(R) @ thing.half_m
        place = _free_place(half[1:], taken, rng)
        if place is None:
            continue
        taken.append((place, half[1:]))
        name = f"object_{len(kinds)}"
        T = pose(R, np.array([_WALL_X - _GAP_M - half[0], *place]))
        thing.add(spec, name, T)
        add_hook(spec, name, T)
        kinds[name] = thing.kind
    return kinds


class Hooks:
    """The hooks of a compiled cell; there are none in other scenes."""

    def __init__(self, model: mujoco.MjModel) -> None:
        names = {model.equality(k).name: k for k in range(model.neq)}
        self._ids = np.array([k for name, k in names.items() if name.startswith(_HOOK)], dtype=np.int64)
        gravity = float(np.linalg.norm(model.opt.gravity))
        self._object = {int(k): model.body(model.eq_obj1id[k]).name for k in self._ids}
        self._limit_n = {int(k): HOOK_FORCE_N + gravity * _mass(model, int(k)) for k in self._ids}

    def reset(self, data: mujoco.MjData) -> None:
        """Hang everything up again."""
        data.eq_active[self._ids] = 1

    def release(self, data: mujoco.MjData, name: str) -> None:
        """Let go of one object."""
        data.eq_active[[k for k in self._ids if self._object[k] == name]] = 0

    def watch(self, data: mujoco.MjData) -> None:
        """Let go where the pull in the last step was too hard. Call once per step."""
        if not len(self._ids):
            return
        equality = np.flatnonzero(data.efc_type[: data.nefc] == mujoco.mjtConstraint.mjCNSTR_EQUALITY)
        for k, limit in self._limit_n.items():
            rows = equality[data.efc_id[equality] == k]
            if len(rows) and np.linalg.norm(data.efc_force[rows[:3]]) > limit:  # three rows of force, three of torque
                data.eq_active[k] = 0


def wall_geoms(model: mujoco.MjModel) -> frozenset[int]:
    """Ids of the upright surfaces that things hang on."""
    geom = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, _WALL)
    return frozenset() if geom < 0 else frozenset({geom})


def _mass(model: mujoco.MjModel, equality: int) -> float:
    return float(model.body_mass[model.eq_obj1id[equality]])


def _flat_against_wall(thing: Thing, rng: np.random.Generator) -> Array:
    """R_world_object [3, 3]: mostly the object's thinnest side across the wall, turned any way about its normal."""
    axis = int(np.argmin(thing.half_m)) if rng.random() < 0.7 else int(rng.integers(3))
    to_wall = np.roll(np.eye(3), -axis, axis=0)  # brings the axis onto x
    return so3_exp(np.array([rng.uniform(-np.pi, np.pi), 0.0, 0.0])) @ to_wall


def _free_place(half: Array, taken: list[tuple[Array, Array]], rng: np.random.Generator) -> Array | None:
    """(y, z) in the world where a box of half sizes [2] has room beside those already there."""
    for _ in range(60):
        place = rng.uniform(_LOWER_YZ, _UPPER_YZ)
        if all((np.abs(place - p) > half + h + _ROOM_M).any() for p, h in taken):
            return place
    return None


def _add_wall(spec: mujoco.MjSpec, rng: np.random.Generator) -> None:
    surface = textures.SURFACES[rng.integers(len(textures.SURFACES))]
    add_texture(spec, _WALL, surface(rng, 512), mujoco.mjtTexture.mjTEXTURE_2D)
    add_material(spec, _WALL, shininess=0.2, specular=0.1)
    half = np.array([0.01, 0.6, 0.5])
    spec.worldbody.add_geom(
        name=_WALL,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[_WALL_X + half[0], 0.0, half[2]],
        size=half,
        material=_WALL,
        group=STATIC_GROUP,
    )


def add_hook(spec: mujoco.MjSpec, name: str, T_world_object: Array) -> None:
    """Hang a free body where it is on a hook that gives way."""
    hook = spec.add_equality(name=_HOOK + name, type=mujoco.mjtEq.mjEQ_WELD, objtype=mujoco.mjtObj.mjOBJ_BODY)
    hook.name1, hook.name2 = name, "world"
    # The anchor, in the wall's frame; then where the object is in its own reference pose (zeros); torque over force.
    hook.data[:11] = [*T_world_object[:3, 3], *[0.0] * 7, 1.0]
    hook.solref = [0.01, 1.0]
