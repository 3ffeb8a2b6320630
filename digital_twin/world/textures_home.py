"""Pictures for the rooms that people live in: wallpaper, rugs, paintings, books, curtains, cupboard doors.

As in ``textures``: from a generator to a uint8 RGB image, with detail on several scales.
"""

from __future__ import annotations

import cv2
import numpy as np

from digital_twin.world.textures import Image, fractal_noise, label, random_color, shaded


def wallpaper(rng: np.random.Generator, size: int) -> Image:
    """A pale wall with faint stripes or sprigs."""
    tint = random_color(rng, 0.2, 0.85)
    shade = 0.12 * fractal_noise(rng, size, size, size / 5, 5)
    period = size // int(rng.integers(8, 20))
    if rng.random() < 0.5:
        shade += 0.14 * (np.arange(size) % period < period * rng.uniform(0.2, 0.5)).astype(np.float32)[None]
    image = shaded(tint, shade)
    if rng.random() < 0.6:
        ink = _ink(random_color(rng, 0.3, 0.6))
        for row, v in enumerate(range(0, size, period)):
            for u in range(period // 2 * (row % 2), size, period):
                _sprig(image, (u, v), period * 0.22, ink)
    return image


def rug(rng: np.random.Generator, height: int, width: int) -> Image:
    """A woven rug: borders around a field of lozenges."""
    image = shaded(random_color(rng, 0.6, 0.5), 0.15 * fractal_noise(rng, height, width, height / 6))
    inks = [_ink(random_color(rng, 0.5, 0.6)) for _ in range(4)]
    margin = 0
    for ink in inks[:3]:
        margin += int(height * rng.uniform(0.025, 0.06))
        cv2.rectangle(image, (margin, margin), (width - margin, height - margin), ink, max(2, height // 90))
    step = int(height * rng.uniform(0.11, 0.17))
    for row, v in enumerate(range(margin + step, height - margin - step // 2, step)):
        for u in range(margin + step + step // 2 * (row % 2), width - margin - step // 2, step):
            for k, scale in enumerate((0.42, 0.28, 0.12)):
                half = step * scale
                corners = np.array([[u - half, v], [u, v - half], [u + half, v], [u, v + half]], np.int32)
                cv2.fillConvexPoly(image, corners, inks[(row + k) % 4], cv2.LINE_AA)
    weave = 0.3 * fractal_noise(rng, height, width, 2.5, 2) + 0.12 * (np.arange(height) % 4 < 2)[:, None]
    return np.clip(image * (1 + 0.45 * weave[..., None]), 0, 255).astype(np.uint8)


def painting(rng: np.random.Generator, size: int) -> Image:
    """A framed landscape: sky, hills in front of each other, a sun."""
    sky = random_color(rng, 0.35, 0.85)
    image = shaded(sky, 0.25 * fractal_noise(rng, size, size, size / 3))
    sun = tuple(int(x) for x in rng.uniform(0.2, 0.8, 2) * [size, size / 2])
    cv2.circle(image, sun, size // 12, _ink(random_color(rng, 0.5, 0.95)), -1, cv2.LINE_AA)
    u = np.arange(size)
    for k in range(4):
        top = size * (0.45 + 0.13 * k) + fractal_noise(rng, 2, size, size / (2 + k), 3)[0] * size * 0.09
        hill = np.arange(size)[:, None] > top[None, u]
        image[hill] = shaded(random_color(rng, 0.45, 0.55), 0.3 * fractal_noise(rng, size, size, size / 12))[hill]
    edge, frame = size // 14, _ink(np.array([0.45, 0.33, 0.2]) * rng.uniform(0.4, 1.6))
    cv2.rectangle(image, (0, 0), (size - 1, size - 1), frame, 2 * edge)
    cv2.rectangle(image, (edge, edge), (size - edge, size - edge), (235, 230, 220), edge // 2)
    return image


def spines(rng: np.random.Generator, height: int, width: int) -> Image:
    """A row of books seen from the front."""
    image = np.full((height, width, 3), 25, np.uint8)
    u = 0
    while u < width - 4:
        thick = int(height * rng.uniform(0.08, 0.2))
        top = int(height * rng.uniform(0.0, 0.25))
        book = label(rng, height - top, max(4, thick - 2), random_color(rng, 0.5, 0.55))
        image[top:, u : u + book.shape[1]] = book[:, : width - u]
        u += thick
    return image


def curtain(rng: np.random.Generator, size: int) -> Image:
    """Cloth in upright folds."""
    folds = np.sin(np.linspace(0, 2 * np.pi * rng.integers(6, 12), size) + fractal_noise(rng, 2, size, size / 6)[0])
    return shaded(random_color(rng, 0.4, 0.75), 0.6 * folds[None].astype(np.float32).repeat(size, 0))


def panels(rng: np.random.Generator, size: int) -> Image:
    """The front of a cupboard: two painted doors with mouldings, handles and wear."""
    image = shaded(random_color(rng, 0.2, 0.75), 0.15 * fractal_noise(rng, size, size, size / 6, 5))
    dark, light = (
        _ink(image.reshape(-1, 3).mean(axis=0) / 255 * 0.7),
        _ink(image.reshape(-1, 3).mean(axis=0) / 255 * 1.15),
    )
    for left in (0, size // 2):
        outer, inner = size // 40, size // 10
        cv2.rectangle(image, (left + outer, outer), (left + size // 2 - outer, size - outer), dark, 2)
        cv2.rectangle(image, (left + inner, inner), (left + size // 2 - inner, size - inner), dark, 3)
        cv2.rectangle(image, (left + inner + 3, inner + 3), (left + size // 2 - inner + 3, size - inner + 3), light, 1)
        handle = (left + size // 2 - size // 16 if left == 0 else left + size // 16, size // 3)
        cv2.circle(image, handle, size // 50, (60, 55, 50), -1, cv2.LINE_AA)
    return image


def _sprig(image: Image, at: tuple[int, int], size: float, ink: tuple[int, ...]) -> None:
    for angle in (0, 72, 144, 216, 288):
        cv2.ellipse(image, at, (int(size), max(1, int(size * 0.3))), angle, 0, 90, ink, 1, cv2.LINE_AA)


def _ink(color: np.ndarray) -> tuple[int, ...]:
    return tuple(int(255 * min(1.0, c)) for c in color)
