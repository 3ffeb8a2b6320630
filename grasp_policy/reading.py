"""Where in a view the tool axis projects: the window in which a view's value is read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wildgrasp.geometry import PinholeCamera, transform
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP


class Window(NamedTuple):
    """Half-open pixel window of a view."""

    top: int
    bottom: int
    left: int
    right: int


# The views' camera: a D415 (65° wide) shrunk to the paper's 45×80 pixels.
_VIEW = PinholeCamera.from_hfov(80, 45, np.deg2rad(65.0))


def tool_axis_window(camera: PinholeCamera = _VIEW, reach_m: float = 0.12, margin_px: float = 5.0) -> Window:
    """Pixels around the projection of the tool axis from the fingertips to reach_m ahead of them."""
    axis = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, reach_m]])
    uv = camera.project(transform(NOMINAL_T_CAMERA_FINGERTIP, axis))
    low = np.maximum(np.floor(uv.min(axis=0) - margin_px), 0).astype(int)
    high = np.minimum(np.ceil(uv.max(axis=0) + margin_px) + 1, [camera.width, camera.height]).astype(int)
    return Window(top=int(low[1]), bottom=int(high[1]), left=int(low[0]), right=int(high[0]))
