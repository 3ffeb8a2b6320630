"""The training family: shapes that demonstrations are recorded with. None of these kinds is in the test family."""

from __future__ import annotations

import numpy as np

from digital_twin.world import shapes_home, shapes_kitchen
from digital_twin.world.shapes import LYING_X, Make, Part, Rng, Shape, ring


def packet(rng: Rng) -> Shape:
    """Cereal, tea, medicine: a printed cardboard box."""
    half = (rng.uniform(0.012, 0.042), rng.uniform(0.03, 0.075), rng.uniform(0.03, 0.1))
    return Shape("packet", (Part("box", half),), rng.uniform(150, 450))


def block(rng: Rng) -> Shape:
    """A toy building block."""
    half = tuple(rng.uniform(0.012, 0.035, 3))
    return Shape("block", (Part("box", half),), rng.uniform(300, 700), ("plain",))


def sponge(rng: Rng) -> Shape:
    """A dish sponge with its scouring side."""
    x, y, z = rng.uniform(0.02, 0.038), rng.uniform(0.04, 0.06), rng.uniform(0.01, 0.018)
    parts = (Part("box", (x, y, z)), Part("box", (x, y, 0.003), (0, 0, z + 0.003), look=1))
    return Shape("sponge", parts, rng.uniform(80, 200), ("speckled", "plain"))


def book(rng: Rng) -> Shape:
    """A paperback, cover and pages."""
    x, y, z = rng.uniform(0.045, 0.065), rng.uniform(0.07, 0.1), rng.uniform(0.007, 0.018)
    parts = [Part("box", (x - 0.002, y - 0.002, z), look=1)]
    parts += [Part("box", (x, y, 0.0012), (0, 0, s * (z + 0.0012))) for s in (-1, 1)]
    return Shape("book", tuple(parts), rng.uniform(350, 600), ("label", "plain"))


def can(rng: Rng) -> Shape:
    """A tin or drink can."""
    r, h = rng.uniform(0.025, 0.043), rng.uniform(0.02, 0.065)
    rims = [Part("cylinder", (r + 0.0015, 0.002), (0, 0, s * (h - 0.001)), look=1) for s in (-1, 1)]
    return Shape("can", (Part("cylinder", (r, h)), *rims), rng.uniform(250, 900), ("label", "plain"))


def jar(rng: Rng) -> Shape:
    """A jar with a lid wider or narrower than its body."""
    r, h, lid = rng.uniform(0.024, 0.042), rng.uniform(0.03, 0.06), rng.uniform(0.007, 0.012)
    parts = (Part("cylinder", (r, h)), Part("cylinder", (r * rng.uniform(0.85, 1.05), lid), (0, 0, h + lid), look=1))
    return Shape("jar", parts, rng.uniform(400, 900), ("label", "plain"))


def bottle(rng: Rng) -> Shape:
    """Water, oil, sauce: body, shoulder, neck and cap."""
    r, h = rng.uniform(0.022, 0.04), rng.uniform(0.05, 0.085)
    neck, neck_h = r * rng.uniform(0.3, 0.5), rng.uniform(0.015, 0.03)
    parts = (
        Part("cylinder", (r, h)),
        Part("ellipsoid", (r, r, r * rng.uniform(0.7, 1.2)), (0, 0, h), look=1),
        Part("cylinder", (neck, neck_h), (0, 0, h + r * 0.7 + neck_h), look=1),
        Part("cylinder", (neck * 1.15, 0.008), (0, 0, h + r * 0.7 + 2 * neck_h), look=2),
    )
    return Shape("bottle", parts, rng.uniform(250, 700), ("label", "plain", "plain"))


def mug(rng: Rng) -> Shape:
    """A mug: hollow, with a handle."""
    r, h, wall = rng.uniform(0.033, 0.043), rng.uniform(0.036, 0.05), rng.uniform(0.004, 0.006)
    reach, loop = rng.uniform(0.022, 0.032), h * rng.uniform(0.45, 0.65)
    x = r + reach / 2
    handle = [Part("capsule", (0.005, reach / 2), (x, 0, s * loop), LYING_X) for s in (-1, 1)] + [
        Part("capsule", (0.005, loop), (r + reach, 0, 0))
    ]
    bottom = Part("cylinder", (r + wall / 3, 0.004), (0, 0, -h + 0.004))
    return Shape("mug", (bottom, *ring(r, 2 * h, 0, wall), *handle), rng.uniform(900, 1500), ("speckled",))


def bowl(rng: Rng) -> Shape:
    """A bowl: a base and two rings of staves that lean outwards."""
    r, h, wall = rng.uniform(0.03, 0.05), rng.uniform(0.02, 0.03), rng.uniform(0.004, 0.006)
    lean = rng.uniform(0.35, 0.6)
    r2, lean2 = r + h * np.sin(lean) + h * 0.5 * np.sin(lean / 2), lean / 2
    z2 = h / 2 * np.cos(lean) + h / 2 * np.cos(lean2)
    parts = [Part("cylinder", (r, 0.004), (0, 0, -h / 2))]
    parts += ring(r + h / 2 * np.sin(lean), h, 0, wall, 14, lean)
    parts += ring(r2, h, z2, wall, 14, lean2)
    return Shape("bowl", tuple(parts), rng.uniform(700, 1300), ("plain",))


def ball(rng: Rng) -> Shape:
    """Fruit and balls: a slightly squashed sphere with a stalk."""
    r = rng.uniform(0.022, 0.042)
    radii = tuple(r * rng.uniform(0.85, 1.0, 3))
    return Shape(
        "ball",
        (Part("ellipsoid", radii), Part("cylinder", (0.003, 0.006), (0, 0, radii[2]), look=1)),
        rng.uniform(300, 900),
        ("speckled", "plain"),
    )


def screwdriver(rng: Rng) -> Shape:
    """Handle and shank, lying."""
    r, grip, shank = rng.uniform(0.01, 0.016), rng.uniform(0.035, 0.05), rng.uniform(0.03, 0.06)
    parts = (
        Part("capsule", (r, grip), (-grip, 0, 0), LYING_X),
        Part("cylinder", (r * 0.3, shank), (shank, 0, 0), LYING_X, 1),
    )
    return Shape("screwdriver", parts, rng.uniform(900, 1600), ("plain", "plain"))


def spoon(rng: Rng) -> Shape:
    """A wooden or serving spoon: thick enough for fingers."""
    half, bowl_r, thick = rng.uniform(0.05, 0.08), rng.uniform(0.016, 0.026), rng.uniform(0.005, 0.008)
    parts = (
        Part("capsule", (thick, half), (0, 0, 0), LYING_X),
        Part("ellipsoid", (bowl_r * 1.4, bowl_r, thick * 1.3), (half + bowl_r, 0, 0)),
    )
    return Shape("spoon", parts, rng.uniform(500, 1200), ("plain",))


def brush(rng: Rng) -> Shape:
    """A dish brush: handle, head and bristles."""
    half, head = rng.uniform(0.05, 0.08), rng.uniform(0.02, 0.03)
    parts = (
        Part("capsule", (rng.uniform(0.007, 0.011), half), (0, 0, 0), LYING_X),
        Part("cylinder", (head, 0.008), (half + head, 0, 0)),
        Part("cylinder", (head * 0.85, 0.01), (half + head, 0, -0.016), look=1),
    )
    return Shape("brush", parts, rng.uniform(400, 800), ("plain", "speckled"))


def remote(rng: Rng) -> Shape:
    """A remote control with buttons."""
    x, y, z = rng.uniform(0.018, 0.026), rng.uniform(0.06, 0.085), rng.uniform(0.008, 0.012)
    buttons = [
        Part("cylinder", (0.0045, 0.0015), (u * x * 0.5, v * y, z), look=1)
        for u in (-1, 1)
        for v in (-0.5, -0.1, 0.3, 0.7)
    ]
    return Shape("remote", (Part("box", (x, y, z)), *buttons), rng.uniform(400, 800), ("plain", "plain"))


def marker(rng: Rng) -> Shape:
    """A thick pen with its cap, lying."""
    r, half = rng.uniform(0.007, 0.012), rng.uniform(0.045, 0.065)
    cap = half * 0.35
    parts = (
        Part("cylinder", (r, half), (0, 0, 0), LYING_X),
        Part("cylinder", (r * 1.12, cap), (half - cap, 0, 0), LYING_X, 1),
    )
    return Shape("marker", parts, rng.uniform(400, 900), ("label", "plain"))


def shaker(rng: Rng) -> Shape:
    """Salt or spice: a narrow body that ends in a dome."""
    r, h = rng.uniform(0.016, 0.026), rng.uniform(0.025, 0.04)
    parts = (Part("cylinder", (r, h)), Part("ellipsoid", (r, r, r * 0.8), (0, 0, h), look=1))
    return Shape("shaker", parts, rng.uniform(500, 1100), ("label", "plain"))


KINDS: tuple[Make, ...] = (
    packet, block, sponge, book, can, jar, bottle, mug, bowl, ball, screwdriver, spoon, brush, remote, marker, shaker,
    *shapes_kitchen.KINDS, *shapes_home.KINDS,
)  # fmt: skip
