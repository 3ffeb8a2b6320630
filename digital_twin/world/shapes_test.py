"""The test family: kinds of shapes that no demonstration shows. Disjoint from the training family by kind."""

from __future__ import annotations

import numpy as np

from digital_twin.world.shapes import LYING_X, Make, Part, Rng, Shape, ring, rotation_vector
from wildgrasp.geometry import so3_exp


def tumbler(rng: Rng) -> Shape:
    """A cup without handle, wider at the top."""
    r, h, wall = rng.uniform(0.028, 0.036), rng.uniform(0.04, 0.06), rng.uniform(0.004, 0.006)
    bottom = Part("cylinder", (r * 0.92, 0.004), (0, 0, -h + 0.004))
    return Shape("tumbler", (bottom, *ring(r, 2 * h, 0, wall, 12, 0.1)), rng.uniform(700, 1300), ("speckled",))


def detergent(rng: Rng) -> Shape:
    """A flat bottle with a grip at its side."""
    x, y, h = rng.uniform(0.022, 0.032), rng.uniform(0.035, 0.05), rng.uniform(0.06, 0.09)
    reach = 0.022
    bars = [
        Part("capsule", (0.007, reach / 2), (0, y + reach / 2 - 0.004, h * z), (np.pi / 2, 0, 0), 1)
        for z in (-0.1, 0.5)
    ]
    parts = (
        Part("ellipsoid", (x, y, h)),
        Part("box", (x * 0.7, y * 0.7, 0.006), (0, 0, -h + 0.008)),
        Part("cylinder", (0.014, 0.018), (0, 0, h), look=1),
        Part("capsule", (0.007, h * 0.3), (0, y + reach, h * 0.2), look=1),
        *bars,
    )
    return Shape("detergent", parts, rng.uniform(300, 700), ("label", "plain"))


def hammer(rng: Rng) -> Shape:
    """Handle and head, lying."""
    half, r = rng.uniform(0.07, 0.1), rng.uniform(0.009, 0.013)
    head = (rng.uniform(0.011, 0.015), rng.uniform(0.035, 0.045), rng.uniform(0.011, 0.015))
    parts = (Part("capsule", (r, half), (0, 0, 0), LYING_X), Part("box", head, (half, 0, 0), look=1))
    return Shape("hammer", parts, rng.uniform(900, 1600), ("plain", "plain"))


def fork(rng: Rng) -> Shape:
    """A serving fork with three tines."""
    half, r = rng.uniform(0.045, 0.065), rng.uniform(0.005, 0.007)
    tines = [Part("capsule", (0.003, 0.02), (half + 0.03, s * 0.011, 0), LYING_X) for s in (-1, 0, 1)]
    bridge = Part("box", (0.006, 0.015, 0.004), (half + 0.006, 0, 0))
    return Shape(
        "fork", (Part("capsule", (r, half), (0, 0, 0), LYING_X), bridge, *tines), rng.uniform(800, 1600), ("plain",)
    )


def banana(rng: Rng) -> Shape:
    """Three capsules in an arc."""
    r, half, bend = rng.uniform(0.014, 0.019), rng.uniform(0.022, 0.032), rng.uniform(0.35, 0.55)
    parts = [Part("capsule", (r, half), (0, 0, 0), LYING_X)]
    for s in (-1, 1):
        R = so3_exp(np.array([0, 0, s * bend])) @ so3_exp(np.array([0, np.pi / 2, 0]))
        x, y = half + half * np.cos(bend), half * np.sin(bend)
        parts.append(Part("capsule", (r * 0.9, half), (s * x, y, 0), rotation_vector(R)))
    return Shape("banana", tuple(parts), rng.uniform(500, 900), ("speckled",))


def pan(rng: Rng) -> Shape:
    """A small pan: rim, bottom and a handle."""
    r, h, half = rng.uniform(0.05, 0.065), rng.uniform(0.012, 0.018), rng.uniform(0.04, 0.06)
    handle = Part("capsule", (0.008, half), (r + half + 0.004, 0, h * 0.4), LYING_X, 1)
    bottom = Part("cylinder", (r, 0.003), (0, 0, -h))
    return Shape(
        "pan", (bottom, *ring(r, 2 * h, 0, 0.005, 14, 0.15), handle), rng.uniform(500, 900), ("plain", "plain")
    )


def tape(rng: Rng) -> Shape:
    """A roll of tape: a thick ring."""
    r, h = rng.uniform(0.028, 0.042), rng.uniform(0.009, 0.02)
    return Shape("tape", tuple(ring(r, 2 * h, 0, rng.uniform(0.01, 0.016), 12)), rng.uniform(500, 900), ("plain",))


def bulb(rng: Rng) -> Shape:
    """A light bulb."""
    r = rng.uniform(0.026, 0.034)
    parts = (Part("ellipsoid", (r, r, r * 1.1)), Part("cylinder", (r * 0.45, 0.016), (0, 0, -r * 1.1 - 0.006), look=1))
    return Shape("bulb", parts, rng.uniform(150, 400), ("plain", "speckled"))


def toy_car(rng: Rng) -> Shape:
    """Body, cabin and four wheels."""
    x, y, z = rng.uniform(0.035, 0.055), rng.uniform(0.016, 0.024), rng.uniform(0.01, 0.014)
    axle = y + 0.003
    wheels = [
        Part("cylinder", (z * 0.9, 0.004), (u * x * 0.6, v * axle, -z), (np.pi / 2, 0, 0), 1)
        for u in (-1, 1)
        for v in (-1, 1)
    ]
    cabin = Part("box", (x * 0.5, y * 0.9, z * 0.8), (-x * 0.1, 0, z * 1.8), look=2)
    return Shape(
        "toy_car", (Part("box", (x, y, z)), cabin, *wheels), rng.uniform(500, 1000), ("label", "plain", "plain")
    )


def carton(rng: Rng) -> Shape:
    """A milk carton with its gable."""
    x, h = rng.uniform(0.028, 0.04), rng.uniform(0.045, 0.075)
    slope = rng.uniform(0.7, 0.9)
    roof, turn = h + x * np.tan(slope) / 2 - 0.002, np.pi / 2 - slope
    flaps = [Part("box", (0.002, x, x / np.cos(slope) / 2), (s * x / 2, 0, roof), (0, -s * turn, 0)) for s in (-1, 1)]
    ridge = Part("box", (0.003, x, 0.008), (0, 0, h + x * np.tan(slope) + 0.004), look=1)
    return Shape("carton", (Part("box", (x, x, h)), *flaps, ridge), rng.uniform(200, 600), ("label", "plain"))


def scissors(rng: Rng) -> Shape:
    """Two crossing blades with finger rings."""
    half, cross = rng.uniform(0.05, 0.07), rng.uniform(0.15, 0.3)
    parts: list[Part] = []
    for s in (-1, 1):
        R = so3_exp(np.array([0, 0, s * cross]))
        parts.append(Part("box", (half, 0.006, 0.003), (half * 0.4, 0, s * 0.003), rotation_vector(R)))
        end = np.array([half * 0.4, 0, 0]) - R @ np.array([half + 0.018, 0, 0])
        parts += [
            Part(p.solid, p.size, (p.position[0] + end[0], p.position[1] + end[1], p.position[2]), p.rotation, 1)
            for p in ring(0.019, 0.012, 0, 0.006, 8)
        ]
    return Shape("scissors", tuple(parts), rng.uniform(900, 1500), ("plain", "plain"))


def tube(rng: Rng) -> Shape:
    """Toothpaste: a flat tube that thickens towards its cap, lying."""
    half, r = rng.uniform(0.05, 0.07), rng.uniform(0.012, 0.018)
    parts = (
        Part("ellipsoid", (half, r * 1.4, r)),
        Part("box", (0.005, r * 1.5, 0.002), (-half, 0, 0)),
        Part("cylinder", (r * 0.9, 0.014), (half, 0, 0), LYING_X, 1),
    )
    return Shape("tube", parts, rng.uniform(500, 900), ("label", "plain"))


KINDS: tuple[Make, ...] = (
    tumbler, detergent, hammer, fork, banana, pan, tape, bulb, toy_car, carton, scissors, tube,
)  # fmt: skip
