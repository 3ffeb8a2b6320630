"""Kitchenware of the training family."""

from __future__ import annotations

import numpy as np

from digital_twin.world.shapes import LYING_X, LYING_Y, Part, Rng, Shape, ring


def plate(rng: Rng) -> Shape:
    """A plate or saucer: a flat middle in a rim that rises."""
    r, thick, lean = rng.uniform(0.05, 0.085), rng.uniform(0.003, 0.004), rng.uniform(0.9, 1.2)
    rim = ring(r * 0.86, r * 0.34, thick + r * 0.17 * np.cos(lean), 2 * thick, 16, lean, look=1)
    bottom = Part("cylinder", (r * 0.72, thick))
    return Shape("plate", (bottom, *rim), rng.uniform(1200, 1900), ("plain", "speckled"))


def egg_cup(rng: Rng) -> Shape:
    """Foot, stem and a small cup."""
    r, h, stem = rng.uniform(0.022, 0.028), rng.uniform(0.018, 0.026), rng.uniform(0.012, 0.02)
    parts = (
        Part("cylinder", (r * 0.95, 0.004), (0, 0, -h - 2 * stem)),
        Part("cylinder", (r * 0.35, stem), (0, 0, -h - stem)),
        Part("cylinder", (r, 0.004), (0, 0, -h)),
        *ring(r, 2 * h, 0, 0.004, 12, 0.08),
    )
    return Shape("egg_cup", parts, rng.uniform(700, 1500), ("speckled",))


def lid(rng: Rng) -> Shape:
    """A pot's lid with its knob."""
    r, thick = rng.uniform(0.05, 0.085), rng.uniform(0.003, 0.005)
    knob, neck = rng.uniform(0.012, 0.018), rng.uniform(0.008, 0.012)
    parts = (
        Part("cylinder", (r, thick)),
        Part("ellipsoid", (r * 0.9, r * 0.9, 0.012), (0, 0, thick)),
        Part("cylinder", (knob * 0.5, neck), (0, 0, thick + 0.008 + neck), look=1),
        Part("cylinder", (knob, 0.007), (0, 0, thick + 0.012 + 2 * neck), look=1),
    )
    return Shape("lid", parts, rng.uniform(600, 1200), ("plain", "plain"))


def ladle(rng: Rng) -> Shape:
    """A long handle at a hollow bowl."""
    half, r = rng.uniform(0.06, 0.09), rng.uniform(0.022, 0.032)
    bowl = [
        Part(p.solid, p.size, (p.position[0] + half + r, p.position[1], p.position[2]), p.rotation, 1)
        for p in ring(r, 0.026, 0.008, 0.004, 10, 0.3)
    ]
    parts = (
        Part("capsule", (rng.uniform(0.0045, 0.007), half), (0, 0, 0.012), LYING_X),
        Part("cylinder", (r * 0.85, 0.003), (half + r, 0, -0.004), look=1),
        *bowl,
    )
    return Shape("ladle", parts, rng.uniform(700, 1300), ("plain", "plain"))


def spatula(rng: Rng) -> Shape:
    """A turner: a blade at a handle."""
    half, x, y = rng.uniform(0.055, 0.085), rng.uniform(0.03, 0.045), rng.uniform(0.022, 0.035)
    parts = (
        Part("capsule", (rng.uniform(0.006, 0.01), half), (0, 0, 0), LYING_X),
        Part("box", (x, y, 0.0025), (half + x, 0, 0), look=1),
    )
    return Shape("spatula", parts, rng.uniform(600, 1100), ("plain", "plain"))


def knife(rng: Rng) -> Shape:
    """A table knife lying on its side: a thick handle, a flat blade."""
    grip, blade, y = rng.uniform(0.035, 0.05), rng.uniform(0.045, 0.065), rng.uniform(0.008, 0.012)
    parts = (
        Part("box", (grip, y * 0.8, rng.uniform(0.005, 0.008)), (-grip, 0, 0)),
        Part("box", (blade, y, 0.002), (blade, 0, 0), look=1),
    )
    return Shape("knife", parts, rng.uniform(900, 1700), ("plain", "plain"))


def chopsticks(rng: Rng) -> Shape:
    """A pair, tied together."""
    r, half = rng.uniform(0.0035, 0.005), rng.uniform(0.07, 0.095)
    sticks = [Part("capsule", (r, half), (0, s * r, 0), LYING_X) for s in (-1, 1)]
    tie = Part("box", (0.006, 2 * r + 0.002, r + 0.002), (half * rng.uniform(-0.6, 0.6), 0, 0), look=1)
    return Shape("chopsticks", (*sticks, tie), rng.uniform(600, 1100), ("speckled", "plain"))


def rolling_pin(rng: Rng) -> Shape:
    """A roll with two handles."""
    r, half = rng.uniform(0.018, 0.028), rng.uniform(0.05, 0.08)
    grips = [Part("capsule", (r * 0.45, 0.02), (s * (half + 0.02), 0, 0), LYING_X, 1) for s in (-1, 1)]
    return Shape("rolling_pin", (Part("cylinder", (r, half), (0, 0, 0), LYING_X), *grips), rng.uniform(400, 700),
                 ("speckled", "plain"))  # fmt: skip


def grater(rng: Rng) -> Shape:
    """Four sides of a box grater with the handle on top."""
    x, y, h = rng.uniform(0.028, 0.038), rng.uniform(0.02, 0.03), rng.uniform(0.045, 0.065)
    sides = [Part("box", (0.002, y, h), (s * x, 0, 0)) for s in (-1, 1)]
    sides += [Part("box", (x, 0.002, h), (0, s * y, 0)) for s in (-1, 1)]
    top = Part("box", (x, y, 0.002), (0, 0, h))
    handle = Part("capsule", (0.006, x * 0.7), (0, 0, h + 0.024), LYING_X, 1)
    posts = [Part("capsule", (0.005, 0.008), (s * x * 0.7, 0, h + 0.012), look=1) for s in (-1, 1)]
    return Shape("grater", (*sides, top, handle, *posts), rng.uniform(900, 1600), ("speckled", "plain"))


def teapot(rng: Rng) -> Shape:
    """A round body with spout, handle and lid."""
    r, flat = rng.uniform(0.034, 0.045), rng.uniform(0.75, 0.95)
    parts = (
        Part("ellipsoid", (r, r, r * flat)),
        Part("cylinder", (r * 0.6, 0.004), (0, 0, -r * flat + 0.004)),
        Part("capsule", (0.007, 0.022), (r + 0.012, 0, 0.006), (0.0, 0.7, 0.0)),
        Part("capsule", (0.005, r * 0.35), (-r - 0.022, 0, 0)),
        Part("capsule", (0.005, 0.014), (-r - 0.006, 0, r * 0.4), LYING_X),
        Part("capsule", (0.005, 0.014), (-r - 0.006, 0, -r * 0.4), LYING_X),
        Part("cylinder", (r * 0.5, 0.004), (0, 0, r * flat), look=1),
        Part("ellipsoid", (0.008, 0.008, 0.008), (0, 0, r * flat + 0.009), look=1),
    )
    return Shape("teapot", parts, rng.uniform(400, 800), ("speckled", "plain"))


def jug(rng: Rng) -> Shape:
    """A tall hollow vessel with a handle."""
    r, h, wall = rng.uniform(0.03, 0.04), rng.uniform(0.05, 0.075), rng.uniform(0.004, 0.005)
    reach, loop = rng.uniform(0.022, 0.03), h * rng.uniform(0.35, 0.55)
    bars = [Part("capsule", (0.005, reach / 2), (0, r + reach / 2, s * loop), LYING_Y, 1) for s in (-1, 1)]
    grip = Part("capsule", (0.006, loop), (0, r + reach, 0), look=1)
    bottom = Part("cylinder", (r * 1.05, 0.004), (0, 0, -h + 0.004))
    return Shape("jug", (bottom, *ring(r, 2 * h, 0, wall, 12, -0.06), *bars, grip), rng.uniform(700, 1300),
                 ("speckled", "plain"))  # fmt: skip


def pepper_mill(rng: Rng) -> Shape:
    """Turned wood: body, waist, head and knob."""
    r, h = rng.uniform(0.02, 0.028), rng.uniform(0.035, 0.06)
    parts = (
        Part("cylinder", (r, h * 0.5), (0, 0, -h * 0.5)),
        Part("cylinder", (r * 0.65, h * 0.3), (0, 0, h * 0.3)),
        Part("ellipsoid", (r, r, r * 0.8), (0, 0, h * 0.6 + r * 0.5)),
        Part("ellipsoid", (0.007, 0.007, 0.007), (0, 0, h * 0.6 + r * 1.3 + 0.005), look=1),
    )
    return Shape("pepper_mill", parts, rng.uniform(500, 900), ("speckled", "plain"))


KINDS = (
    plate, egg_cup, lid, ladle, spatula, knife, chopsticks, rolling_pin, grater, teapot, jug, pepper_mill,
)  # fmt: skip
