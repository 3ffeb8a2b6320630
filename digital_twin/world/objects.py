"""Household objects: a shape of one of the two families, dressed and put into a MuJoCo scene.

The split is by kind of shape: a kind is either in ``shapes_train`` or in ``shapes_test``, never in both, and within a
kind the measures are continuous, so there are as many objects as seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np

from digital_twin.world import shapes_test, shapes_train, textures
from digital_twin.world.shapes import Part, Shape
from wildgrasp.geometry import Array, pose, so3_exp, to_vector

Family = Literal["train", "test"]
FAMILIES = {"train": shapes_train.KINDS, "test": shapes_test.KINDS}
OBJECT_GROUP = 1  # geom group of objects
TEXTURE_SIDE = 96

_SOLIDS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_PRINTS = {"label": textures.label, "plain": textures.plain, "speckled": textures.speckled}


@dataclass(frozen=True)
class HouseholdObject:
    """A shape with its friction (sliding coefficient) and the seed of its surfaces."""

    shape: Shape
    friction: float
    look_seed: int


def sample_object(rng: np.random.Generator, family: Family) -> HouseholdObject:
    """A random object of a family; friction 0.3 … 0.8."""
    kinds = FAMILIES[family]
    shape = kinds[rng.integers(len(kinds))](rng)
    return HouseholdObject(shape, float(rng.uniform(0.3, 0.8)), int(rng.integers(2**31)))


def add_object(spec: mujoco.MjSpec, thing: HouseholdObject, name: str, T_world_object: Array) -> None:
    """Add a free body named ``name`` with its geoms (named ``name/k``), materials and textures."""
    rng = np.random.default_rng(thing.look_seed)
    materials = [_add_material(spec, rng, f"{name}/{k}", kind) for k, kind in enumerate(thing.shape.looks)]
    body = spec.worldbody.add_body(name=name, pos=T_world_object[:3, 3], quat=quaternion(T_world_object))
    body.add_freejoint(name=name)
    for k, part in enumerate(thing.shape.parts):
        _add_geom(body, part, f"{name}/{k}", thing, materials[part.look])


def quaternion(T: Array) -> Array:
    """MuJoCo's quaternion (w, x, y, z), [4], of a pose [4, 4]."""
    x, y, z, w = to_vector(T)[3:]
    return np.array([w, x, y, z])


def _add_geom(body: mujoco.MjsBody, part: Part, name: str, thing: HouseholdObject, material: str) -> None:
    size = np.zeros(3)
    size[: len(part.size)] = part.size
    body.add_geom(
        name=name,
        type=_SOLIDS[part.solid],
        size=size,
        pos=part.position,
        quat=quaternion(pose(so3_exp(np.array(part.rotation)))),
        density=thing.shape.density,
        material=material,
        group=OBJECT_GROUP,
        condim=6,  # rolling friction, or round things never come to rest
        friction=[thing.friction, 0.01, 0.002],
        solref=[0.004, 1.0],
        solimp=[0.95, 0.99, 0.001, 0.5, 2.0],
    )


def _add_material(spec: mujoco.MjSpec, rng: np.random.Generator, name: str, kind: str) -> str:
    image = textures.cube(rng, _PRINTS[kind], TEXTURE_SIDE)
    add_texture(spec, name, image, mujoco.mjtTexture.mjTEXTURE_CUBE)
    add_material(spec, name, shininess=float(rng.uniform(0.1, 0.8)), specular=float(rng.uniform(0.0, 0.4)))
    return name


def add_texture(spec: mujoco.MjSpec, name: str, image: textures.Image, kind: mujoco.mjtTexture) -> None:
    """Register an RGB image [H, W, 3] as a texture (cube: six faces stacked)."""
    texture = spec.add_texture(name=name, type=kind, nchannel=3)
    texture.height, texture.width = image.shape[:2]
    texture.data = np.ascontiguousarray(image).tobytes()


def add_material(spec: mujoco.MjSpec, name: str, repeat: tuple[float, float] = (1.0, 1.0), **look: float) -> None:
    """A material that wears the texture of the same name."""
    material = spec.add_material(name=name, texrepeat=list(repeat), **look)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
