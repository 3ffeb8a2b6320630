"""Looking at a scene from several sides before choosing a grasp."""

from __future__ import annotations

import numpy as np

from grasp_policy.baselines.steps import is_at, looking_at, step_toward
from grasp_policy.policy import Allowed
from wildgrasp.geometry import Array


class LookingAround:
    """The way from T_base_fingertip through poses that look at a point [3] from three sides, nearest first."""

    def __init__(self, center: Array, T: Array) -> None:
        self._ahead = _poses_around(center, T)

    def next_step(self, T: Array, allowed: Allowed) -> Array | None:
        """The next pose to go to; None when all sides were seen. Sides that cannot be reached are left out."""
        while self._ahead:
            if not is_at(T, self._ahead[0], 0.02, 0.1):
                step = step_toward(T, self._ahead[0])
                if allowed(step[None])[0]:
                    return step
            self._ahead.pop(0)
        return None


def _poses_around(center: Array, T: Array) -> list[Array]:
    poses = [looking_at(center, _DISTANCE_M, _TILT_RAD, a, T[:3, 0]) for a in np.deg2rad([0.0, 120.0, 240.0])]
    ordered, here = [], T
    while poses:
        nearest = min(range(len(poses)), key=lambda n: np.linalg.norm(poses[n][:3, 3] - here[:3, 3]))
        here = poses.pop(nearest)
        ordered.append(here)
    return ordered


_TILT_RAD = 0.5
_DISTANCE_M = 0.22  # of the fingertips from the point
