"""Rigid motions and the pinhole camera: the two pieces of geometry that every package shares.

A pose ``T_a_b`` is a 4×4 float64 matrix: the pose of frame *b* in frame *a*; it maps homogeneous points of *b* to *a*.
Chains read left to right: ``T_world_fingertip = T_world_camera @ T_camera_fingertip``.
All functions accept leading batch dimensions where their docstring says ``[..., 4, 4]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# --- SE(3) ------------------------------------------------------------------------------------------------------------


def pose(R: Array | None = None, t: Array | None = None) -> Array:
    """Pose [..., 4, 4] from rotation [..., 3, 3] (default: identity) and translation [..., 3] in metres (default:
    0)."""
    R = np.eye(3) if R is None else np.asarray(R, dtype=np.float64)
    t = np.zeros(3) if t is None else np.asarray(t, dtype=np.float64)
    batch = np.broadcast_shapes(R.shape[:-2], t.shape[:-1])
    T = np.zeros((*batch, 4, 4))
    T[..., :3, :3] = R
    T[..., :3, 3] = t
    T[..., 3, 3] = 1.0
    return T


def inverse(T: Array) -> Array:
    """Inverse of poses [..., 4, 4] (transposes the rotation, so it must be orthonormal)."""
    R_inv = np.swapaxes(T[..., :3, :3], -1, -2)
    return pose(R_inv, -(R_inv @ T[..., :3, 3:])[..., 0])


def transform(T: Array, points: Array) -> Array:
    """Map points [..., N, 3] by poses [..., 4, 4]."""
    return points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def skew(v: Array) -> Array:
    """Cross-product matrix [..., 3, 3] of vectors [..., 3]: ``skew(a) @ b == cross(a, b)``."""
    v = np.asarray(v, dtype=np.float64)
    S = np.zeros((*v.shape[:-1], 3, 3))
    S[..., 0, 1], S[..., 0, 2], S[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    S[..., 1, 0], S[..., 2, 0], S[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return S


def so3_exp(w: Array) -> Array:
    """Rotation [..., 3, 3] of rotation vectors [..., 3] in radians (Rodrigues; series near zero)."""
    w = np.asarray(w, dtype=np.float64)
    theta2 = np.sum(w * w, axis=-1)[..., None, None]
    theta = np.sqrt(theta2)
    small = theta < 1e-4
    safe = np.where(small, 1.0, theta)
    a = np.where(small, 1.0 - theta2 / 6.0, np.sin(safe) / safe)
    b = np.where(small, 0.5 - theta2 / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    W = skew(w)
    return np.eye(3) + a * W + b * (W @ W)


def so3_log(R: Array) -> Array:
    """Rotation vector [..., 3] in radians, angle in [0, π], of rotations [..., 3, 3].

    From the antisymmetric part, 2 sin θ times the axis; near half a turn, where that vanishes, through quaternions.
    """
    R = np.asarray(R, dtype=np.float64)
    w = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], axis=-1)
    sine = 0.5 * np.sqrt(np.sum(w * w, axis=-1))
    cosine = 0.5 * (R[..., 0, 0] + R[..., 1, 1] + R[..., 2, 2] - 1.0)
    half_ratio = np.where(sine < 1e-6, 0.5, 0.5 * np.arctan2(sine, cosine) / np.maximum(sine, 1e-6))
    w = half_ratio[..., None] * w
    near_half_turn = cosine < -0.95
    if near_half_turn.any():
        from scipy.spatial.transform import Rotation

        w[near_half_turn] = Rotation.from_matrix(R[near_half_turn]).as_rotvec()
    return w


def _left_jacobian(w: Array) -> Array:
    theta2 = np.sum(w * w, axis=-1)[..., None, None]
    theta = np.sqrt(theta2)
    small = theta < 1e-4
    safe = np.where(small, 1.0, theta)
    a = np.where(small, 0.5 - theta2 / 24.0, (1.0 - np.cos(safe)) / (safe * safe))
    b = np.where(small, 1.0 / 6.0 - theta2 / 120.0, (safe - np.sin(safe)) / (safe**3))
    W = skew(w)
    return np.eye(3) + a * W + b * (W @ W)


def se3_exp(xi: Array) -> Array:
    """Pose [..., 4, 4] of twists [..., 6] = (translation part in metres, rotation vector in radians)."""
    xi = np.asarray(xi, dtype=np.float64)
    v, w = xi[..., :3], xi[..., 3:]
    return pose(so3_exp(w), (_left_jacobian(w) @ v[..., None])[..., 0])


def se3_log(T: Array) -> Array:
    """Twist [..., 6] = (translation part, rotation vector) of poses [..., 4, 4]; inverse of :func:`se3_exp`."""
    w = so3_log(T[..., :3, :3])
    v = np.linalg.solve(_left_jacobian(w), T[..., :3, 3:])[..., 0]
    return np.concatenate([v, w], axis=-1)


def rotation_angle(R: Array) -> Array:
    """Angle in radians, [...], of rotations [..., 3, 3] (accurate near 0 and π)."""
    return np.linalg.norm(so3_log(R), axis=-1)


def orthonormalize(R: Array) -> Array:
    """Nearest rotation [..., 3, 3] in the Frobenius norm (SVD), for matrices read from text files."""
    U, _, Vt = np.linalg.svd(R)
    U = U.copy()
    U[..., :, 2] *= np.sign(np.linalg.det(U @ Vt))[..., None]
    return U @ Vt


def interpolate(T0: Array, T1: Array, u: float | Array) -> Array:
    """Pose between T0 and T1 [4, 4]: straight line for the position, shortest arc for the rotation; u [...] in [0,
    1]."""
    u = np.asarray(u, dtype=np.float64)
    w = so3_log(T0[:3, :3].T @ T1[:3, :3])
    R = T0[:3, :3] @ so3_exp(u[..., None] * w)
    return pose(R, T0[:3, 3] + u[..., None] * (T1[:3, 3] - T0[:3, 3]))


def to_vector(T: Array) -> Array:
    """Pose [..., 4, 4] as [..., 7] = (x, y, z, qx, qy, qz, qw): the form in which poses are stored; qw ≥ 0."""
    from scipy.spatial.transform import Rotation

    T = np.asarray(T, dtype=np.float64)
    q = Rotation.from_matrix(T[..., :3, :3].reshape(-1, 3, 3)).as_quat(canonical=True)
    return np.concatenate([T[..., :3, 3], q.reshape(*T.shape[:-2], 4)], axis=-1)


def from_vector(v: Array) -> Array:
    """Inverse of :func:`to_vector`; the quaternion is normalised. Raises ValueError on a zero quaternion."""
    from scipy.spatial.transform import Rotation

    v = np.asarray(v, dtype=np.float64)
    R = Rotation.from_quat(v[..., 3:].reshape(-1, 4)).as_matrix().reshape(*v.shape[:-1], 3, 3)
    return pose(R, v[..., :3])


# --- Pinhole camera ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PinholeCamera:
    """Intrinsics of an undistorted camera. Pixel (0, 0) is the *centre* of the top-left pixel (OpenCV's convention)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def from_hfov(cls, width: int, height: int, hfov_rad: float) -> PinholeCamera:
        """Square pixels, centred principal point, horizontal field of view in radians."""
        f = 0.5 * width / np.tan(0.5 * hfov_rad)
        return cls(width, height, float(f), float(f), (width - 1) / 2, (height - 1) / 2)

    @property
    def matrix(self) -> Array:
        """K, [3, 3]."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    def project(self, points: Array) -> Array:
        """Pixels [..., 2] of points [..., 3] in the camera frame (z > 0 is the caller's care)."""
        z = points[..., 2]
        return np.stack([self.fx * points[..., 0] / z + self.cx, self.fy * points[..., 1] / z + self.cy], axis=-1)

    def unproject(self, pixels: Array, depth: Array) -> Array:
        """Points [..., 3] in the camera frame of pixels [..., 2] at depth [...] in metres."""
        x = (pixels[..., 0] - self.cx) / self.fx * depth
        y = (pixels[..., 1] - self.cy) / self.fy * depth
        return np.stack([x, y, depth], axis=-1)

    def points(self, depth: NDArray[np.float32]) -> Array:
        """Point image [H, W, 3] in the camera frame of a depth image [H, W] in metres (0 stays the origin)."""
        v, u = np.mgrid[: self.height, : self.width]
        return self.unproject(np.stack([u, v], axis=-1).astype(np.float64), depth)

    def resized(self, width: int, height: int) -> PinholeCamera:
        """The same camera with its image resampled to width × height."""
        sx, sy = width / self.width, height / self.height
        return PinholeCamera(
            width, height, self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        )

    def cropped(self, left: int, top: int, width: int, height: int) -> PinholeCamera:
        """The same camera with its image cropped to the given window."""
        return PinholeCamera(width, height, self.fx, self.fy, self.cx - left, self.cy - top)
