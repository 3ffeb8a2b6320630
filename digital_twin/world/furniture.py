"""Surfaces, solids and light that rooms are furnished with. What is added here never moves."""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world import textures
from digital_twin.world.objects import add_material, add_texture

STATIC_GROUP = 0  # geom group of what never moves
Point = tuple[float, float, float]


def dress(spec: mujoco.MjSpec, name: str, image: textures.Image, repeat: tuple[float, float] = (1.0, 1.0)) -> None:
    """A material of a name that shows a picture [H, W, 3]."""
    add_texture(spec, name, image, mujoco.mjtTexture.mjTEXTURE_2D)
    add_material(spec, name, repeat, shininess=0.3, specular=0.1)


def solid(
    spec: mujoco.MjSpec,
    name: str,
    material: str,
    position: Point,
    half: Point,
    collides: bool = True,
    turn_rad: float = 0.0,
) -> None:
    """An upright box with half sizes, turned about z."""
    bits = 1 if collides else 0
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=position,
        quat=[np.cos(turn_rad / 2), 0.0, 0.0, np.sin(turn_rad / 2)],
        size=half,
        material=material,
        group=STATIC_GROUP,
        contype=bits,
        conaffinity=bits,
        friction=[0.7, 0.005, 0.0005],
    )


def bar(
    spec: mujoco.MjSpec, name: str, material: str, start: Point, end: Point, radius: float, collides: bool = True
) -> None:
    """A round bar between two points."""
    bits = 1 if collides else 0
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CYLINDER,
        fromto=[*start, *end],
        size=[radius, 0, 0],
        material=material,
        group=STATIC_GROUP,
        contype=bits,
        conaffinity=bits,
        friction=[0.7, 0.005, 0.0005],
    )


def wall(
    spec: mujoco.MjSpec, name: str, material: str, center: Point, half: tuple[float, float], facing: Point
) -> None:
    """A thin upright board whose textured face (its local z) looks along ``facing``."""
    z = np.array(facing, dtype=np.float64)
    y = np.array([0.0, 0.0, 1.0])
    R = np.stack([np.cross(y, z), y, z], axis=1)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, R.ravel())
    spec.worldbody.add_geom(
        name=name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=center,
        quat=quat,
        size=[*half, 0.01],
        material=material,
        group=STATIC_GROUP,
    )


def add_lights(spec: mujoco.MjSpec, rng: np.random.Generator, window_light: tuple[float, float] = (0.1, 0.25)) -> None:
    """A lamp overhead, light from a window behind whoever picks, and what the room throws back."""
    head = spec.visual.headlight
    head.active, head.specular = 1, [0, 0, 0]
    head.ambient, head.diffuse = [rng.uniform(0.3, 0.45)] * 3, [0.05] * 3
    warm = 1.0 + np.array([0.12, 0.0, -0.12]) * rng.uniform(-1, 1)
    lamp = spec.worldbody.add_light(name="lamp", pos=[rng.uniform(-0.6, 0.6), rng.uniform(-0.8, 0.2), 1.5])
    lamp.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    lamp.dir = -np.asarray(lamp.pos)
    lamp.diffuse, lamp.specular = rng.uniform(0.4, 0.6) * warm, [0.3] * 3
    window = spec.worldbody.add_light(name="window", pos=[0.5, -2.5, 1.0], dir=[-0.2, 0.9, -0.4], castshadow=False)
    window.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    window.diffuse, window.specular = rng.uniform(*window_light) * (2 - warm), [0.1] * 3
