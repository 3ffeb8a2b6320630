"""A shutter that takes time: motion blur, and rows that are read one after the other.

A D415's sensors (OV2740) roll: the image's first row is exposed and read about 16 ms before its last, and indoors each
row collects light for several milliseconds. A picture is put together from exact pictures at a few *instants*: colour
row by row as the mean over the row's exposure, depth as seen in its middle. A picture's time is the middle of its
middle row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ShutterConfig:
    """Times of the shutter in seconds."""

    exposure_s: float = 0.008
    readout_s: float = 0.016  # from the first row to the last
    spacing_s: float = 0.004  # between the instants that a picture is put together from
    same_surface: float = 0.02  # depths that differ by less, as a fraction, are blended between two instants

    def instants(self) -> NDArray[np.float64]:
        """Times [K] of the exact pictures that are needed, relative to the picture's time; ascending."""
        steps = int(np.ceil((self.exposure_s + self.readout_s) / 2 / self.spacing_s))
        return self.spacing_s * np.arange(-steps, steps + 1)


def combine(
    colors: Sequence[NDArray[np.uint8]], depths: Sequence[NDArray[np.float32]], config: ShutterConfig
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colour [H, W, 3] and exact depth [H, W] as the shutter sees what was there at its K instants."""
    rows = (np.arange(len(depths[0])) / (len(depths[0]) - 1) - 0.5) * config.readout_s
    weights = _exposure_weights(rows, config)
    color = np.zeros(colors[0].shape, np.float32)
    for k, image in enumerate(colors):
        lit = np.flatnonzero(weights[:, k])
        color[lit] += weights[lit, k, None, None] * image[lit]
    position = rows / config.spacing_s + len(depths) // 2
    before = np.clip(np.floor(position).astype(int), 0, len(depths) - 2)
    share = (position - before)[:, None].astype(np.float32)
    stack, lines = np.stack(depths), np.arange(len(rows))
    a, b = stack[before, lines], stack[before + 1, lines]
    same = np.abs(a - b) < config.same_surface * np.minimum(a, b)
    depth = np.where(same, (1 - share) * a + share * b, np.where(share < 0.5, a, b))
    return np.rint(color).astype(np.uint8), depth.astype(np.float32)


def _exposure_weights(rows_s: NDArray[np.float64], config: ShutterConfig) -> NDArray[np.float32]:
    """Share [H, K] of each instant in each row's exposure: light changes linearly between instants."""
    instants = config.instants()
    edges = rows_s[:, None] + config.exposure_s / 2 * np.array([-1.0, 1.0])
    weights = _collected(edges[:, 1:], instants) - _collected(edges[:, :1], instants)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _collected(until_s: NDArray[np.float64], instants: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of each instant's hat function up to a time, in units of the spacing."""
    x = np.clip((until_s - instants) / (instants[1] - instants[0]), -1.0, 1.0)
    return np.where(x < 0, (1 + x) ** 2 / 2, 1 - (1 - x) ** 2 / 2)
