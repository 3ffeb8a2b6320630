"""What a stereo depth camera of the D415's kind makes of exact depth.

A D415 measures disparity d = f·B/z between two infrared pictures 55 mm apart and rounds it to 1/32 pixel, so its error
grows with z². The model: disparity noise of about 0.06 px, smooth over a few pixels as the matching window is; outlines
that wander by half a pixel; no value where the second camera's view is blocked or ends (left band), on steep slants,
and nearer than the longest disparity of the search, 126 px (0.22 m at 640 × 480). Constants measured on, or published
for, the D4xx series (Keselman et al., "Intel RealSense Stereoscopic Depth Cameras", 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera

Depth = NDArray[np.float32]  # [H, W] metres, 0 = none


@dataclass(frozen=True)
class StereoConfig:
    """Constants of the sensor."""

    baseline_m: float = 0.055
    disparity_sigma_px: float = 0.06
    smoothing_px: float = 1.5  # how far the disparity noise is correlated
    outline_sigma_px: float = 0.5
    steps_per_px: float = 32.0
    max_disparity_px: float = 126.0
    occlusion_px: float = 1.0  # how much nearer a surface must be to hide another from the second camera
    steepest_deg: float = 80.0
    speckle_fraction: float = 0.002  # of single pixels whose match fails


class StereoNoise:
    """Turns exact depth into measured depth; one stream of noise per seed.

    Noise fields are drawn once and read at a random offset for every picture, because drawing 300 000 normal numbers
    per picture would cost more than all the rest.
    """

    def __init__(self, camera: PinholeCamera, seed: int, config: StereoConfig | None = None) -> None:
        self.config = config or StereoConfig()
        self._camera = camera
        self._rng = np.random.default_rng(seed)
        h, w = camera.height, camera.width
        self._margin = 128
        shape = (h + self._margin, w + self._margin)
        field = self._rng.standard_normal(shape, np.float32)
        smooth = cv2.GaussianBlur(field, (0, 0), self.config.smoothing_px)
        self._disparity_noise = smooth * (self.config.disparity_sigma_px / smooth.std())
        self._outline_u, self._outline_v = (self._wander(shape) for _ in range(2))
        self._luck = self._rng.random(shape, np.float32)

    def apply(self, depth: Depth) -> Depth:
        """Measured depth [H, W] in metres of exact depth [H, W] in metres; 0 = no measurement in both."""
        c = self.config
        return _measure(
            np.ascontiguousarray(depth),
            self._cut(self._disparity_noise),
            self._cut(self._outline_u),
            self._cut(self._outline_v),
            self._cut(self._luck),
            np.float32(self._camera.fx * c.baseline_m),
            np.float32(self._camera.fx),
            np.float32(c.steps_per_px),
            np.float32(c.max_disparity_px),
            np.float32(c.occlusion_px),
            np.float32(np.tan(np.deg2rad(c.steepest_deg))),
            np.float32(c.speckle_fraction),
        )

    def _wander(self, shape: tuple[int, int]) -> Depth:
        """How far outlines are displaced: changes over about four pixels."""
        coarse = self._rng.standard_normal((shape[0] // 4, shape[1] // 4), np.float32)
        return cv2.resize(coarse * np.float32(self.config.outline_sigma_px), shape[::-1])

    def _cut(self, field: Depth) -> Depth:
        v, u = self._rng.integers(0, self._margin, 2)
        return field[v : v + self._camera.height, u : u + self._camera.width]


@numba.njit(cache=True, fastmath=True)
def _measure(z, noise, outline_u, outline_v, luck, fB, f, steps, longest, occlusion, steepest, speckle):
    h, w = z.shape
    out = np.zeros((h, w), np.float32)
    disparity = np.zeros(w, np.float32)
    second_view = np.zeros(w, np.float32)  # nearest disparity seen by each pixel of the other camera
    for v in range(h):
        for u in range(w):
            disparity[u] = fB / z[v, u] if z[v, u] > 0.0 else 0.0
            second_view[u] = 0.0
        last = 0
        for u in range(w):
            x = int(np.floor(u - disparity[u] + 0.5))
            # A surface that the other camera sees less slanted covers more pixels there: fill between neighbours.
            smooth = u > 0 and abs(z[v, u] - z[v, u - 1]) < 0.05 * z[v, u]
            for covered in range(min(last + 1, x) if smooth else x, x + 1):
                if 0 <= covered < w and disparity[u] > second_view[covered]:
                    second_view[covered] = disparity[u]
            last = x
        for u in range(w):
            d = disparity[u]
            x = int(np.floor(u - d + 0.5))
            if d == 0.0 or x < 0 or d < second_view[x] - occlusion or luck[v, u] < speckle:
                continue
            left, right = z[v, max(u - 1, 0)], z[v, min(u + 1, w - 1)]
            near = min(left, right)
            # On a depth step the slope is no slope: it is an outline, and those are handled by their jitter.
            if near > 0.0 and abs(right - left) < 0.05 * near and abs(right - left) * f > 2.0 * steepest * z[v, u]:
                continue
            su = min(max(int(u + outline_u[v, u] + 0.5), 0), w - 1)
            sv = min(max(int(v + outline_v[v, u] + 0.5), 0), h - 1)
            if z[sv, su] <= 0.0:
                continue
            measured = np.floor((fB / z[sv, su] + noise[v, u]) * steps + 0.5) / steps
            if 0.0 < measured < longest:
                out[v, u] = fB / measured
    return out
