"""What household objects are made of: primitive solids in a body's frame.

An object stands upright along z with its origin somewhere inside. Contact works on primitives fast and exactly, so
hollow vessels are rings of staves instead of meshes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wildgrasp.geometry import Array, so3_exp

Rng = np.random.Generator
Make = Callable[[Rng], "Shape"]  # a kind of shape: draws its measures
LYING_X = (0.0, np.pi / 2, 0.0)  # a part's z axis turned along x
LYING_Y = (-np.pi / 2, 0.0, 0.0)  # … along y
Solid = Literal["box", "cylinder", "capsule", "ellipsoid"]
Print = Literal["label", "plain", "speckled"]  # what is on a surface


@dataclass(frozen=True)
class Part:
    """One solid. ``size``: half sizes (box), radii (ellipsoid) or radius and half length along z (cylinder, capsule),
    metres.
    """

    solid: Solid
    size: tuple[float, ...]
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)  # rotation vector, rad
    look: int = 0  # which of the object's surfaces it wears


@dataclass(frozen=True)
class Shape:
    """An object's solids, density and surfaces; ``kind`` names its family of shapes."""

    kind: str
    parts: tuple[Part, ...]
    density: float  # kg/m³
    looks: tuple[Print, ...] = ("label",)

    @property
    def extent(self) -> Array:
        """Half sizes [3] of the axis-aligned box around the origin that holds every part, metres."""
        return np.max([np.abs(p.position) + _half_box(p) for p in self.parts], axis=0)

    @property
    def footprint(self) -> float:
        """Radius about the z axis that holds every part, metres."""
        return float(np.hypot(*self.extent[:2]))


def _half_box(part: Part) -> Array:
    if part.solid in ("box", "ellipsoid"):
        half = np.array(part.size)
    else:
        radius, half_length = part.size
        cap = radius if part.solid == "capsule" else 0.0
        half = np.array([radius, radius, half_length + cap])
    return np.abs(so3_exp(np.array(part.rotation))) @ half


def ring(
    radius: float, height: float, z: float, wall: float, staves: int = 12, lean: float = 0.0, look: int = 0
) -> list[Part]:
    """A hollow ring of staves around z, centred at height z; ``lean`` > 0 widens it towards the top (rad)."""
    parts = []
    half_width = (radius + np.sin(abs(lean)) * height / 2) * np.tan(np.pi / staves) * 1.03
    for k in range(staves):
        angle = 2 * np.pi * k / staves
        R = so3_exp(np.array([0, 0, angle])) @ so3_exp(np.array([0, lean, 0]))
        position = (radius * np.cos(angle), radius * np.sin(angle), z)
        parts.append(Part("box", (wall / 2, half_width, height / 2), position, rotation_vector(R), look))
    return parts


def rotation_vector(R: Array) -> tuple[float, float, float]:
    """Rotation [3, 3] as the tuple that :class:`Part` holds."""
    from wildgrasp.geometry import so3_log

    return tuple(float(x) for x in so3_log(R))
