"""Where a scene's objects come from: a family of household shapes, or a folder of meshes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mujoco
import numpy as np

from digital_twin.world.cell_meshes import MeshLibrary, add_mesh_object, load_meshes
from digital_twin.world.objects import Family, add_object, sample_object
from wildgrasp.geometry import Array


@dataclass(frozen=True)
class Thing:
    """One object before it has a place. ``half_m``: half sizes [3] of the box about its origin that holds it."""

    kind: str
    half_m: Array
    add: Callable[[mujoco.MjSpec, str, Array], None]  # to a specification, by name, at T_world_object [4, 4]


Source = Callable[[np.random.Generator], Thing]


def things(family: Family, meshes: Path | None, mesh_scale: float) -> Source:
    """Draws objects: of a family, or of a folder of meshes where one is given. Raises UserError when that is no use."""
    return _family(family) if meshes is None else _meshes(meshes, mesh_scale)


def _family(family: Family) -> Source:
    def draw(rng: np.random.Generator) -> Thing:
        thing = sample_object(rng, family)
        return Thing(thing.shape.kind, thing.shape.extent, lambda spec, name, T: add_object(spec, thing, name, T))

    return draw


def _meshes(folder: Path, scale: float) -> Source:
    library = _library(folder, scale)

    def draw(rng: np.random.Generator) -> Thing:
        thing = library.objects[rng.integers(len(library.objects))]
        half = np.max([np.abs(vertices).max(axis=0) for vertices, _ in thing.pieces], axis=0)
        return Thing(thing.name, half, lambda spec, name, T: add_mesh_object(spec, thing, name, T, rng))

    return draw


@cache
def _library(folder: Path, scale: float) -> MeshLibrary:
    """Read once per process, not once per scene."""
    return load_meshes(folder, scale)
