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
        self._outline = self._wander(shape)
        self._luck = self._rng.random(shape, np.float32)
        self._disparities = np.empty((h + 2 * _PAD, w + 2 * _PAD), np.float32)

    def apply(self, depth: Depth) -> Depth:
        """Measured depth [H, W] in metres of exact depth [H, W] in metres; 0 = no measurement in both."""
        c = self.config
        measured = np.empty(depth.shape, np.float32)
        _measure(
            np.ascontiguousarray(depth),
            measured,
            self._disparities,
            self._disparity_noise,
            self._outline,
            self._luck,
            self._rng.integers(0, self._margin, (3, 2)),
            np.float32(self._camera.fx * c.baseline_m),
            np.float32(c.steps_per_px),
            np.float32(c.max_disparity_px),
            np.float32(c.occlusion_px),
            np.float32(2 * np.tan(np.deg2rad(c.steepest_deg)) / self._camera.fx),
            np.float32(c.speckle_fraction),
        )
        return measured

    def _wander(self, shape: tuple[int, int]) -> NDArray[np.int32]:
        """Where outlines are displaced to, in pixels of the padded picture: changes over about four pixels."""
        coarse = self._rng.standard_normal((2, shape[0] // 4, shape[1] // 4), np.float32)
        down, right = (cv2.resize(field * np.float32(self.config.outline_sigma_px), shape[::-1]) for field in coarse)
        down, right = (np.clip(np.rint(field), -_PAD, _PAD).astype(np.int32) for field in (down, right))
        return down * (self._camera.width + 2 * _PAD) + right


_PAD = 4  # pixels around a picture that repeat its edge: no outline is displaced farther
_SAME_SURFACE = np.float32(0.05)  # neighbours whose depths differ by less, as a fraction
_HALF, _NONE = np.float32(0.5), np.float32(0.0)  # everything in single precision


@numba.njit(cache=True, fastmath=True, error_model="numpy")
def _measure(z, out, padded, noise, outline, luck, corners, fB, steps, longest, occlusion, steepest, speckle):
    """Into ``out``. ``padded`` is room for disparities; ``corners`` [3, 2]: row and column of the noise fields that
    belong to the picture's first pixel."""
    h, w = z.shape
    _pad_disparity(z, fB, padded)
    disparities = padded.ravel()
    # The other camera's pixel of each pixel, counted from 1: 0 is everything left of its picture, which it never sees.
    seen_at = np.empty(w, np.uint32)
    second_view = np.empty(w + 1, np.float32)  # nearest disparity seen by each pixel of the other camera
    hides, matched = np.empty(w, np.float32), np.empty(w, np.float32)
    beside = np.empty(w + 2, np.float32)  # a row with its ends repeated
    for v in range(h):
        first = (v + _PAD) * (w + 2 * _PAD) + _PAD
        row, disparity = z[v], disparities[first : first + w]
        noise_row = noise[corners[0, 0] + v, corners[0, 1] : corners[0, 1] + w]
        outline_row = outline[corners[1, 0] + v, corners[1, 1] : corners[1, 1] + w]
        luck_row = luck[corners[2, 0] + v, corners[2, 1] : corners[2, 1] + w]
        for u in range(w):
            at = np.int32(np.floor(np.float32(u) - disparity[u] + _HALF)) + np.int32(1)
            seen_at[u] = np.uint32(max(at, np.int32(0)))
        second_view[0] = np.float32(np.finfo(np.float32).max)
        second_view[1:] = _NONE
        beside[1:-1], beside[0], beside[-1] = row, row[0], row[-1]
        last = np.uint32(0)
        for u in range(w):
            x = seen_at[u]
            # A surface that the other camera sees less slanted covers more pixels there: fill between neighbours.
            if x > last + np.uint32(1) and u > 0 and abs(row[u] - row[u - 1]) < _SAME_SURFACE * row[u]:
                for covered in range(last + np.uint32(1), x):
                    second_view[covered] = max(second_view[covered], disparity[u])
            second_view[x] = max(second_view[x], disparity[u])
            last = x
        # What reads here and there comes first, so that all the rest runs on several pixels at once.
        for u in range(w):
            hides[u] = second_view[seen_at[u]]
            matched[u] = disparities[np.uint64(first + u + outline_row[u])]
        for u in range(w):
            left, right = beside[u], beside[u + 2]
            near, step = min(left, right), abs(right - left)
            # On a depth step the slope is no slope: it is an outline, and those are handled by their jitter.
            slanted = (near > _NONE) & (step < _SAME_SURFACE * near) & (step > steepest * row[u])
            steps_measured = np.floor((matched[u] + noise_row[u]) * steps + _HALF)
            found = (disparity[u] > _NONE) & (matched[u] > _NONE) & (disparity[u] >= hides[u] - occlusion)
            inside = (steps_measured > _NONE) & (steps_measured < longest * steps)
            good = found & inside & (luck_row[u] >= speckle) & ~slanted
            out[v, u] = fB * steps / steps_measured if good else _NONE


@numba.njit(cache=True, fastmath=True)
def _pad_disparity(z, fB, padded):
    """Into ``padded``: fB / z, 0 where there is none, with its edges repeated ``_PAD`` times, row after row."""
    h, w = z.shape
    for v in range(h):
        row = padded[v + _PAD]
        for u in range(w):
            row[u + _PAD] = fB / z[v, u] if z[v, u] > _NONE else _NONE
        row[:_PAD], row[w + _PAD :] = row[_PAD], row[w + _PAD - 1]
    for k in range(_PAD):
        padded[k], padded[h + _PAD + k] = padded[_PAD], padded[h + _PAD - 1]
