"""Where in a view the tool axis projects: the window in which a view's value is read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from grasp_policy.actions import VIEW_CAMERA
from wildgrasp.geometry import PinholeCamera, transform
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP


class Window(NamedTuple):
    """Half-open pixel window of a view."""

    top: int
    bottom: int
    left: int
    right: int


def tool_axis_window(camera: PinholeCamera = VIEW_CAMERA, reach_m: float = 0.12, margin_px: float = 5.0) -> Window:
    """Pixels around the projection of the tool axis from the fingertips to reach_m ahead of them."""
    axis = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, reach_m]])
    uv = camera.project(transform(NOMINAL_T_CAMERA_FINGERTIP, axis))
    low = np.maximum(np.floor(uv.min(axis=0) - margin_px), 0).astype(int)
    high = np.minimum(np.ceil(uv.max(axis=0) + margin_px) + 1, [camera.width, camera.height]).astype(int)
    return Window(top=int(low[1]), bottom=int(high[1]), left=int(low[0]), right=int(high[0]))
