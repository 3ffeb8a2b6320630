"""A living room around a place where things are picked up: floor, walls, furniture, light. Nothing here moves.

World frame: z up; whoever picks stands at negative y and looks along positive y. The floor's height is given.
"""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world import textures, textures_home
from digital_twin.world.furniture import Point, add_lights, bar, dress, solid, wall
from digital_twin.world.objects import add_material, add_texture

ROOM_HEIGHT_M = 2.5
LEFT_X, RIGHT_X, FRONT_Y = -2.0, 2.1, -2.4  # walls; the back wall's place is given


def add_room(spec: mujoco.MjSpec, rng: np.random.Generator, floor_z: float, back_y: float) -> None:
    """Floor, four papered walls with skirting, ceiling, window, paintings and lights."""
    floors = (textures.wood, textures.tiles, textures.stone)
    dress(spec, "floor", floors[rng.integers(len(floors))](rng, 512), (4.0, 4.0))
    dress(spec, "wallpaper", textures_home.wallpaper(rng, 512), (2.0, 1.0))
    dress(spec, "ceiling", textures.plain(rng, 64, 64, np.full(3, 0.9)))
    dress(spec, "timber", textures.wood(rng, 256))
    middle, half = floor_z + ROOM_HEIGHT_M / 2, ROOM_HEIGHT_M / 2
    solid(spec, "floor", "floor", (0, 0, floor_z - 0.05), (2.7, 2.7, 0.05))
    solid(spec, "ceiling", "ceiling", (0, 0, floor_z + ROOM_HEIGHT_M + 0.02), (2.7, 2.7, 0.02), collides=False)
    wall(spec, "wall_back", "wallpaper", (0, back_y, middle), (2.2, half), facing=(0, -1, 0))
    wall(spec, "wall_left", "wallpaper", (LEFT_X, 0, middle), (2.7, half), facing=(1, 0, 0))
    wall(spec, "wall_right", "wallpaper", (RIGHT_X, 0, middle), (2.7, half), facing=(-1, 0, 0))
    wall(spec, "wall_front", "wallpaper", (0, FRONT_Y, middle), (2.2, half), facing=(0, 1, 0))
    solid(spec, "skirting", "ceiling", (0, back_y - 0.015, floor_z + 0.04), (2.2, 0.012, 0.04), collides=False)
    _add_window(spec, rng, (RIGHT_X - 0.02, rng.uniform(-0.6, 0.4), floor_z + 1.45))
    hang_painting(spec, rng, "painting_left", (LEFT_X + 0.02, rng.uniform(-0.4, 0.6), floor_z + 1.4), (1, 0, 0))
    add_lights(spec, rng, window_light=(0.4, 0.6))


def hang_painting(
    spec: mujoco.MjSpec, rng: np.random.Generator, name: str, center: Point, facing: Point, half: float = 0.28
) -> None:
    """A framed picture on a wall."""
    dress(spec, name, textures_home.painting(rng, 192))
    wall(spec, name, name, center, (half * rng.uniform(0.8, 1.3), half), facing)


def add_sofa(spec: mujoco.MjSpec, rng: np.random.Generator, center_x: float, back_y: float, floor_z: float) -> None:
    """Seat, back, arms and a cushion, along the back wall."""
    dress(spec, "sofa", textures.cloth(rng, 256), (2.0, 1.0))
    y = back_y - 0.5
    solid(spec, "sofa_seat", "sofa", (center_x, y, floor_z + 0.22), (0.85, 0.4, 0.2))
    solid(spec, "sofa_back", "sofa", (center_x, y + 0.33, floor_z + 0.6), (0.85, 0.1, 0.22))
    for k, side in enumerate((-1, 1)):
        solid(spec, f"sofa_arm_{k}", "sofa", (center_x + side * 0.9, y, floor_z + 0.3), (0.1, 0.4, 0.3))
    _boxes(spec, rng, "cushion", textures.speckled)
    at = (center_x + rng.uniform(-0.6, 0.6), y + 0.2, floor_z + 0.58)
    spec.worldbody.add_geom(
        name="cushion", type=mujoco.mjtGeom.mjGEOM_ELLIPSOID, size=[0.24, 0.1, 0.2], pos=at, material="cushion"
    )


def add_plant(spec: mujoco.MjSpec, rng: np.random.Generator, at: Point) -> None:
    """A pot with a few leafy balls."""
    _boxes(spec, rng, "pot", textures.plain)
    leaves = textures.shaded(np.array([0.2, 0.45, 0.18]), 1.3 * textures.fractal_noise(rng, 96, 96, 9, 3))
    add_texture(spec, "leaves", np.concatenate([leaves] * 6), mujoco.mjtTexture.mjTEXTURE_CUBE)
    add_material(spec, "leaves")
    x, y, z = at
    bar(spec, "pot", "pot", at, (x, y, z + 0.3), 0.14)
    for k in range(4):
        offset = rng.uniform([-0.16, -0.16, 0.4], [0.16, 0.16, 0.95])
        size = rng.uniform([0.1, 0.1, 0.13], [0.2, 0.2, 0.24])
        spec.worldbody.add_geom(
            name=f"leaves_{k}", type=mujoco.mjtGeom.mjGEOM_ELLIPSOID, size=size, pos=at + offset, material="leaves"
        )


def add_sideboard(spec: mujoco.MjSpec, rng: np.random.Generator, center: Point, half: Point, things: int = 0) -> None:
    """A cupboard with panelled doors towards negative y, and things on its top that nobody picks."""
    dress(spec, "panels", textures_home.panels(rng, 256), (max(1.0, round(half[0] / 0.4)), 1.0))
    solid(spec, "sideboard", "timber", center, half)
    front = (center[0], center[1] - half[1] - 0.002, center[2])
    wall(spec, "sideboard_front", "panels", front, (half[0] - 0.01, half[2] - 0.02), facing=(0, -1, 0))
    for k in range(things):
        _boxes(spec, rng, f"thing_{k}", textures.label)
        size = rng.uniform([0.03, 0.03, 0.05], [0.1, 0.07, 0.16])
        x = center[0] + half[0] * (2 * (k + rng.uniform(0.2, 0.8)) / things - 1)
        at = (x, center[1] + rng.uniform(0, half[1] / 2), center[2] + half[2] + size[2])
        solid(spec, f"thing_{k}", f"thing_{k}", at, tuple(size), collides=False, turn_rad=rng.uniform(-0.4, 0.4))


def add_books(
    spec: mujoco.MjSpec, rng: np.random.Generator, name: str, center: Point, half: Point, facing: Point = (0, -1, 0)
) -> None:
    """A row of books that nobody picks: a block with spines in front."""
    dress(spec, name, textures_home.spines(rng, 128, max(64, int(128 * half[0] / half[2]))))
    solid(spec, name, "timber", center, (half[0], half[1] - 0.012, half[2] - 0.012))
    front = tuple(c + f * (half[1] - 0.01) for c, f in zip(center, facing, strict=True))
    wall(spec, f"{name}_spines", name, front, (half[0], half[2]), facing)


def _add_window(spec: mujoco.MjSpec, rng: np.random.Generator, center: Point) -> None:
    """On the right wall: a bright pane with a cross, and curtains at its sides."""
    pane = textures.shaded(np.array([0.8, 0.9, 1.0]), 0.2 * textures.fractal_noise(rng, 128, 128, 60))
    pane[60:68], pane[:, 60:68], pane[:6], pane[-6:], pane[:, :6], pane[:, -6:] = [235] * 6
    dress(spec, "pane", pane)
    dress(spec, "curtain", textures_home.curtain(rng, 128))
    x, y, z = center
    wall(spec, "pane", "pane", center, (0.5, 0.55), facing=(-1, 0, 0))
    for k, side in enumerate((-1, 1)):
        wall(spec, f"curtain_{k}", "curtain", (x - 0.03, y + side * 0.6, z), (0.16, 0.7), facing=(-1, 0, 0))


def _boxes(spec: mujoco.MjSpec, rng: np.random.Generator, name: str, printed) -> None:
    add_texture(spec, name, textures.cube(rng, printed, 64), mujoco.mjtTexture.mjTEXTURE_CUBE)
    add_material(spec, name)
