"""How far the simulated robot cell is from its ideal: drawn per episode from a seed, each deviation with its own range.

``nominal`` is a well-kept rig. ``hard`` is a neglected one: a hand–eye calibration that is off by millimetres, slippery
pads, a slow camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wildgrasp.geometry import Array, pose, so3_exp

Difficulty = Literal["ideal", "nominal", "hard"]


@dataclass(frozen=True)
class RealityRanges:
    """Ranges that :func:`sample_reality` draws from, uniformly."""

    hand_eye_m: tuple[float, float] = (0.0, 0.0)
    hand_eye_rad: tuple[float, float] = (0.0, 0.0)
    camera_latency_s: tuple[float, float] = (0.0, 0.0)
    pad_friction: tuple[float, float] = (0.8, 0.8)
    depth_noise: bool = False


RANGES: dict[str, RealityRanges] = {
    "ideal": RealityRanges(),
    "nominal": RealityRanges(
        hand_eye_m=(0.0, 0.002),
        hand_eye_rad=(0.0, np.deg2rad(0.5)),
        camera_latency_s=(0.03, 0.06),
        pad_friction=(0.5, 0.9),
        depth_noise=True,
    ),
    "hard": RealityRanges(
        hand_eye_m=(0.002, 0.004),
        hand_eye_rad=(np.deg2rad(0.5), np.deg2rad(1.0)),
        camera_latency_s=(0.06, 0.1),
        pad_friction=(0.2, 0.6),
        depth_noise=True,
    ),
}


@dataclass(frozen=True)
class Reality:
    """What one cell deviates by. ``hand_eye`` is a twist (m, rad) of the true camera about its nominal place."""

    hand_eye: tuple[float, float, float, float, float, float] = (0.0,) * 6
    camera_latency_s: float = 0.0
    pad_friction: float = 0.8
    depth_noise: bool = False

    @property
    def T_nominal_camera(self) -> Array:
        """Pose [4, 4] of the true camera in the camera frame that the rig believes in."""
        v = np.array(self.hand_eye)
        return pose(so3_exp(v[3:]), v[:3])


def sample_reality(rng: np.random.Generator, difficulty: Difficulty) -> Reality:
    """Draw one cell's deviations."""
    ranges = RANGES[difficulty]
    shift = _direction(rng) * rng.uniform(*ranges.hand_eye_m)
    turn = _direction(rng) * rng.uniform(*ranges.hand_eye_rad)
    return Reality(
        hand_eye=tuple(float(v) for v in (*shift, *turn)),
        camera_latency_s=float(rng.uniform(*ranges.camera_latency_s)),
        pad_friction=float(rng.uniform(*ranges.pad_friction)),
        depth_noise=ranges.depth_noise,
    )


def _direction(rng: np.random.Generator) -> Array:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)
