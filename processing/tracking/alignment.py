"""Rigid alignment of landmarks to what a camera sees of them.

A landmark is seen as an *observation* (u, v, d): its pixel, and its depth as a disparity d = fx·baseline / z in
pixels. In these units a stereo depth camera's noise is nearly the same everywhere, so one robust scale serves all three
numbers. Where depth is missing, d is NaN and only the pixel counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse, pose, se3_exp, transform

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

    def jacobian(self, points: Array) -> Array:
        """∂observation/∂point, [N, 3, 3], of points [N, 3] in the camera frame."""
        x, y, z = points.T
        J = np.zeros((len(points), 3, 3))
        J[:, 0, 0], J[:, 0, 2] = self.pinhole.fx / z, -self.pinhole.fx * x / z**2
        J[:, 1, 1], J[:, 1, 2] = self.pinhole.fy / z, -self.pinhole.fy * y / z**2
        J[:, 2, 2] = -self.pinhole.fx * self.baseline_m / z**2
        return J


def motion_jacobian(point_jacobian: Array, points: Array) -> Array:
    """∂observation/∂ξ, [N, 3, 6], for points that move by se3_exp(ξ): dX = v + ω × X (X [N, 3] in the camera frame)."""
    J = np.empty((len(points), 3, 6))
    J[..., :3] = point_jacobian
    J[..., 3:] = np.cross(points[:, None, :], point_jacobian)  # row · (ω × X) = ω · (X × row)
    return J


def huber_weights(errors: Array, scale: float, cutoff: float = np.inf) -> Array:
    """Weights [N] of residual norms [N]: 1 within scale, scale/e beyond, 0 beyond cutoff."""
    weights = np.minimum(1.0, scale / np.maximum(errors, 1e-12))
    return np.where(errors > cutoff, 0.0, weights)


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


@dataclass(frozen=True)
class PoseFit:
    """A refined pose and how well it is known."""

    T_camera_reference: Array  # [4, 4]
    residuals: Array  # [N, 3]; disparity 0 where there is no depth
    sigma_m: float  # one standard deviation of the position


def refine_pose(
    landmarks: Array,
    observations: Array,
    camera: StereoCamera,
    T_camera_reference: Array,
    scale_px: float = 1.0,
    iterations: int = 8,
) -> PoseFit | None:
    """Robust Gauss–Newton on (u, v, d) over the pose that maps landmarks [N, 3] into the camera.

    Huber's weights, and nothing beyond four scales after the first steps. None when the system degenerates.
    """
    T = T_camera_reference
    for iteration in range(iterations):
        points = transform(T, landmarks)
        if np.any(points[:, 2] < 1e-3):
            return None
        residuals = np.nan_to_num(camera.observe(points) - observations)
        cutoff = 4 * scale_px if iteration > 1 else np.inf
        weights = huber_weights(np.linalg.norm(residuals, axis=1), scale_px, cutoff)
        J = motion_jacobian(camera.jacobian(points), points)
        J[np.isnan(observations[:, 2]), 2] = 0.0
        WJ = (weights[:, None, None] * J).reshape(-1, 6)
        H = WJ.T @ J.reshape(-1, 6)
        if np.sum(weights > 0) < 6 or np.linalg.cond(H) > 1e12:
            return None
        step = -np.linalg.solve(H, WJ.T @ residuals.ravel())
        T = se3_exp(step) @ T
        if np.abs(step).max() < 1e-7:
            break
    variance = np.sum(weights * np.sum(residuals**2, axis=1)) / max(3 * np.sum(weights > 0) - 6, 1)
    return PoseFit(T, residuals, _position_sigma(T, np.linalg.inv(H) * variance))


def _position_sigma(T_camera_reference: Array, covariance: Array) -> float:
    """Standard deviation of the camera's origin in the reference, given the covariance of a left perturbation."""
    R = inverse(T_camera_reference)[:3, :3]
    # The origin moves by -R·v: the perturbation acts in the camera frame, at the camera's own origin.
    return float(np.sqrt(np.trace(R @ covariance[:3, :3] @ R.T)))
