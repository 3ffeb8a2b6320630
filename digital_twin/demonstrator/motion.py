"""How a person's hand moves: smooth reaches along curved paths, with tremor.

Reaches follow the minimum-jerk law (Flash and Hogan, 1985). Paths are sampled at the physics' 2 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from digital_twin.world.scene import TIMESTEP_S
from wildgrasp.geometry import Array, pose, so3_exp, so3_log


@dataclass(frozen=True)
class TremorConfig:
    """Standard deviations of the hand's unrest."""

    sway_m: float = 0.0025  # slow: 0.4 … 1.5 Hz
    sway_rad: float = 0.010
    tremor_m: float = 0.0002  # physiological: 7 … 11 Hz
    tremor_rad: float = 0.001


class Tremor:
    """Unrest of a hand: a sum of sinusoids with random frequencies and phases, the same for the same generator."""

    def __init__(self, rng: np.random.Generator, config: TremorConfig) -> None:
        slow, fast = rng.uniform(0.4, 1.5, (3, 6)), rng.uniform(7.0, 11.0, (3, 6))
        self._frequencies = np.concatenate([slow, fast])  # [6 waves, 6 axes]
        self._phases = rng.uniform(0, 2 * np.pi, (6, 6))
        sway = np.array([config.sway_m] * 3 + [config.sway_rad] * 3)
        tremor = np.array([config.tremor_m] * 3 + [config.tremor_rad] * 3)
        self._amplitudes = np.sqrt(2 / 3) * np.stack([sway] * 3 + [tremor] * 3)

    def at(self, t_s: Array | float, share: Array | float = 1.0) -> Array:
        """Deviation of the fingertip pose [..., 4, 4] at times; ``share`` (0 … 1) damps the slow sway, as aiming
        does.
        """
        angles = 2 * np.pi * self._frequencies * np.asarray(t_s)[..., None, None] + self._phases
        waves = self._amplitudes * np.sin(angles)
        slow, fast = waves[..., :3, :].sum(axis=-2), waves[..., 3:, :].sum(axis=-2)
        twist = np.asarray(share)[..., None] * slow + fast
        return pose(so3_exp(twist[..., 3:]), twist[..., :3])


def min_jerk(u: Array) -> Array:
    """Position 0 … 1 along a reach at times u in 0 … 1."""
    return u**3 * (10 - 15 * u + 6 * u**2)


def reach(start: Array, end: Array, duration_s: float, bend: Array | None = None) -> Array:
    """Poses [N, 4, 4] of a reach from rest to rest, without the start; ``bend`` [3] bows the path to that side,
    metres.
    """
    u = _times(duration_s)
    s = min_jerk(u)
    positions = start[:3, 3] + s[:, None] * (end[:3, 3] - start[:3, 3])
    if bend is not None:
        positions = positions + (4 * s * (1 - s))[:, None] * bend
    return _with_rotations(start, end, positions, s)


def approach(start: Array, grasp: Array, straight_m: float, bend: Array, duration_s: float, turned_by: float) -> Array:
    """Poses [N, 4, 4] of a reach that ends straight along the grasp's approach axis.

    A Bézier curve leads from the start, bowed by ``bend`` [3], to a point ``straight_m`` before the grasp and runs on
    as a straight line; the hand has turned to the grasp's orientation after the share ``turned_by`` of the way.
    """
    end = grasp[:3, 3]
    entry = end - straight_m * grasp[:3, 2]
    distance = np.linalg.norm(entry - start[:3, 3])
    control_1 = start[:3, 3] + (entry - start[:3, 3]) / 3 + bend
    control_2 = entry - distance / 3 * grasp[:3, 2]
    t = np.linspace(0, 1, 200)[:, None]
    curve = (
        (1 - t) ** 3 * start[:3, 3] + 3 * t * (1 - t) ** 2 * control_1 + 3 * t**2 * (1 - t) * control_2 + t**3 * entry
    )
    path = np.concatenate([curve, entry + np.linspace(0, 1, 30)[1:, None] * (end - entry)])
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    s = min_jerk(_times(duration_s))
    positions = np.stack([np.interp(s * lengths[-1], lengths, path[:, k]) for k in range(3)], axis=1)
    turn = np.clip(s / turned_by, 0.0, 1.0)
    return _with_rotations(start, grasp, positions, turn * turn * (3 - 2 * turn))


def _times(duration_s: float) -> Array:
    n = max(1, round(duration_s / TIMESTEP_S))
    return np.arange(1, n + 1) / n


def _with_rotations(start: Array, end: Array, positions: Array, turn: Array) -> Array:
    w = so3_log(start[:3, :3].T @ end[:3, :3])
    return pose(start[:3, :3] @ so3_exp(turn[:, None] * w), positions)
