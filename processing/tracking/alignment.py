"""Rigid alignment of landmarks to what a camera sees of them.

A landmark is seen as an *observation* (u, v, d): its pixel, and its depth as a disparity d = fx·baseline / z in
pixels. In these units a stereo depth camera's noise is nearly the same everywhere, so one robust scale serves all three
numbers. Where depth is missing, d is NaN and only the pixel counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, pose, transform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StereoCamera:
    """A pinhole camera that measures depth by disparity over a baseline (D415: 55 mm)."""

    pinhole: PinholeCamera
    baseline_m: float = 0.055

    @property
    def fB(self) -> float:
        """Disparity times depth, pixels · metres."""
        return self.pinhole.fx * self.baseline_m

    def observe(self, points: Array) -> Array:
        """Observations [..., 3] of points [..., 3] in the camera frame."""
        disparity = self.pinhole.fx * self.baseline_m / points[..., 2]
        return np.concatenate([self.pinhole.project(points), disparity[..., None]], axis=-1)

    def disparity(self, depth: Array) -> Array:
        """Disparity in pixels of depth in metres; NaN where depth is 0."""
        return self.pinhole.fx * self.baseline_m / np.where(depth > 0, depth, np.nan)

    def points(self, observations: Array) -> Array:
        """Points [..., 3] in the camera frame of observations [..., 3]; NaN without depth."""
        return self.pinhole.unproject(observations[..., :2], self.pinhole.fx * self.baseline_m / observations[..., 2])


def rigid_fit(A: Array, B: Array) -> Array:
    """Pose(s) [..., 4, 4] that map points A [..., N, 3] onto B with least squared distance (Kabsch 1976)."""
    a, b = A.mean(axis=-2, keepdims=True), B.mean(axis=-2, keepdims=True)
    U, _, Vt = np.linalg.svd(np.swapaxes(A - a, -1, -2) @ (B - b))
    V = np.swapaxes(Vt, -1, -2).copy()
    V[..., :, 2] *= np.sign(np.linalg.det(V @ np.swapaxes(U, -1, -2)))[..., None]
    R = V @ np.swapaxes(U, -1, -2)
    return pose(R, (b - a @ np.swapaxes(R, -1, -2))[..., 0, :])


@dataclass(frozen=True)
class RansacConfig:
    """Random sample consensus over triples of landmarks."""

    hypotheses: int = 64
    inlier_px: float = 2.5
    inlier_disparity_px: float = 1.5


def ransac_pose(
    landmarks: Array, observations: Array, camera: StereoCamera, config: RansacConfig, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    """The largest set of landmarks [N, 3] that move rigidly to their observations [N, 3], as bool [N], or None.

    Each hypothesis is the rigid fit of three landmarks to their measured points, scored by reprojection: pixels tell
    far more than depth does, so scoring in metres would prefer hypotheses with the luckiest depth noise.
    """
    measured = np.flatnonzero(np.isfinite(observations[:, 2]))
    if len(measured) < 6:
        return None
    triples = measured[rng.integers(0, len(measured), (config.hypotheses, 3))]
    T_camera_reference = rigid_fit(landmarks[triples], camera.points(observations[triples]))
    points = transform(T_camera_reference, landmarks)
    points[..., 2] = np.maximum(points[..., 2], 1e-3)
    inliers = _agrees(camera.observe(points) - observations, config)
    best = inliers[np.argmax(inliers.sum(axis=1))]
    return best if best.sum() >= 6 else None


def _agrees(residual: Array, config: RansacConfig) -> NDArray[np.bool_]:
    near = np.hypot(residual[..., 0], residual[..., 1]) < config.inlier_px
    return near & ~(np.abs(residual[..., 2]) > config.inlier_disparity_px)  # NaN (no depth) does not contradict
