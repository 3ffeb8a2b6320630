"""Procedural pictures for the twin's surfaces: wood, stone, cloth, tiles, plaster and printed labels.

Camera tracking lives on texture, so every surface carries detail on several scales, different for every seed. All
functions are deterministic in their generator and return uint8 RGB images.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [H, W, 3] RGB
Color = NDArray[np.float64]  # [3] RGB in 0 … 1

WORDS = (
    "OATS",
    "TEA",
    "fresh",
    "BIO",
    "500 g",
    "RICE",
    "cocoa",
    "MINT",
    "1 l",
    "SALT",
    "lemon",
    "PASTA",
    "soap",
    "NUTS",
)


def random_color(rng: np.random.Generator, saturation: float = 0.6, value: float = 0.75) -> Color:
    """A colour of any hue [3]; saturation and value vary by ± 0.25 around the given means."""
    hsv = np.array(
        [rng.random() * 360.0, *np.clip(np.array([saturation, value]) + rng.uniform(-0.25, 0.25, 2), 0.05, 1.0)]
    )
    return cv2.cvtColor(hsv[None, None].astype(np.float32), cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


def fractal_noise(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 4
) -> NDArray[np.float32]:
    """Smooth noise [H, W] in about -1 … 1: random grids of falling cell size (pixels) and amplitude, summed."""
    total = np.zeros((height, width), np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        grid = rng.standard_normal((max(2, int(height / cell) + 2), max(2, int(width / cell) + 2))).astype(np.float32)
        total += amplitude * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        amplitude *= 0.6
        cell = max(1.0, cell / 2.3)
    return total / 2.5


def shaded(color: Color, shade: NDArray[np.float32]) -> Image:
    """A colour [3] modulated by a shade image [H, W] (0 = as is, ± 1 = much lighter or darker)."""
    image = np.asarray(color, np.float32) * (1.0 + 0.45 * shade[..., None])
    return (np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)


def wood(rng: np.random.Generator, size: int) -> Image:
    """Planks with grain, knots and seams."""
    base = np.array([0.62, 0.44, 0.28]) * rng.uniform(0.6, 1.3)
    v = np.mgrid[:size, :size].astype(np.float32)[0]
    warp = fractal_noise(rng, size, size, size / 4, 2) * size / 14
    grain = np.sin((v + warp) * rng.uniform(0.12, 0.3)) * 0.25 + np.sin((v + 1.7 * warp) * 0.9) * 0.12
    fibre = cv2.resize(fractal_noise(rng, size, size // 8, 3, 2), (size, size))
    plank = size // int(rng.integers(4, 8))
    tone = rng.uniform(-0.25, 0.25, size // plank + 1).astype(np.float32)[(v // plank).astype(int)]
    seam = -0.8 * ((v % plank) < 2)
    image = shaded(base, grain + 0.35 * fibre + tone + seam)
    return _blemishes(rng, image, count=size // 24)


def stone(rng: np.random.Generator, size: int) -> Image:
    """Terrazzo: chips of a few colours in a mottled ground."""
    image = shaded(random_color(rng, 0.15, 0.7), 0.5 * fractal_noise(rng, size, size, size / 8))
    chips = [tuple(int(255 * c) for c in random_color(rng, 0.3, 0.55)) for _ in range(5)]
    for _ in range(size * size // 450):
        center = tuple(int(c) for c in rng.integers(0, size, 2))
        axes = tuple(int(a) for a in rng.integers(1, 8, 2))
        cv2.ellipse(image, center, axes, float(rng.uniform(0, 180)), 0, 360, chips[rng.integers(5)], -1, cv2.LINE_AA)
    return image


def cloth(rng: np.random.Generator, size: int) -> Image:
    """A woven tablecloth: two colours of stripes crossing, threads and stains."""
    period = size / rng.integers(6, 14)
    stripes = (np.arange(size) % period) < period * rng.uniform(0.25, 0.6)
    weight = (stripes[:, None].astype(np.float32) + stripes[None, :])[..., None] / 2
    colors = random_color(rng, 0.5, 0.6), random_color(rng, 0.2, 0.85)
    mixed = (1 - weight) * colors[1].astype(np.float32) + weight * colors[0].astype(np.float32)
    shade = 0.3 * fractal_noise(rng, size, size, 2.5, 2) + 0.4 * fractal_noise(rng, size, size, size / 5)
    return (np.clip(mixed * (1 + 0.4 * shade[..., None]), 0, 1) * 255).astype(np.uint8)


def tiles(rng: np.random.Generator, size: int) -> Image:
    """Glazed tiles with grout; every tile has its own tone and stains."""
    n = int(rng.integers(5, 10))
    tone = cv2.resize(rng.uniform(-0.5, 0.5, (n, n)).astype(np.float32), (size, size), interpolation=cv2.INTER_NEAREST)
    image = shaded(random_color(rng, 0.3, 0.7), tone + 0.4 * fractal_noise(rng, size, size, size / 10))
    for k in range(n + 1):
        at = int(k * size / n)
        cv2.line(image, (at, 0), (at, size), (190, 185, 175), 3)
        cv2.line(image, (0, at), (size, at), (190, 185, 175), 3)
    return _blemishes(rng, image, count=size // 20)


def plaster(rng: np.random.Generator, size: int) -> Image:
    """A wall: pale, mottled, with a few posters so that it is not blank."""
    image = shaded(random_color(rng, 0.12, 0.8), 0.25 * fractal_noise(rng, size, size, size / 6, 5))
    for _ in range(4):
        side = int(rng.integers(size // 8, size // 3))
        u, v = rng.integers(0, size - side, 2)
        image[v : v + side, u : u + side] = label(rng, side, side)
    return image


def label(rng: np.random.Generator, height: int, width: int, color: Color | None = None) -> Image:
    """A printed package: ground, bands, discs, words and fine print."""
    ground = random_color(rng) if color is None else color
    image = shaded(ground, 0.25 * fractal_noise(rng, height, width, max(height, width) / 3))
    for _ in range(int(rng.integers(2, 5))):
        ink = tuple(int(255 * c) for c in random_color(rng))
        if rng.random() < 0.5:
            top = int(rng.integers(0, height))
            cv2.rectangle(image, (0, top), (width, top + int(height * rng.uniform(0.05, 0.25))), ink, -1)
        else:
            center = (int(rng.integers(0, width)), int(rng.integers(0, height)))
            cv2.circle(image, center, int(min(height, width) * rng.uniform(0.08, 0.25)), ink, -1, cv2.LINE_AA)
    for _ in range(3):
        ink = tuple(int(255 * c) for c in random_color(rng, 0.4, 0.4))
        at = (int(rng.integers(0, max(1, width // 3))), int(rng.uniform(0.15, 0.95) * height))
        text = WORDS[rng.integers(len(WORDS))]
        scale = width / 128 * rng.uniform(0.6, 1.4)
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, max(1, int(scale * 2)), cv2.LINE_AA)
    for _ in range(6):  # fine print
        v, u = int(rng.integers(0, height)), int(rng.integers(0, width))
        cv2.line(image, (u, v), (u + width // 4, v), (40, 40, 40), 1)
    return image


def plain(rng: np.random.Generator, height: int, width: int, color: Color) -> Image:
    """Glazed, turned or moulded: one colour with faint marks."""
    return shaded(color, 0.2 * fractal_noise(rng, height, width, max(height, width) / 4))


def speckled(rng: np.random.Generator, height: int, width: int, color: Color) -> Image:
    """Stoneware: one colour sprinkled with a darker one."""
    image = plain(rng, height, width, color)
    ink = tuple(int(110 * c) for c in color)
    for u, v in zip(rng.integers(0, width, 60), rng.integers(0, height, 60), strict=True):
        cv2.circle(image, (int(u), int(v)), int(rng.integers(1, 4)), ink, -1, cv2.LINE_AA)
    return image


def cube(rng: np.random.Generator, face: Callable[[np.random.Generator, int, int, Color], Image], side: int) -> Image:
    """Six faces of one ground colour, stacked [6 · side, side, 3] as MuJoCo's cube textures want them."""
    color = random_color(rng, 0.5, 0.7)
    return np.concatenate([face(rng, side, side, color) for _ in range(6)])


def _blemishes(rng: np.random.Generator, image: Image, count: int) -> Image:
    """Scratches, crumbs and stains: small high-contrast detail at random places."""
    size = image.shape[0]
    for _ in range(count):
        center = tuple(int(c) for c in rng.integers(0, size, 2))
        tone = int(rng.integers(20, 235))
        axes = tuple(int(a) for a in rng.integers(1, max(3, size // 100), 2))
        cv2.ellipse(
            image, center, axes, float(rng.uniform(0, 180)), 0, 360, (tone, tone - 8, tone - 18), -1, cv2.LINE_AA
        )
    return image


SURFACES: tuple[Callable[[np.random.Generator, int], Image], ...] = (wood, stone, cloth, tiles)
