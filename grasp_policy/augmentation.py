"""Small changes to training views that leave their labels true."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from grasp_policy.features import DEPTH_RANGE_M


@dataclass(frozen=True)
class AugmentationConfig:
    """How much views change. All views of a state change alike."""

    mirror: float = 0.5  # probability: the candidates are their own mirror image, so are their costs
    no_color: float = 0.1  # probability of hiding all colour
    color_gain: float = 0.2  # standard deviation, per channel
    color_offset: float = 0.15
    depth_offset_m: float = 0.003  # standard deviation


def augment(features: NDArray[np.float32], config: AugmentationConfig, rng: np.random.Generator) -> bool:
    """Change the features [N, 7, H, W] of one state's views in place; returns whether they were mirrored left to
    right.

    A mirrored view's pixel column u becomes W − 1 − u. Expects the channels-last memory that features are made with.
    """
    mirror = bool(rng.random() < config.mirror)
    shown = float(rng.random() >= config.no_color)
    gain = shown * (1 + config.color_gain * rng.normal(size=3))
    offset = shown * config.color_offset * rng.normal(size=3)
    shift = config.depth_offset_m / DEPTH_RANGE_M * rng.normal()
    _augment(
        np.moveaxis(features, 1, -1), mirror, gain.astype(np.float32), offset.astype(np.float32), np.float32(shift)
    )
    return mirror


@numba.njit(cache=True, nogil=True)
def _augment(f, mirror, gain, offset, shift):
    count, height, width, channels = f.shape
    for n in range(count):
        for v in range(height):
            for u in range(width):
                nx, ny, nz = f[n, v, u, 4], f[n, v, u, 5], f[n, v, u, 6]
                if nx * nx + ny * ny + nz * nz < np.float32(0.25):  # no surface: stays zero
                    continue
                for c in range(3):
                    f[n, v, u, c] = f[n, v, u, c] * gain[c] + offset[c]
                f[n, v, u, 3] += shift
                if mirror:
                    f[n, v, u, 4] = -nx
            if mirror:
                for u in range(width // 2):
                    for c in range(channels):
                        kept = f[n, v, u, c]
                        f[n, v, u, c] = f[n, v, width - 1 - u, c]
                        f[n, v, width - 1 - u, c] = kept
