"""Where the gripper would be: its outline at a pose, as lines in a camera's picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse, transform

_NEAR_M = 0.02
_FINGER_M, _PALM_M, _STEM_M = 0.06, 0.06, 0.12


def gripper_lines(
    T_base_fingertip: NDArray[np.float64],
    T_base_camera: NDArray[np.float64],
    camera: PinholeCamera,
    opening_m: float,
) -> NDArray[np.float64]:
    """Lines [N, 2, 2] (ends in pixels) of two fingers, the palm and the stem, without what is behind the camera."""
    half = opening_m / 2
    points = np.array(
        [[-half, 0, 0], [-half, 0, -_FINGER_M], [half, 0, -_PALM_M], [half, 0, 0], [0, 0, -_PALM_M], [0, 0, -_STEM_M]]
    )
    ends = np.array([[0, 1], [1, 2], [2, 3], [4, 5]])
    seen = transform(inverse(T_base_camera) @ T_base_fingertip, points)
    visible = seen[:, 2] > _NEAR_M
    lines = ends[visible[ends].all(axis=1)]
    pixels = camera.project(np.where(visible[:, None], seen, [0.0, 0.0, 1.0]))
    return pixels[lines]
