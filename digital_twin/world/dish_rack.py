"""A dish rack: a tray with two rows of pegs that plates stand between, and a cup for cutlery."""

from __future__ import annotations

import mujoco
import numpy as np

from digital_twin.world.cell_things import Source, Thing
from digital_twin.world.furniture import bar, solid
from digital_twin.world.layouts import scatter
from wildgrasp.geometry import Array, pose, so3_exp

DISHES = frozenset(
    {"plate", "mug", "bowl", "egg_cup", "jug", "teapot", "spoon", "ladle", "spatula", "brush", "tumbler", "fork", "pan"}
)
_HALF = (0.2, 0.14, 0.004)  # of the tray
_PEG_XS = np.arange(-0.17, 0.06, 0.044)  # plates stand between two
_PEG_YS = (-0.05, 0.05)
_PEG_HEIGHT, _PEG_RADIUS = 0.075, 0.003
_CUP = (0.15, -0.08, 0.032, 0.05)  # x, y, half width, half height


def add_dish_rack(spec: mujoco.MjSpec, wire: str, cup: str) -> None:
    """The rack in the materials of its wires and of its cup, standing at z = 0."""
    x, y, z = _HALF
    solid(spec, "rack_tray", wire, (0, 0, z), _HALF)
    for k, side in enumerate((-1, 1)):
        solid(spec, f"rack_rim_x{k}", wire, (side * x, 0, 0.012), (0.003, y, 0.012))
        solid(spec, f"rack_rim_y{k}", wire, (0, side * y, 0.012), (x, 0.003, 0.012))
    for row, peg_y in enumerate(_PEG_YS):
        for k, peg_x in enumerate(_PEG_XS):
            bar(spec, f"rack_peg_{row}_{k}", wire, (peg_x, peg_y, z), (peg_x, peg_y, _PEG_HEIGHT), _PEG_RADIUS)
    cx, cy, half, high = _CUP
    solid(spec, "cup_floor", cup, (cx, cy, 0.01), (half, half, 0.003))
    for k, side in enumerate((-1, 1)):
        solid(spec, f"cup_x{k}", cup, (cx + side * half, cy, high), (0.002, half, high))
        solid(spec, f"cup_y{k}", cup, (cx, cy + side * half, high), (half, 0.002, high))


def dishes(source: Source) -> Source:
    """Only what belongs into a rack; after some draws without luck, anything."""

    def draw(rng: np.random.Generator) -> Thing:
        for _ in range(200):
            thing = source(rng)
            if thing.kind in DISHES:
                break
        return thing

    return draw


def put_away(rng: np.random.Generator, things: tuple[Thing, ...]) -> list[Array]:
    """Flat things between pegs, long ones in the cup, others beside the rack."""
    slots = list(rng.permutation(_PEG_XS[:-1] + np.diff(_PEG_XS) / 2))
    in_cup = 0
    poses: list[Array] = []
    for thing in things:
        thin, wide, long = np.sort(thing.half_m)
        if thin < 0.016 and wide > 0.05 and slots:
            R = so3_exp(np.array([0.0, np.pi / 2, 0.0])) @ _thin_axis_up(thing)
            poses.append(pose(R, np.array([slots.pop(), 0.0, 2 * _HALF[2] + wide + 0.004])))
        elif wide < 0.036 and long > 0.055 and in_cup < 3:
            corner = np.array([(-1, -1), (1, 1), (-1, 1)][in_cup]) * 0.012
            R = so3_exp(np.array([0, 0, rng.uniform(-np.pi, np.pi)])) @ _long_axis_up(thing)
            poses.append(pose(R, np.array([_CUP[0] + corner[0], _CUP[1] + corner[1], long + 0.02])))
            in_cup += 1
        else:
            (T,) = scatter(rng, (thing,), 0.03)
            spot = np.array([(-0.3, 0.02), (0.3, 0.05), (-0.3, -0.17), (0.29, -0.16), (0.02, -0.23), (0.13, 0.06)])
            place = spot[len(poses) % len(spot)]
            T[:2, 3] += place
            T[2, 3] += 0.012 if abs(place[0]) < _HALF[0] and abs(place[1]) < _HALF[1] else 0.0
            poses.append(T)
    return poses


def _thin_axis_up(thing: Thing) -> Array:
    return np.roll(np.eye(3), 2 - int(np.argmin(thing.half_m)), axis=0)


def _long_axis_up(thing: Thing) -> Array:
    """The end that is used up: it is at positive coordinates in every shape."""
    return np.roll(np.eye(3), 2 - int(np.argmax(thing.half_m)), axis=0)
