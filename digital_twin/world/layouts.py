"""How things lie: scattered, dumped, in rows on boards, hung on a wall.

Each gives T_world_object [4, 4] of every thing, a little above where it will come to rest.
"""

from __future__ import annotations

import numpy as np

from digital_twin.world.cell_things import Thing
from wildgrasp.geometry import Array, pose, so3_exp

_ABOVE_M = 0.004


def scatter(rng: np.random.Generator, things: tuple[Thing, ...], spread: float) -> list[Array]:
    """Standing or lying at random, each where it has most room among a few random places."""
    placed: list[tuple[Array, float]] = []
    poses = []
    for thing in things:
        T = _upright(rng, thing)
        radius = float(np.hypot(*thing.half_m[:2]))
        options = [spread * np.sqrt(rng.random()) * _direction(rng) for _ in range(40)]
        room = [min((np.linalg.norm(o - p) - r - radius for p, r in placed), default=0.0) for o in options]
        enough = [k for k, gap in enumerate(room) if gap > 0.005]
        at = options[enough[0] if enough else int(np.argmax(room))]
        crowded = not enough and bool(placed)
        T[:2, 3] = at
        T[2, 3] += 0.1 * len(poses) if crowded else 0.0
        placed.append((at, radius))
        poses.append(T)
    return poses


def dump(rng: np.random.Generator, things: tuple[Thing, ...], corner: float) -> list[Array]:
    """Any orientation, stacked without touching in four narrow columns: they tumble into a pile."""
    tops = np.full(4, 0.01)
    poses = []
    for thing in things:
        column = int(np.argmin(tops))
        radius = float(np.linalg.norm(thing.half_m))
        at = corner * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)][column])
        at = np.array([*(at + rng.normal(size=2) * 0.01), tops[column] + radius])
        poses.append(pose(so3_exp(rng.normal(size=3) * 1.5), at))
        tops[column] += 2 * radius + 0.01
    return poses


def in_rows(
    rng: np.random.Generator, things: tuple[Thing, ...], boards: tuple[float, ...], half_x: float, headroom: float
) -> list[Array]:
    """Beside each other near the front edge (y = 0) of boards at heights, as they fit; depth is along y."""
    cursor = np.full(len(boards), -half_x)
    poses = []
    for thing in things:
        T = _upright(rng, thing)
        if 2 * T[2, 3] > headroom:  # too high for the board: it lies
            T = _lying(rng, thing)
        half = np.abs(T[:3, :3]) @ thing.half_m
        board = int(np.argmin(cursor))
        cursor[board] += half[0] + rng.uniform(0.01, 0.04)
        T[:3, 3] += [cursor[board], half[1] + rng.uniform(0.01, 0.04), boards[board]]
        cursor[board] += half[0]
        poses.append(T)
    return poses


def hang(rng: np.random.Generator, things: tuple[Thing, ...]) -> list[Array]:
    """Flat against the wall (y = 0), turned any way, each in its own place where there is room."""
    taken: list[tuple[Array, Array]] = []
    poses = []
    for thing in things:
        axis = int(np.argmin(thing.half_m)) if rng.random() < 0.7 else int(rng.integers(3))
        R = so3_exp(np.array([0.0, rng.uniform(-np.pi, np.pi), 0.0])) @ np.roll(np.eye(3), 1 - axis, axis=0)
        half = np.abs(R) @ thing.half_m
        options = rng.uniform([-0.38, 0.0], [0.38, 0.38], (60, 2))
        gaps = [min((np.max(np.abs(o - p) - half[::2] - h) for p, h in taken), default=1.0) for o in options]
        at = options[int(np.argmax(np.minimum(gaps, 0.012)))]
        taken.append((at, half[::2]))
        poses.append(pose(R, np.array([at[0], -half[1] - 0.002, at[1]])))
    return poses


def _upright(rng: np.random.Generator, thing: Thing) -> Array:
    """Mostly as it stands, sometimes lying on its side; just above the ground."""
    yaw = so3_exp(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
    lying = rng.random() < 0.3
    R = yaw @ so3_exp(np.array([np.pi / 2, 0, 0])) if lying else yaw
    half_height = thing.half_m[1] if lying else thing.half_m[2]
    return pose(R, np.array([0, 0, half_height + _ABOVE_M]))


def _lying(rng: np.random.Generator, thing: Thing) -> Array:
    """With its shortest side up."""
    yaw = so3_exp(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
    axis = int(np.argmin(thing.half_m))
    return pose(yaw @ np.roll(np.eye(3), 2 - axis, axis=0), np.array([0, 0, thing.half_m[axis] + _ABOVE_M]))


def _direction(rng: np.random.Generator) -> Array:
    angle = rng.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle)])
