"""Registering a depth image to the colour camera that stands beside the depth camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera

# Opposite neighbours of a gap belong to one surface when their depths differ by less than this fraction.
SAME_SURFACE = 0.02
_NONE = np.uint16(65535)


class DepthRegistration:
    """Moves depth images [H, W] of one camera into another's image.

    Every measurement is projected to its nearest pixel, the nearest surface wins; gaps of one pixel that the projection
    leaves within one surface are filled with the mean of their neighbours.

    Args:
        depth_camera, color_camera: intrinsics of the two.
        T_color_depth: pose [4, 4] of the depth camera in the colour camera's frame.
        depth_scale: metres per unit of the depth images.
    """

    def __init__(
        self,
        depth_camera: PinholeCamera,
        color_camera: PinholeCamera,
        T_color_depth: NDArray[np.float64],
        depth_scale: float,
    ) -> None:
        self.color_camera = color_camera
        self.depth_scale = depth_scale
        rays = depth_camera.points(np.ones((depth_camera.height, depth_camera.width), np.float32))
        # p_color = z · (R ray) + t: the rotated rays are the same for every image.
        self._rays = (rays @ T_color_depth[:3, :3].T).astype(np.float32).reshape(-1, 3)
        self._t = T_color_depth[:3, 3].astype(np.float32)

    def register(self, depth_raw: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Depth image [H, W] in the colour camera, in the same unit; 0 (and 65535 in the input) = no measurement."""
        camera = self.color_camera
        raw = depth_raw.reshape(-1)
        measured = np.flatnonzero((raw != 0) & (raw != _NONE))
        z = raw[measured].astype(np.float32) * np.float32(self.depth_scale)
        points = self._rays[measured] * z[:, None] + self._t
        points = points[points[:, 2] > 0]
        u = np.rint(points[:, 0] / points[:, 2] * camera.fx + camera.cx)
        v = np.rint(points[:, 1] / points[:, 2] * camera.fy + camera.cy)
        seen = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        pixel = v[seen].astype(np.int32) * camera.width + u[seen].astype(np.int32)
        units = np.clip(np.rint(points[seen, 2] / np.float32(self.depth_scale)), 1, 65534).astype(np.uint16)
        nearest = np.full(camera.width * camera.height, _NONE, np.uint16)
        np.minimum.at(nearest, pixel, units)
        nearest[nearest == _NONE] = 0
        return fill_gaps(nearest.reshape(camera.height, camera.width))


def fill_gaps(depth_raw: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Fill each unmeasured pixel whose two horizontal, or else vertical, neighbours lie on one surface."""
    filled = depth_raw.copy()
    for axis in (1, 0):
        image = np.moveaxis(depth_raw, axis, 1)
        out = np.moveaxis(filled, axis, 1)
        a, b = image[:, :-2].astype(np.int32), image[:, 2:].astype(np.int32)
        gap = (out[:, 1:-1] == 0) & (a > 0) & (b > 0) & (np.abs(a - b) < SAME_SURFACE * np.minimum(a, b))
        out[:, 1:-1][gap] = ((a + b)[gap] // 2).astype(np.uint16)
    return filled
