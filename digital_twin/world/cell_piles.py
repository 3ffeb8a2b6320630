"""What the robot finds in its cell: the scenes of section VI of the paper, still without the robot.

``tabletop``: a pile of objects, dumped. ``bin``: dumped into a bin. ``random``: the bin stands anywhere, 0–15 cm high,
tilted by 0–30°. ``wall``: hung on a wall (``cell_wall``). ``dynamic``: a pile of ten on a sheet that somebody moves
(``cell_sheet``). Frame ``world`` as in ``cell_scene``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np

from digital_twin.world.cell_sheet import SHEET_TOP_M, add_sheet
from digital_twin.world.cell_things import Source, things
from digital_twin.world.cell_wall import hang_on_wall
from digital_twin.world.objects import Family, quaternion
from digital_twin.world.scene import build_scene
from wildgrasp.geometry import Array, pose, so3_exp, transform

SceneName = Literal["tabletop", "bin", "wall", "random", "dynamic"]
DYNAMIC_OBJECTS = 10
BIN_HALF_M = (0.20, 0.15, 0.05)  # inside
_WALL_M = 0.004
_HIGHEST_BIN_M, _STEEPEST_BIN_RAD = 0.15, np.deg2rad(30.0)


@dataclass(frozen=True)
class PileSettings:
    """How much of what is dumped."""

    objects: tuple[int, int] = (5, 9)  # fewest, most
    family: Family = "test"
    radius_m: float = 0.10  # of the disc above which objects are let go
    meshes: Path | None = None  # a folder whose objects replace the family
    mesh_scale: float = 1.0  # metres per unit of the meshes


@dataclass(frozen=True)
class CellScene:
    """A specification that is still open, with the kind of each object by the name of its free body."""

    spec: mujoco.MjSpec
    kinds: dict[str, str]


def build_cell_scene(scene: SceneName, rng: np.random.Generator, pile: PileSettings) -> CellScene:
    """Table, room and objects about to drop (or hanging). Raises UserError when a folder of meshes is no use."""
    spec = build_scene(rng, n_objects=0).spec
    source = things(pile.family, pile.meshes, pile.mesh_scale)
    count = int(rng.integers(pile.objects[0], pile.objects[1] + 1))
    if scene == "wall":
        return CellScene(spec, hang_on_wall(spec, rng, source, count))
    T_world_ground = np.eye(4)
    if scene in ("bin", "random"):
        T_world_ground = _bin_pose(rng) if scene == "random" else pose(so3_exp(_about_z(rng)), [0, 0, 2 * _WALL_M])
        _add_bin(spec, T_world_ground, rng)
    if scene == "dynamic":
        add_sheet(spec, rng)
        T_world_ground = pose(t=np.array([0, 0, SHEET_TOP_M]))
        count = DYNAMIC_OBJECTS
    return CellScene(spec, _dump(spec, rng, source, count, T_world_ground, pile.radius_m))


def _dump(
    spec: mujoco.MjSpec, rng: np.random.Generator, source: Source, count: int, T_world_ground: Array, radius_m: float
) -> dict[str, str]:
    """Add objects above a ground, each higher than the one before; their kinds by name."""
    kinds = {}
    height = 0.08
    for k in range(count):
        name, thing = f"object_{k}", source(rng)
        thing.add(spec, name, _drop_pose(T_world_ground, rng, radius_m, height))
        kinds[name] = thing.kind
        height += 0.5 * float(thing.half_m.max())
    return kinds


def _drop_pose(T_world_ground: Array, rng: np.random.Generator, radius_m: float, height_m: float) -> Array:
    """Any orientation, over a disc, above what was dropped before."""
    place = radius_m * np.sqrt(rng.random()) * np.append(_direction(rng), 0.0)
    at = transform(T_world_ground, place[None])[0] + [0, 0, height_m]
    return pose(so3_exp(1.5 * rng.normal(size=3)), at)


# --- bins -------------------------------------------------------------------------------------------------------------


def _bin_pose(rng: np.random.Generator) -> Array:
    """T_world_bin [4, 4]: its floor's middle; lifted so that its lowest edge stands clear of the table."""
    tilt_axis = np.append(_direction(rng), 0.0)
    R = so3_exp(tilt_axis * rng.uniform(0, _STEEPEST_BIN_RAD)) @ so3_exp(_about_z(rng))
    corners = np.array([[x, y, -_WALL_M] for x in (-1, 1) for y in (-1, 1)]) * [*BIN_HALF_M[:2], 1.0]
    lowest = float((corners @ R.T)[:, 2].min())
    shift = 0.06 * np.append(_direction(rng), 0.0) * rng.random()
    shift[2] = rng.uniform(0, _HIGHEST_BIN_M) - lowest
    return pose(R, shift)


def _add_bin(spec: mujoco.MjSpec, T_world_bin: Array, rng: np.random.Generator) -> None:
    """Floor and four walls; fixed to the world."""
    x, y, z = BIN_HALF_M
    w = _WALL_M / 2
    parts = [((0, 0, -w), (x, y, w))]
    parts += [((s * (x + w), 0, z - w), (w, y + 2 * w, z + w)) for s in (-1, 1)]
    parts += [((0, s * (y + w), z - w), (x, w, z + w)) for s in (-1, 1)]
    color = [*rng.uniform(0.2, 0.9, 3), 1.0]
    body = spec.worldbody.add_body(name="bin", pos=T_world_bin[:3, 3], quat=quaternion(T_world_bin))
    for k, (center, half) in enumerate(parts):
        body.add_geom(
            name=f"bin/{k}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=center,
            size=half,
            rgba=color,
            friction=[0.5, 0.005, 0.0005],
        )


def _about_z(rng: np.random.Generator) -> Array:
    return np.array([0.0, 0.0, rng.uniform(-np.pi, np.pi)])


def _direction(rng: np.random.Generator) -> Array:
    angle = rng.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
