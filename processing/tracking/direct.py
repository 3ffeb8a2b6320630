"""Direct alignment: the pose for which a keyframe's points look, and lie, as another picture shows them.

Corners are few, and on a plain table they are the wrong ones: on whatever else is textured, and perhaps moving. Here
thousands of points, spread evenly over the picture, vote with two residuals each, in units of their noise:

    colour     I(π(T X)) − (a·I₀ + b)      grey levels, with gain a and offset b for drifting exposure
    disparity  d(π(T X)) − f·B / (T X)_z   what the depth camera measures there

(Steinbrücker et al. 2011, Kerl et al. 2013.) A shutter that rolls is part of the model: a point in a row that is read
τ readouts after the middle one is seen by a camera that has moved on by τ·twist. That motion is expected to be the one
from frame to frame and estimated with the pose, because a hand trembles about as fast as frames come. Gauss–Newton
with robust weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from processing.tracking.alignment import StereoCamera
from wildgrasp.geometry import se3_exp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DirectConfig:
    """Noise of the sensor, and when an alignment counts."""

    cell_px: int = 5  # one point in each cell of this size: where the picture changes most
    blur_px: float = 0.8
    gray_noise: float = 2.0  # grey levels
    position_noise_px: float = 0.3  # resampling, aliasing: noise in proportion to the gradient
    disparity_noise_px: float = 0.06
    other_surface_px: float = 1.0  # a disparity that differs by this and 3 % is not the same surface's
    iterations: int = 12
    converged_px: float = 0.01
    unrest_m: float = 0.0002  # how differently from its mean motion a hand moves the camera during a readout
    unrest_rad: float = 0.0004
    min_seen: int = 400  # points within the other picture
    min_seen_fraction: float = 0.15
    min_agreement: float = 0.4  # mean weight of the residuals


@dataclass(frozen=True)
class Picture:
    """What points are aligned to."""

    image: NDArray[np.float32]  # [H, W, 3]: grey, its derivatives along u and v
    disparity: NDArray[np.float32]  # [H, W] pixels; 0 where there is none


@dataclass(frozen=True)
class Points:
    """What is aligned: points of a keyframe's surface."""

    points: Array  # [N, 3] in its camera, as its rolling shutter saw them
    gray: NDArray[np.float32]  # [N]
    pixels: NDArray[np.int64]  # [N, 2] where it saw them
    late: Array  # [N] when they were seen: −½ … ½ readouts from the middle row

    def at_rest(self, twist: Array) -> Array:
        """Where the points [N, 3] are for the middle row, given the camera's motion [6] during a readout."""
        return self.points + self.late[:, None] * (twist[:3] + np.cross(twist[3:], self.points))


@dataclass(frozen=True)
class DirectFit:
    """An aligned pose, and how well it is known."""

    T_camera_reference: Array  # [4, 4]
    twist: Array  # [6] motion of the camera during the readout, in its own frame
    per_twist: Array  # [6, 6] left perturbation of the pose per change of the twist
    information: Array  # [6, 6] of a left perturbation of the pose, if all residuals were independent
    seen: int  # points within the picture
    agreement: float  # mean weight of their residuals, 0 … 1


def picture(gray: NDArray[np.uint8], depth: NDArray[np.float32], camera: StereoCamera, config: DirectConfig) -> Picture:
    """Prepare grey image [H, W] and usable depth [H, W] (0: none)."""
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), config.blur_px)
    du = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    dv = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    disparity = np.divide(camera.fB, depth, out=np.zeros_like(depth), where=depth > 0)
    return Picture(np.ascontiguousarray(cv2.merge([smooth, du, dv])), disparity)


def pick_points(seen: Picture, camera: StereoCamera, config: DirectConfig) -> Points:
    """One point per cell, where depth is measured all around."""
    low, high = cv2.erode(seen.disparity, np.ones((3, 3))), cv2.dilate(seen.disparity, np.ones((3, 3)))
    smooth = (low > 0) & (high - low < 1.0 + 0.05 * low)
    steepness = np.where(smooth, np.hypot(seen.image[..., 1], seen.image[..., 2]) + 1e-3, 0)
    h, w = (s // config.cell_px for s in steepness.shape)
    c = config.cell_px
    cells = steepness[: h * c, : w * c].reshape(h, c, w, c).swapaxes(1, 2).reshape(h, w, c * c)
    best = np.argmax(cells, axis=-1)
    rows, columns = np.nonzero(np.take_along_axis(cells, best[..., None], axis=-1)[..., 0])
    v, u = rows * c + best[rows, columns] // c, columns * c + best[rows, columns] % c
    depth = camera.fB / seen.disparity[v, u].astype(np.float64)
    points = camera.pinhole.unproject(np.column_stack([u, v]).astype(np.float64), depth)
    return Points(points, seen.image[v, u, 0], np.column_stack([u, v]), v / camera.pinhole.height - 0.5)


def align(
    points: Array,
    gray: NDArray[np.float32],
    other: Picture,
    camera: StereoCamera,
    T_camera_reference: Array,
    config: DirectConfig,
    twist: Array | None = None,
) -> DirectFit | None:
    """Pose of points [N, 3] with grey values [N] in another picture, from a guess that is off by a few pixels at most.

    ``twist`` [6]: what the motion of the camera during the readout probably is; None: there is none. The result is None
    when too little is seen or it does not agree.
    """
    if len(points) < config.min_seen:
        return None
    lens = camera.pinhole
    intrinsics = np.array([lens.fx, lens.fy, lens.cx, lens.cy, camera.fB])
    noise = np.array([config.gray_noise, config.position_noise_px, config.disparity_noise_px, config.other_surface_px])
    pixels_per_unit = np.array([lens.fx / np.median(points[:, 2])] * 3 + [lens.fx] * 3)
    expected = np.zeros(PARAMETERS)
    expected[GAIN] = 1.0
    sigma = np.array([np.inf] * 6 + [config.unrest_m] * 3 + [config.unrest_rad] * 3 + [0.1, 10.0])
    if twist is None:
        sigma[6:12] = 1e-9
    else:
        expected[6:12] = twist
    prior = np.diag(1.0 / sigma**2)
    T, state = T_camera_reference, expected.copy()  # the state's first six stay 0: they are in T
    for _ in range(config.iterations):
        H, g, seen, agreement = _normal_equations(
            points, gray, other.image, other.disparity, T, state, intrinsics, noise
        )
        if seen < max(config.min_seen, config.min_seen_fraction * len(points)):
            return None
        H, g = H + prior, g + prior @ (state - expected)
        step = -np.linalg.solve(H, g)
        T = se3_exp(step[:6]) @ T
        state[6:] += step[6:]
        if np.abs(step[:6] * pixels_per_unit).max() < config.converged_px:
            break
    if agreement < config.min_agreement:
        return None
    information = H[:6, :6] - H[:6, 6:] @ np.linalg.solve(H[6:, 6:], H[6:, :6])
    per_twist = -np.linalg.solve(H[:6, :6], H[:6, 6:12])
    return DirectFit(T, state[6:12].copy(), per_twist, information, int(seen), float(agreement))


PARAMETERS, GAIN, OFFSET = 14, 12, 13  # pose (6), twist (6), gain, offset
CUTOFF = 3.0  # standard deviations (Geman and McClure): residuals well beyond have no say


@njit(cache=True, nogil=True, fastmath=True)
def _normal_equations(points, gray, image, disparity, T, state, intrinsics, noise):
    """H [14, 14] and g [14] over pose, twist, gain and offset; the number of points seen, and their mean weight.

    A point that is seen τ late moves with the twist by −τ times what it moves with the pose, so that the blocks of H
    are the same products, weighed by 1, −τ and τ².
    """
    fx, fy, cx, cy, fB = intrinsics
    gray_noise, position_noise, disparity_noise, other_surface = noise
    height, width = disparity.shape
    H, g, J = np.zeros((14, 14)), np.zeros(14), np.zeros(6)
    twist = state[6:12]
    seen, total = 0, 0.0
    for n in range(points.shape[0]):
        p0, p1, p2 = points[n, 0], points[n, 1], points[n, 2]
        x = T[0, 0] * p0 + T[0, 1] * p1 + T[0, 2] * p2 + T[0, 3]
        y = T[1, 0] * p0 + T[1, 1] * p1 + T[1, 2] * p2 + T[1, 3]
        z = T[2, 0] * p0 + T[2, 1] * p1 + T[2, 2] * p2 + T[2, 3]
        if z < 0.05:
            continue
        late = min(max((fy * y / z + cy) / height, 0.0), 1.0) - 0.5
        x, y, z = (
            x - late * (twist[0] + twist[4] * z - twist[5] * y),
            y - late * (twist[1] + twist[5] * x - twist[3] * z),
            z - late * (twist[2] + twist[3] * y - twist[4] * x),
        )
        u, v = fx * x / z + cx, fy * y / z + cy
        if u < 2.0 or v < 2.0 or u > width - 3.0 or v > height - 3.0:
            continue
        expected, measured = fB / z, disparity[int(v + 0.5), int(u + 0.5)]
        if measured == 0.0:  # ignored, or not measured: who knows what it shows
            continue
        if abs(measured - expected) > other_surface + 0.03 * expected:
            continue
        seen += 1
        j, i = int(u), int(v)
        a, b = u - j, v - i
        w00, w01, w10, w11 = (1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b
        upper, lower = image[i], image[i + 1]
        value = w00 * upper[j, 0] + w01 * upper[j + 1, 0] + w10 * lower[j, 0] + w11 * lower[j + 1, 0]
        du = w00 * upper[j, 1] + w01 * upper[j + 1, 1] + w10 * lower[j, 1] + w11 * lower[j + 1, 1]
        dv = w00 * upper[j, 2] + w01 * upper[j + 1, 2] + w10 * lower[j, 2] + w11 * lower[j + 1, 2]
        for kind in range(2):
            if kind == 0:
                residual = value - state[12] * gray[n] - state[13]
                variance = gray_noise**2 + position_noise**2 * (du * du + dv * dv)
                jx, jy = du * fx / z, dv * fy / z
                jz = -(jx * x + jy * y) / z
            else:
                residual = expected - measured
                variance = disparity_noise**2
                jx, jy, jz = 0.0, 0.0, -expected / z
            trust = 1.0 / (1.0 + residual * residual / variance / CUTOFF**2) ** 2
            total += trust
            weight = trust / variance
            J[0], J[1], J[2] = jx, jy, jz
            J[3], J[4], J[5] = y * jz - z * jy, z * jx - x * jz, x * jy - y * jx
            for r in range(6):
                wr = weight * J[r]
                g[r] += wr * residual
                g[6 + r] -= late * wr * residual
                for c in range(r + 1):
                    product = wr * J[c]
                    H[r, c] += product
                    H[6 + r, c] -= late * product
                    H[6 + r, 6 + c] += late * late * product
                if kind == 0:
                    H[12, r] -= wr * gray[n]
                    H[13, r] -= wr
                    H[12, 6 + r] += late * wr * gray[n]
                    H[13, 6 + r] += late * wr
            if kind == 0:
                H[12, 12] += weight * gray[n] * gray[n]
                H[13, 12] += weight * gray[n]
                H[13, 13] += weight
                g[12] -= weight * gray[n] * residual
                g[13] -= weight * residual
    for r in range(6):
        for c in range(r):
            H[6 + c, r] = H[6 + r, c]  # this block is symmetric in itself
    for r in range(14):
        for c in range(r):
            H[c, r] = H[r, c]
    return H, g, seen, total / max(2 * seen, 1)
