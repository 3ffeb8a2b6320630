"""Bundle adjustment: keyframe poses and landmarks that together explain every observation best.

Levenberg–Marquardt with the landmarks eliminated (Schur complement; Triggs et al. 2000), robust by Huber's weights. An
observation is (u, v, disparity), so the depth sensor and the parallax between keyframes are weighed as they deserve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_matrix
from scipy.sparse.linalg import splu

from processing.tracking.alignment import StereoCamera, huber_weights, motion_jacobian
from wildgrasp.geometry import se3_exp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BundleProblem:
    """M observations of L landmarks by K cameras."""

    camera_ids: NDArray[np.int64]  # [M]
    landmark_ids: NDArray[np.int64]  # [M]
    observations: Array  # [M, 3]; disparity NaN where there is no depth
    anchors: NDArray[np.bool_]  # [K] cameras that stay where they are: one per connected part


@dataclass(frozen=True)
class BundleResult:
    T_camera_world: Array  # [K, 4, 4]
    landmarks: Array  # [L, 3] in the world
    errors: Array  # [M] final residual norms in pixels
    sigma_m: Array  # [K] standard deviation of each camera's position, relative to its anchor


def adjust(
    problem: BundleProblem,
    T_camera_world: Array,
    landmarks: Array,
    camera: StereoCamera,
    scale_px: float = 0.5,
    iterations: int = 10,
) -> BundleResult:
    """Refine camera poses [K, 4, 4] and landmarks [L, 3]."""
    T, X, damping = T_camera_world.copy(), landmarks.copy(), 1e-4
    errors, cost = _errors(problem, T, X, camera, scale_px)
    for _ in range(iterations):
        system = _Linearized(problem, T, X, camera, errors, scale_px)
        improved = False
        for _attempt in range(4):
            step_T, step_X = system.solve(damping)
            T_new, X_new = se3_exp(step_T) @ T, X + step_X
            errors_new, cost_new = _errors(problem, T_new, X_new, camera, scale_px)
            if cost_new < cost:
                improved = True
                break
            damping *= 10
        if not improved:
            break
        gain = (cost - cost_new) / cost
        T, X, errors, cost, damping = T_new, X_new, errors_new, cost_new, max(damping / 10, 1e-9)
        if gain < 1e-4:
            break
    sigma_m = _Linearized(problem, T, X, camera, errors, scale_px).position_sigma()
    return BundleResult(T, X, errors, sigma_m)


def _errors(problem: BundleProblem, T: Array, X: Array, camera: StereoCamera, scale: float) -> tuple[Array, float]:
    """Residual norms [M] and Huber's cost; infinite cost when a point falls behind its camera."""
    points = _in_camera(problem, T, X)
    if np.any(points[:, 2] < 1e-3):
        return np.zeros(len(points)), np.inf
    e = np.linalg.norm(np.nan_to_num(camera.observe(points) - problem.observations), axis=1)
    return e, float(np.sum(np.where(e < scale, 0.5 * e**2, scale * (e - 0.5 * scale))))


def _in_camera(problem: BundleProblem, T: Array, X: Array) -> Array:
    R, t = T[problem.camera_ids, :3, :3], T[problem.camera_ids, :3, 3]
    return (R @ X[problem.landmark_ids, :, None])[..., 0] + t


class _Linearized:
    """The normal equations at one estimate: H_cc, H_ll block-diagonal, H_cl sparse."""

    def __init__(self, problem, T, X, camera: StereoCamera, errors: Array, scale: float) -> None:
        self.cameras, self.landmarks = len(T), len(X)
        self.anchors = problem.anchors
        c, l = problem.camera_ids, problem.landmark_ids  # noqa: E741
        points = _in_camera(problem, T, X)
        residuals = np.nan_to_num(camera.observe(points) - problem.observations)
        weights = huber_weights(errors, scale)
        self.variance = float(np.sum(weights * errors**2) / max(3 * len(errors) - 3 * len(X), 1))
        J = camera.jacobian(points)
        J[np.isnan(problem.observations[:, 2]), 2] = 0.0
        A = motion_jacobian(J, points)  # [M, 3, 6]
        A[self.anchors[c]] = 0.0
        B = J @ T[c, :3, :3]  # [M, 3, 3]
        WA, WB = weights[:, None, None] * A, weights[:, None, None] * B
        At, Bt = np.swapaxes(WA, 1, 2), np.swapaxes(WB, 1, 2)
        self.H_cc = _sum_by(At @ A, c, self.cameras)
        self.H_ll = _sum_by(Bt @ B, l, self.landmarks)
        self.g_c = _sum_by((At @ residuals[..., None])[..., 0], c, self.cameras)
        self.g_l = _sum_by((Bt @ residuals[..., None])[..., 0], l, self.landmarks)
        order = np.argsort(c, kind="stable")
        starts = np.searchsorted(c[order], np.arange(self.cameras + 1))
        shape = (6 * self.cameras, 3 * self.landmarks)
        self.H_cl = bsr_matrix(((At @ B)[order], l[order], starts), shape=shape)

    def solve(self, damping: float) -> tuple[Array, Array]:
        """Steps [K, 6] and [L, 3]."""
        reduced, inverse_ll = self._reduce(damping)
        right = -self.g_c.ravel() + self.H_cl @ (inverse_ll @ self.g_l[..., None])[..., 0].ravel()
        step_T = splu(reduced).solve(right).reshape(-1, 6)
        step_X = -(inverse_ll @ (self.g_l + (self.H_cl.T @ step_T.ravel()).reshape(-1, 3))[..., None])[..., 0]
        return step_T, step_X

    def position_sigma(self) -> Array:
        """Standard deviation [K] of the camera positions from the inverse of the reduced system."""
        factor = splu(self._reduce(1e-9)[0])
        sigma = np.zeros(self.cameras)
        for k in np.flatnonzero(~self.anchors):
            unit = np.zeros((6 * self.cameras, 3))
            unit[6 * k + np.arange(3), np.arange(3)] = 1.0
            sigma[k] = np.sqrt(self.variance * np.trace(factor.solve(unit)[6 * k : 6 * k + 3]))
        return sigma

    def _reduce(self, damping: float):
        """Schur complement of the landmarks (sparse, [6K, 6K]) and the inverse landmark blocks [L, 3, 3]."""
        H_ll = self.H_ll + damping * self.H_ll * np.eye(3) + 1e-9 * np.eye(3)
        inverse_ll = np.linalg.inv(H_ll)
        blocks = np.arange(self.landmarks + 1)
        D = bsr_matrix((inverse_ll, blocks[:-1], blocks), shape=(3 * self.landmarks,) * 2)
        H_cc = self.H_cc + damping * self.H_cc * np.eye(6) + 1e-9 * np.eye(6)
        H_cc[self.anchors] += 1e6 * np.eye(6)
        blocks = np.arange(self.cameras + 1)
        C = bsr_matrix((H_cc, blocks[:-1], blocks), shape=(6 * self.cameras,) * 2)
        return (C - self.H_cl @ D @ self.H_cl.T).tocsc(), inverse_ll


def _sum_by(values: Array, groups: NDArray, count: int) -> Array:
    """Sum values [M, ...] into [count, ...] by group."""
    flat = values.reshape(len(values), -1)
    columns = [np.bincount(groups, weights=flat[:, i], minlength=count) for i in range(flat.shape[1])]
    return np.stack(columns, axis=1).reshape(count, *values.shape[1:])
