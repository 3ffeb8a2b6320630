"""Tools, toys, food and small things of the training family."""

from __future__ import annotations

import numpy as np

from digital_twin.world.shapes import LYING_X, LYING_Y, Part, Rng, Shape, ring, rotation_vector
from wildgrasp.geometry import so3_exp

# --- tools ------------------------------------------------------------------------------------------------------------


def wrench(rng: Rng) -> Shape:
    """A flat shaft with two jaws at each end."""
    half, y, z = rng.uniform(0.045, 0.07), rng.uniform(0.007, 0.01), rng.uniform(0.004, 0.006)
    jaws = [
        Part("box", (0.012, 0.005, z), (s * (half + 0.01), t * 0.011, 0), (0, 0, s * t * 0.25))
        for s in (-1, 1)
        for t in (-1, 1)
    ]
    return Shape("wrench", (Part("box", (half, y, z)), *jaws), rng.uniform(1800, 3000), ("plain",))


def torch(rng: Rng) -> Shape:
    """A flashlight, lying."""
    r, half, head = rng.uniform(0.012, 0.018), rng.uniform(0.04, 0.06), rng.uniform(1.2, 1.6)
    parts = (
        Part("cylinder", (r, half), (0, 0, 0), LYING_X),
        Part("cylinder", (r * head, 0.014), (half + 0.012, 0, 0), LYING_X),
        Part("cylinder", (r * head * 0.85, 0.002), (half + 0.027, 0, 0), LYING_X, 1),
        Part("box", (0.008, 0.004, 0.004), (half * 0.3, 0, r), look=1),
    )
    return Shape("torch", parts, rng.uniform(700, 1300), ("speckled", "plain"))


def clamp(rng: Rng) -> Shape:
    """A C of bars with its screw."""
    x, y, t = rng.uniform(0.03, 0.045), rng.uniform(0.025, 0.04), rng.uniform(0.006, 0.008)
    parts = (
        Part("box", (x, t, t), (0, -y, 0)),
        Part("box", (t, y, t), (-x, 0, 0)),
        Part("box", (t, y * 0.9, t), (x, 0, 0)),
        Part("cylinder", (0.004, x * 0.7), (x * 0.5, y * 0.8, 0), LYING_X, 1),
        Part("cylinder", (0.011, 0.008), (x * 1.25, y * 0.8, 0), LYING_X, 1),
    )
    return Shape("clamp", parts, rng.uniform(900, 1700), ("plain", "plain"))


def spool(rng: Rng) -> Shape:
    """Thread or wire on a reel."""
    r, h = rng.uniform(0.018, 0.032), rng.uniform(0.014, 0.028)
    rims = [Part("cylinder", (r * 1.25, 0.003), (0, 0, s * h), look=1) for s in (-1, 1)]
    return Shape("spool", (Part("cylinder", (r, h)), *rims), rng.uniform(400, 1000), ("speckled", "plain"))


def paintbrush(rng: Rng) -> Shape:
    """Handle, ferrule and bristles, flat."""
    half, y = rng.uniform(0.04, 0.06), rng.uniform(0.014, 0.026)
    parts = (
        Part("capsule", (rng.uniform(0.006, 0.009), half), (-0.01, 0, 0), LYING_X),
        Part("box", (0.012, y, 0.007), (half, 0, 0), look=1),
        Part("box", (0.02, y * 0.95, 0.006), (half + 0.03, 0, 0), look=2),
    )
    return Shape("paintbrush", parts, rng.uniform(400, 800), ("plain", "plain", "speckled"))


def bolt(rng: Rng) -> Shape:
    """A large bolt with its nut."""
    r, half = rng.uniform(0.007, 0.011), rng.uniform(0.025, 0.045)
    nut = half * rng.uniform(-0.6, 0.2)
    heads = [
        Part("box", (0.006, 1.7 * r * np.cos(np.pi / 6), 0.98 * r), (at, 0, 0), (k * np.pi / 3, 0, 0))
        for at in (half, nut)
        for k in range(3)
    ]
    return Shape("bolt", (Part("cylinder", (r, half), (0, 0, 0), LYING_X), *heads), rng.uniform(2000, 4000), ("plain",))


def padlock(rng: Rng) -> Shape:
    """A body with its shackle."""
    x, y, h = rng.uniform(0.018, 0.026), rng.uniform(0.008, 0.012), rng.uniform(0.016, 0.024)
    loop = x * 0.7
    parts = (
        Part("box", (x, y, h)),
        Part("capsule", (0.004, h * 0.5), (loop, 0, h * 1.5), look=1),
        Part("capsule", (0.004, h * 0.5), (-loop, 0, h * 1.5), look=1),
        Part("capsule", (0.004, loop), (0, 0, h * 2), LYING_X, 1),
    )
    return Shape("padlock", parts, rng.uniform(2000, 3500), ("label", "plain"))


def stapler(rng: Rng) -> Shape:
    """Base and arm that meet at an angle."""
    half, y, open_rad = rng.uniform(0.045, 0.065), rng.uniform(0.011, 0.016), rng.uniform(0.1, 0.2)
    arm = Part("box", (half * 0.95, y, 0.007), (0, 0, 0.013 + half * np.sin(open_rad)), (0, -open_rad, 0), 1)
    return Shape("stapler", (Part("box", (half, y, 0.005)), arm), rng.uniform(800, 1400), ("plain", "label"))


def tape_measure(rng: Rng) -> Shape:
    """A rounded case with a tongue of tape."""
    r, y = rng.uniform(0.024, 0.034), rng.uniform(0.012, 0.018)
    parts = (
        Part("cylinder", (r, y), (0, 0, 0), LYING_Y),
        Part("box", (r * 0.9, y * 0.98, r * 0.5), (r * 0.3, 0, -r * 0.5)),
        Part("box", (0.012, 0.008, 0.001), (r * 1.3, 0, -r * 0.9), look=1),
    )
    return Shape("tape_measure", parts, rng.uniform(700, 1200), ("label", "plain"))


# --- toys and small things --------------------------------------------------------------------------------------------


def phone(rng: Rng) -> Shape:
    """A telephone in its case."""
    x, y, z = rng.uniform(0.03, 0.04), rng.uniform(0.06, 0.078), rng.uniform(0.004, 0.006)
    screen = Part("box", (x * 0.93, y * 0.95, 0.0006), (0, 0, z), look=1)
    return Shape("phone", (Part("box", (x, y, z)), screen), rng.uniform(1000, 1600), ("plain", "label"))


def brick(rng: Rng) -> Shape:
    """A toy brick with studs."""
    columns, rows, pitch = int(rng.integers(2, 5)), 2, rng.uniform(0.014, 0.02)
    studs = [
        Part("cylinder", (pitch * 0.3, 0.0025), ((k - (columns - 1) / 2) * pitch, (j - 0.5) * pitch, pitch * 0.6))
        for k in range(columns)
        for j in range(rows)
    ]
    body = Part("box", (columns * pitch / 2, pitch, pitch * 0.58))
    return Shape("brick", (body, *studs), rng.uniform(300, 700), ("plain",))


def top(rng: Rng) -> Shape:
    """A spinning top: discs that grow and shrink around a stem."""
    r, t = rng.uniform(0.022, 0.034), rng.uniform(0.005, 0.008)
    discs = [
        Part("cylinder", (r * s, t), (0, 0, (k - 1.5) * 2 * t), look=k % 2) for k, s in enumerate((0.35, 0.75, 1, 0.6))
    ]
    return Shape("top", (*discs, Part("capsule", (0.004, 0.014), (0, 0, 5 * t + 0.01))), rng.uniform(400, 800),
                 ("plain", "plain"))  # fmt: skip


def rattle(rng: Rng) -> Shape:
    """A bar with a ball at each end."""
    half = rng.uniform(0.03, 0.05)
    balls = [Part("ellipsoid", (r, r, r), (s * (half + r * 0.6), 0, 0), look=1)
             for s, r in zip((-1, 1), rng.uniform(0.016, 0.026, 2), strict=True)]  # fmt: skip
    return Shape("rattle", (Part("capsule", (0.007, half), (0, 0, 0), LYING_X), *balls), rng.uniform(300, 700),
                 ("plain", "speckled"))  # fmt: skip


def teddy(rng: Rng) -> Shape:
    """Belly, head, ears, arms and legs."""
    r = rng.uniform(0.024, 0.034)
    parts = [Part("ellipsoid", (r, r * 0.9, r * 1.15)), Part("ellipsoid", (r * 0.75,) * 3, (0, 0, r * 1.7))]
    for s in (-1, 1):
        parts.append(Part("ellipsoid", (r * 0.28,) * 3, (s * r * 0.55, 0, r * 2.3), look=1))
        parts.append(Part("capsule", (r * 0.3, r * 0.4), (s * r * 1.05, 0, r * 0.3), (0, s * 0.6, 0)))
        parts.append(Part("capsule", (r * 0.33, r * 0.4), (s * r * 0.55, -r * 0.6, -r * 0.95), (1.3, 0, 0)))
    return Shape("teddy", tuple(parts), rng.uniform(100, 300), ("speckled", "plain"))


def boat(rng: Rng) -> Shape:
    """A toy boat: hull, cabin and funnel."""
    x, y, z = rng.uniform(0.045, 0.065), rng.uniform(0.018, 0.026), rng.uniform(0.012, 0.018)
    parts = (
        Part("ellipsoid", (x, y, z)),
        Part("box", (x * 0.75, y * 0.75, z * 0.35), (0, 0, z * 0.3)),
        Part("box", (x * 0.3, y * 0.55, z * 0.6), (-x * 0.15, 0, z * 1.1), look=1),
        Part("cylinder", (y * 0.25, z * 0.7), (-x * 0.25, 0, z * 2.2), look=2),
    )
    return Shape("boat", parts, rng.uniform(250, 600), ("plain", "label", "plain"))


def soap(rng: Rng) -> Shape:
    """A bar with rounded sides."""
    x, y, z = rng.uniform(0.03, 0.045), rng.uniform(0.02, 0.03), rng.uniform(0.01, 0.016)
    rounds = [Part("capsule", (z, y - z), (s * (x - z), 0, 0), LYING_Y) for s in (-1, 1)]
    return Shape("soap", (Part("box", (x - z, y, z)), *rounds), rng.uniform(700, 1100), ("plain",))


def perfume(rng: Rng) -> Shape:
    """A glass block with neck and cap."""
    x, y, h = rng.uniform(0.018, 0.03), rng.uniform(0.012, 0.02), rng.uniform(0.02, 0.035)
    parts = (
        Part("box", (x, y, h)),
        Part("cylinder", (y * 0.4, 0.006), (0, 0, h + 0.004), look=1),
        Part("cylinder", (y * 0.65, rng.uniform(0.008, 0.014)), (0, 0, h + 0.02), look=1),
    )
    return Shape("perfume", parts, rng.uniform(900, 1600), ("label", "plain"))


def candle(rng: Rng) -> Shape:
    """A candle on its foot."""
    r, h = rng.uniform(0.01, 0.02), rng.uniform(0.03, 0.06)
    parts = (
        Part("cylinder", (r, h)),
        Part("cylinder", (r * rng.uniform(1.6, 2.2), 0.004), (0, 0, -h), look=1),
        Part("capsule", (0.0015, 0.004), (0, 0, h + 0.004), look=1),
    )
    return Shape("candle", parts, rng.uniform(600, 1000), ("plain", "plain"))


# --- food -------------------------------------------------------------------------------------------------------------


def pear(rng: Rng) -> Shape:
    """Two balls in each other, with a stalk."""
    r, neck = rng.uniform(0.026, 0.036), rng.uniform(0.55, 0.7)
    parts = (
        Part("ellipsoid", (r, r, r)),
        Part("ellipsoid", (r * neck, r * neck, r * 0.8), (0, 0, r * 0.85)),
        Part("capsule", (0.002, 0.007), (0, 0, r * 1.75), look=1),
    )
    return Shape("pear", parts, rng.uniform(500, 900), ("speckled", "plain"))


def carrot(rng: Rng) -> Shape:
    """Cylinders that taper, with its green."""
    r, half = rng.uniform(0.013, 0.02), rng.uniform(0.018, 0.026)
    cuts = [Part("capsule", (r * s, half), (half * 1.9 * (k - 1), 0, -r * (1 - s)), LYING_X)
            for k, s in enumerate((1.0, 0.75, 0.5))]  # fmt: skip
    green = [Part("capsule", (0.003, 0.016), (-half * 3.4, 0.004 * s, 0), (0, np.pi / 2, 0.3 * s), 1) for s in (-1, 1)]
    return Shape("carrot", (*cuts, *green), rng.uniform(600, 1000), ("speckled", "plain"))


def roll(rng: Rng) -> Shape:
    """A bread roll with its crease."""
    x, y, z = rng.uniform(0.035, 0.05), rng.uniform(0.026, 0.036), rng.uniform(0.018, 0.026)
    crease = Part("capsule", (0.004, x * 0.6), (0, 0, z * 0.92), LYING_X, 1)
    return Shape("roll", (Part("ellipsoid", (x, y, z)), crease), rng.uniform(200, 400), ("speckled", "plain"))


def bag_of_primitives(rng: Rng) -> Shape:
    """Nothing in particular: two to five solids in each other, so that no policy learns the catalogue by heart."""
    parts = []
    at = np.zeros(3)
    for k in range(int(rng.integers(2, 6))):
        solid = ("box", "cylinder", "capsule", "ellipsoid")[rng.integers(4)]
        size = tuple(rng.uniform(0.009, 0.028, 3 if solid in ("box", "ellipsoid") else 2))
        turn = rotation_vector(so3_exp(rng.normal(size=3)))
        parts.append(Part(solid, size, (float(at[0]), float(at[1]), float(at[2])), turn, k % 3))
        step = rng.normal(size=3)
        at = at + step / np.linalg.norm(step) * min(size) * rng.uniform(0.8, 1.4)
    return Shape("bag_of_primitives", tuple(parts), rng.uniform(250, 900), ("plain", "speckled", "label"))


def ring_toy(rng: Rng) -> Shape:
    """A stacking ring."""
    r, h = rng.uniform(0.024, 0.036), rng.uniform(0.008, 0.014)
    return Shape("ring_toy", tuple(ring(r, 2 * h, 0, rng.uniform(0.012, 0.018), 14)), rng.uniform(300, 600), ("plain",))


KINDS = (
    wrench, torch, clamp, spool, paintbrush, bolt, padlock, stapler, tape_measure,
    phone, brick, top, rattle, teddy, boat, soap, perfume, candle, ring_toy,
    pear, carrot, roll, bag_of_primitives,
)  # fmt: skip
