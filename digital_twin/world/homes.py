"""The places at home where simulated people pick things up: table, shelf, bin, wall, floor and dish rack.

Each scene is a room with furniture of primitives, a :class:`Workplace`, and a way to lay things out there. Frame
``world``: z up, origin where the things are, the person at negative y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np

from digital_twin.world import textures, textures_home
from digital_twin.world.backdrop import Table, add_backdrop
from digital_twin.world.cell_things import Source, Thing
from digital_twin.world.cell_wall import add_hook
from digital_twin.world.dish_rack import add_dish_rack, dishes, put_away
from digital_twin.world.furniture import bar, dress, solid, wall
from digital_twin.world.layouts import dump, hang, in_rows, scatter
from digital_twin.world.rooms import add_books, add_plant, add_room, add_sideboard, add_sofa, hang_painting
from digital_twin.world.workplace import Workplace
from wildgrasp.geometry import Array

HomeName = Literal["table", "shelf", "bin", "wall", "floor", "rack"]
HOMES: tuple[HomeName, ...] = ("table", "shelf", "bin", "wall", "floor", "rack")
Arrangement = Literal["scattered", "pile"]
Layout = Callable[[np.random.Generator, tuple[Thing, ...]], list[Array]]


@dataclass(frozen=True)
class HomeSettings:
    """What a scene can be asked to be."""

    table_height_m: float = 0.75
    table: Table = "patterned"
    arrangement: Arrangement = "scattered"  # on table and floor
    spread_m: float = 0.17


@dataclass(frozen=True)
class Home:
    """A furnished place: how a hand gets at things there, and how they lie (T_world_object of each)."""

    workplace: Workplace
    layout: Layout
    choose: Callable[[Source], Source] = lambda source: source  # what is found there
    hooks: bool = False  # things hang, each on a hook that gives way


def furnish(spec: mujoco.MjSpec, rng: np.random.Generator, home: HomeName, settings: HomeSettings) -> Home:
    """Add a scene's room and furniture to a specification."""
    return _FURNISH[home](spec, rng, settings)


def hang_up(spec: mujoco.MjSpec, names: tuple[str, ...], poses: list[Array]) -> None:
    """Give every thing its hook."""
    for name, T in zip(names, poses, strict=True):
        add_hook(spec, name, T)


# --- the scenes -------------------------------------------------------------------------------------------------------


def _table(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """A kitchen table."""
    add_backdrop(spec, rng, settings.table_height_m, settings.table)
    return Home(Workplace(), _lie(settings))


def _floor(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """A rug in front of a sofa."""
    back_y = 1.9
    add_room(spec, rng, floor_z=-0.012, back_y=back_y)
    dress(spec, "rug", textures_home.rug(rng, 768, 1024))
    solid(spec, "rug", "rug", (0, 0, -0.006), (1.0, 0.75, 0.006))
    add_sofa(spec, rng, rng.uniform(-0.5, 0.5), back_y, -0.012)
    add_plant(spec, rng, (rng.choice([-1.5, 1.6]), back_y - 0.4, -0.012))
    hang_painting(spec, rng, "painting", (rng.uniform(-0.5, 0.5), back_y - 0.02, 1.45), (0, -1, 0), 0.35)
    add_sideboard(spec, rng, (-1.72, -0.2, 0.27), (0.24, 0.6, 0.28))
    return Home(Workplace(reach=((-0.5, -0.38, -0.01), (0.5, 0.38, 1.0))), _lie(settings))


def _bin(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """A box of things that have been thrown in, on a low table."""
    height, back_y = float(rng.uniform(0.4, 0.5)), 1.3
    add_room(spec, rng, -height, back_y)
    tops = (textures.wood, textures.cloth, textures.stone)
    dress(spec, "table", tops[rng.integers(len(tops))](rng, 768))
    solid(spec, "table", "table", (0, 0, -0.03), (0.6, 0.42, 0.02))
    for k, (u, v) in enumerate([(-1, -1), (-1, 1), (1, -1), (1, 1)]):
        bar(spec, f"table_leg_{k}", "timber", (u * 0.53, v * 0.36, -height), (u * 0.53, v * 0.36, -0.05), 0.025)
    wood = rng.random() < 0.5
    dress(
        spec, "bin", textures.wood(rng, 192) if wood else textures.speckled(rng, 192, 192, textures.random_color(rng))
    )
    x, y, deep, thin = rng.uniform(0.18, 0.22), rng.uniform(0.14, 0.17), rng.uniform(0.04, 0.055), 0.004
    solid(spec, "bin_floor", "bin", (0, 0, -thin), (x, y, thin))
    for k, side in enumerate((-1, 1)):
        solid(spec, f"bin_end_{k}", "bin", (side * (x + thin), 0, deep - 2 * thin), (thin, y + 2 * thin, deep))
        solid(spec, f"bin_side_{k}", "bin", (0, side * (y + thin), deep - 2 * thin), (x, thin, deep))
    add_sideboard(spec, rng, (rng.uniform(-0.4, 0.4), back_y - 0.22, 0.4 - height), (0.9, 0.2, 0.4), things=5)
    hang_painting(spec, rng, "painting", (rng.uniform(-0.8, 0.8), back_y - 0.02, 1.5 - height), (0, -1, 0))
    workplace = Workplace(
        reach=((-x, -y, -0.01), (x, y, 0.5)), free_m=0.2, way_out=((0.0, 0.0, 0.2),), straight_m=0.14, steepest_deg=60.0
    )
    return Home(workplace, lambda rng, things: dump(rng, things, 0.45 * x))


def _shelf(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """Two boards of a bookcase; the origin is in the middle of the lower one's front edge."""
    height, gap = float(rng.uniform(0.8, 0.95)), float(rng.uniform(0.36, 0.42))
    deep, half_x = 0.3, 0.5
    add_room(spec, rng, -height, deep + 0.03)
    dress(spec, "board", textures.wood(rng, 512), (1.0, 0.4))
    levels = (0.0, gap, 2 * gap)
    for k, z in enumerate(levels):
        solid(spec, f"board_{k}", "board", (0, deep / 2, z - 0.01), (half_x, deep / 2, 0.01))
    middle, half_z = (2 * gap - height + 0.35) / 2, (2 * gap + height + 0.35) / 2
    for k, side in enumerate((-1, 1)):
        solid(spec, f"upright_{k}", "board", (side * (half_x + 0.01), deep / 2, middle), (0.01, deep / 2, half_z))
    dress(spec, "shelf_back", textures.plain(rng, 256, 256, textures.random_color(rng, 0.25, 0.7)))
    wall(spec, "shelf_back", "shelf_back", (0, deep, middle), (half_x, half_z), facing=(0, -1, 0))
    add_sideboard(spec, rng, (0, deep / 2 + 0.01, -height / 2 - 0.02), (half_x, deep / 2 - 0.01, height / 2 - 0.02))
    for k, z in enumerate((0.0, gap, 2 * gap)):
        side = rng.choice([-1, 1])
        half = rng.uniform([0.07, 0.08, 0.1], [0.12, 0.1, 0.14])
        add_books(spec, rng, f"books_{k}", (side * (half_x - half[0] - 0.01), deep - 0.11, z + half[2]), tuple(half))
    add_plant(spec, rng, (rng.choice([-0.95, 0.95]), 0.05, -height))
    workplace = Workplace(
        reach=((-half_x + 0.05, -0.03, -0.01), (half_x - 0.05, deep, gap + 0.3)),
        inward=(0.0, 1.0, 0.0),
        way_out=((0.0, 0.0, 0.03), (0.0, -0.19, 0.01)),
        straight_m=0.19,
        steepest_deg=50.0,
        camera_room=((-0.7, -1.3, 0.0), (0.7, -0.2, gap + 0.5)),
        parked=(0.0, -0.5, 0.25),
        middle=(0.0, 0.08, 0.8 * gap),
    )
    return Home(workplace, lambda rng, things: in_rows(rng, things, (0.0, gap), half_x - 0.26, gap - 0.06))


def _wall(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """Things on hooks over a sideboard; the origin is on the wall, in the middle of its lower edge."""
    below, back_y = float(rng.uniform(0.3, 0.36)), 0.0
    top = -below
    height = 0.85 + below
    add_room(spec, rng, -height, back_y + 0.03)
    surfaces = (textures.wood, textures.tiles, textures.cloth)
    dress(spec, "pegboard", surfaces[rng.integers(len(surfaces))](rng, 768))
    wall(spec, "pegboard", "pegboard", (0, 0.01, 0.18), (0.6, 0.38), facing=(0, -1, 0))
    add_sideboard(spec, rng, (0, -0.24, (top - height) / 2), (0.75, 0.24, (top + height) / 2))
    dress(spec, "runner", textures.cloth(rng, 256), (2.0, 1.0))
    solid(spec, "runner", "runner", (0, -0.22, top + 0.002), (0.6, 0.16, 0.002))
    for k, side in enumerate((-1, 1)):
        hang_painting(spec, rng, f"painting_{k}", (side * rng.uniform(1.0, 1.3), 0.01, 0.3), (0, -1, 0), 0.25)
    workplace = Workplace(
        reach=((-0.5, -0.2, -0.2), (0.5, 0.05, 0.6)),
        inward=(0.0, 1.0, 0.0),
        free_m=0.16,
        way_out=((0.0, -0.08, 0.01), (0.0, -0.09, 0.03)),
        steepest_deg=60.0,
        camera_room=((-0.8, -1.3, -0.15), (0.8, -0.25, 0.9)),
        parked=(0.0, -0.5, 0.2),
        middle=(0.0, 0.0, 0.18),
        ledge=((-0.4, -0.34, top + 0.004), (0.4, -0.22, top + 0.004)),
    )
    return Home(workplace, hang, hooks=True)


def _rack(spec: mujoco.MjSpec, rng: np.random.Generator, settings: HomeSettings) -> Home:
    """A dish rack on the kitchen table: plates between pegs, cutlery in a cup, the rest beside it."""
    add_backdrop(spec, rng, settings.table_height_m, settings.table)
    dress(spec, "rack", textures.plain(rng, 64, 64, np.full(3, rng.uniform(0.35, 0.9))))
    dress(spec, "cup", textures.speckled(rng, 96, 96, textures.random_color(rng)))
    add_dish_rack(spec, "rack", "cup")
    return Home(Workplace(way_out=((0.0, 0.0, 0.19),), straight_m=0.11), put_away, dishes)


def _lie(settings: HomeSettings) -> Layout:
    if settings.arrangement == "pile":
        return lambda rng, things: dump(rng, things, 0.45 * settings.spread_m)
    return lambda rng, things: scatter(rng, things, settings.spread_m)


_FURNISH: dict[HomeName, Callable[[mujoco.MjSpec, np.random.Generator, HomeSettings], Home]] = {
    "table": _table, "shelf": _shelf, "bin": _bin, "wall": _wall, "floor": _floor, "rack": _rack,
}  # fmt: skip
