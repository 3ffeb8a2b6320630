"""A kitchen around the objects: table, floor, walls, cupboards and lights. Nothing here moves.

World frame: origin in the middle of the table's top, z up, so the floor lies at minus the table's height. Furniture
stands behind (+y) and on the left (-x).
"""

from __future__ import annotations

from typing import Literal

import mujoco
import numpy as np

from digital_twin.world import textures
from digital_twin.world.furniture import add_lights, dress, solid, wall
from digital_twin.world.objects import add_material, add_texture

Table = Literal["patterned", "plain"]  # plain: one colour with faint, wide shades

TABLE_HALF = (0.62, 0.45)  # metres
TABLE_THICKNESS = 0.04
BACK_Y, LEFT_X, FRONT_Y, RIGHT_X = 1.35, -1.6, -1.8, 1.7  # the room's walls
TOP_PIXELS = 1024  # 1.2 mm of table per pixel


def add_backdrop(
    spec: mujoco.MjSpec, rng: np.random.Generator, table_height_m: float, table: Table = "patterned"
) -> None:
    """Add table (geom ``table``), floor, walls, furniture and lights, dressed from the generator."""
    surface = textures.SURFACES[rng.integers(len(textures.SURFACES))](rng, TOP_PIXELS)
    if table == "plain":
        surface = textures.plain(rng, TOP_PIXELS, TOP_PIXELS, textures.random_color(rng, 0.3))
    dress(spec, "table", surface)
    dress(spec, "floor", textures.SURFACES[rng.integers(len(textures.SURFACES))](rng, 512), (6.0, 6.0))
    dress(spec, "wall", textures.plaster(rng, 512))
    dress(spec, "splash", textures.tiles(rng, 512))
    dress(spec, "cupboard", textures.wood(rng, 512))
    floor_z = -table_height_m
    _add_table(spec, table_height_m)
    solid(spec, "floor", "floor", (0, 0, floor_z - 0.05), (3, 3, 0.05))
    middle = floor_z + 1.3
    wall(spec, "wall_back", "wall", (0, BACK_Y, middle), (2.6, 1.3), facing=(0, -1, 0))
    wall(spec, "wall_left", "wall", (LEFT_X, 0, middle), (2.6, 1.3), facing=(1, 0, 0))
    wall(spec, "wall_front", "wall", (0, FRONT_Y, middle), (2.6, 1.3), facing=(0, 1, 0))
    wall(spec, "wall_right", "wall", (RIGHT_X, 0, middle), (2.6, 1.3), facing=(-1, 0, 0))
    wall(spec, "splash", "splash", (0, BACK_Y - 0.02, 0.25), (2.0, 0.3), facing=(0, -1, 0))
    _add_furniture(spec, rng, floor_z)
    add_lights(spec, rng)


def _add_table(spec: mujoco.MjSpec, height: float) -> None:
    x, y = TABLE_HALF
    half = TABLE_THICKNESS / 2
    solid(spec, "table", "table", (0, 0, -half), (x, y, half))
    leg = (height - TABLE_THICKNESS) / 2
    if leg <= 0:  # a table as low as its own top: objects on the floor
        return
    for k, (u, v) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        place = (u * (x - 0.05), v * (y - 0.05), -TABLE_THICKNESS - leg)
        solid(spec, f"table_leg_{k}", "cupboard", place, (0.03, 0.03, leg))


def _add_furniture(spec: mujoco.MjSpec, rng: np.random.Generator, floor_z: float) -> None:
    """A worktop along the back wall with things on it, wall cupboards above, a sideboard on the left."""
    solid(spec, "worktop", "cupboard", (0, BACK_Y - 0.3, floor_z + 0.42), (1.6, 0.28, 0.42))
    for k, x in enumerate((-0.9, -0.3, 0.3, 0.9)):
        if rng.random() < 0.75:
            solid(spec, f"wall_cupboard_{k}", "cupboard", (x, BACK_Y - 0.18, floor_z + 1.75), (0.28, 0.17, 0.35))
    solid(spec, "sideboard", "cupboard", (LEFT_X + 0.25, 0.1, floor_z + 0.4), (0.24, 0.7, 0.4))
    for k in range(8):  # things that stand about, too far away to be picked
        on_worktop = k < 5
        half = rng.uniform([0.03, 0.03, 0.05], [0.1, 0.09, 0.16])
        x = rng.uniform(-1.4, 1.4) if on_worktop else LEFT_X + 0.25
        y = BACK_Y - 0.25 if on_worktop else rng.uniform(-0.5, 0.7)
        top = floor_z + (0.84 if on_worktop else 0.8)
        name = f"thing_{k}"
        add_texture(spec, name, textures.cube(rng, textures.label, 128), mujoco.mjtTexture.mjTEXTURE_CUBE)
        add_material(spec, name)
        solid(spec, name, name, (x, y, top + half[2]), tuple(half), collides=False)
