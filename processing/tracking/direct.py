"""Direct alignment: the pose for which a keyframe's points look, and lie, as another picture shows them.

Corners are few, and on a plain table they are the wrong ones: on whatever else is textured, and perhaps moving. Here
thousands of points, spread evenly over the picture, vote with two residuals each, in units of their noise:

    colour     I(π(T X)) − (a·I₀ + b)      grey levels, with gain a and offset b for drifting exposure
    disparity  d(π(T X)) − f·B / (T X)_z   what the depth camera measures there

(Steinbrücker et al. 2011, Kerl et al. 2013.) Where that measures nothing (near the grasp: most of the picture), colour
speaks alone. A shutter that rolls is part of the model: a point in a row that is read τ readouts after the middle one
is seen by a camera that has moved on by τ·twist. That motion is estimated with the pose, near to what the frames around
it let expect (rolling.py), because a hand trembles about as fast as frames come. Gauss–Newton with robust weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    sparse: int = 5  # one in so many points tries the guesses
    nearly_px: float = 0.1  # a step this small ends a try
    converged_px: float = 0.01
    min_seen: int = 400  # points within the other picture
    min_seen_fraction: float = 0.15
    min_agreement: float = 0.4  # mean weight of the residuals


@dataclass(frozen=True)
class Picture:
    """What points are aligned to."""

    gray: NDArray[np.float32]  # [H, W], slightly blurred
    disparity: NDArray[np.float32]  # [H, W] pixels; 0: not measured; negative: not to be looked at


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
    rolled: Rolled
    information: Array  # [6, 6] of a left perturbation of the pose, if all residuals were independent
    seen: int  # points within the picture
    agreement: float  # mean weight of their residuals, 0 … 1


@dataclass(frozen=True)
class Expected:
    """What the camera's motion during a readout probably is."""

    twist: Array  # [6] in its own frame
    sigma: Array  # [6] standard deviation


STILL = Expected(np.zeros(6), np.full(6, 1e-9))


@dataclass(frozen=True)
class Rolled:
    """What an alignment found of the camera's motion during the readout, and what it means for the pose."""

    twist: Array  # [6] in the camera's own frame
    per_twist: Array  # [6, 6] left perturbation of the pose per change of the twist
    information: Array  # [6, 6] of the twist, from the picture alone
    seen: Array  # [6] information · the twist that the picture alone shows


UNKNOWN = Rolled(np.zeros(6), np.zeros((6, 6)), np.zeros((6, 6)), np.zeros(6))


def picture(gray: NDArray[np.uint8], depth: NDArray[np.float32], camera: StereoCamera, config: DirectConfig) -> Picture:
    """Prepare grey image [H, W] and usable depth [H, W] (see features.usable_depth)."""
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), config.blur_px)
    return Picture(smooth, np.divide(camera.fB, depth, out=np.minimum(depth, 0), where=depth > 0))


def pick_points(seen: Picture, camera: StereoCamera, config: DirectConfig) -> Points:
    """One point per cell, where depth is measured all around."""
    low, high = cv2.erode(seen.disparity, np.ones((3, 3))), cv2.dilate(seen.disparity, np.ones((3, 3)))
    smooth = (low > 0) & (high - low < 1.0 + 0.05 * low)
    du, dv = cv2.Scharr(seen.gray, cv2.CV_32F, 1, 0), cv2.Scharr(seen.gray, cv2.CV_32F, 0, 1)
    steepness = np.where(smooth, cv2.magnitude(du, dv) + 1e-3, 0)
    h, w = (s // config.cell_px for s in steepness.shape)
    c = config.cell_px
    cells = steepness[: h * c, : w * c].reshape(h, c, w, c).swapaxes(1, 2).reshape(h, w, c * c)
    best = np.argmax(cells, axis=-1)
    rows, columns = np.nonzero(np.take_along_axis(cells, best[..., None], axis=-1)[..., 0])
    v, u = rows * c + best[rows, columns] // c, columns * c + best[rows, columns] % c
    depth = camera.fB / seen.disparity[v, u].astype(np.float64)
    points = camera.pinhole.unproject(np.column_stack([u, v]).astype(np.float64), depth)
    return Points(points, seen.gray[v, u], np.column_stack([u, v]), v / camera.pinhole.height - 0.5)


def align(
    points: Array,
    gray: NDArray[np.float32],
    other: Picture,
    camera: StereoCamera,
    starts: Sequence[Array],
    config: DirectConfig,
    expect: Callable[[Array], Expected] = lambda T_camera_reference: STILL,
) -> DirectFit | None:
    """Pose of points [N, 3] with grey values [N] in another picture, from guesses T_camera_reference [4, 4] of which
    one is off by a few pixels at most.

    Some of the points try every guess; where most of them agree, all points go on. ``expect``: what the motion of the
    camera during the readout probably is, given its pose. The result is None when too little is seen or it does not
    agree.
    """
    if len(points) < config.min_seen:
        return None
    some = slice(None, None, config.sparse)
    tried = [
        _descend(points[some], gray[some], other, camera, T, config, config.nearly_px, expect(T), config.sparse)
        for T in starts
    ]
    best = max((fit for fit in tried if fit is not None), key=lambda fit: fit.seen * fit.agreement, default=None)
    if best is None:
        return None
    T = best.T_camera_reference
    fit = _descend(points, gray, other, camera, T, config, config.converged_px, expect(T))
    return fit if fit is not None and fit.agreement >= config.min_agreement else None


def _descend(
    points: Array,
    gray: NDArray[np.float32],
    other: Picture,
    camera: StereoCamera,
    T_camera_reference: Array,
    config: DirectConfig,
    converged_px: float,
    expected: Expected,
    sparse: int = 1,
) -> DirectFit | None:
    """Gauss–Newton from one guess; each point stands for ``sparse`` of them."""
    lens = camera.pinhole
    intrinsics = np.array([lens.fx, lens.fy, lens.cx, lens.cy, camera.fB])
    noise = np.array([config.gray_noise, config.position_noise_px, config.disparity_noise_px, config.other_surface_px])
    pixels_per_unit = np.array([lens.fx / np.median(points[:, 2])] * 3 + [lens.fx] * 3)
    mean = np.concatenate([np.zeros(6), expected.twist, [1.0, 0.0]])
    prior = np.diag(np.concatenate([np.full(6, np.inf), expected.sigma, [0.1, 10.0]]) ** -2)
    T, state = T_camera_reference, mean.copy()  # the state's first six stay 0: they are in T
    for _ in range(config.iterations):
        rows, seen, agreement = _residuals(points, gray, other.gray, other.disparity, T, state, intrinsics, noise)
        if seen < max(config.min_seen / sparse, config.min_seen_fraction * len(points)):
            return None
        normal = sparse * (rows.T @ rows).astype(np.float64)
        H = normal[:PARAMETERS, :PARAMETERS] + prior
        if np.linalg.cond(H[:6, :6]) > 1e12:  # a picture without any texture or depth
            return None
        step = -np.linalg.solve(H, normal[:PARAMETERS, PARAMETERS] + prior @ (state - mean))
        T = se3_exp(step[:6]) @ T
        state[6:] += step[6:]
        if np.abs(step[:6] * pixels_per_unit).max() < converged_px:
            break
    per_twist = -np.linalg.solve(H[:6, :6], H[:6, 6:12])
    prior_twist = prior[6:12, 6:12]
    information = _marginal(H, [*range(6, 12)]) - prior_twist
    seen_twist = information @ state[6:12] + prior_twist @ (state[6:12] - expected.twist)
    rolled = Rolled(state[6:12].copy(), per_twist, information, seen_twist)
    return DirectFit(T, rolled, _marginal(H, [*range(6)]), int(seen), float(agreement))


def _marginal(H: Array, kept: list[int]) -> Array:
    """Information of some parameters when all others are free."""
    others = [n for n in range(len(H)) if n not in kept]
    coupling = H[np.ix_(kept, others)]
    return H[np.ix_(kept, kept)] - coupling @ np.linalg.solve(H[np.ix_(others, others)], coupling.T)


PARAMETERS = 14  # pose (6), twist (6), gain, offset
CUTOFF = 3.0  # standard deviations (Geman and McClure): residuals well beyond have no say


@njit(cache=True, nogil=True, fastmath=True)
def _residuals(points, gray, image, disparity, T, state, intrinsics, noise):
    """Rows [R, 15], one or two for each of the M points seen: derivatives by pose, twist, gain and offset, then the
    residual, all in units of its noise and weighed; M; the mean weight.

    A point that is seen τ late moves with the twist by −τ times what it moves with the pose.
    """
    fx, fy, cx, cy, fB = intrinsics
    gray_noise, position_noise, disparity_noise, other_surface = noise
    height, width = disparity.shape
    rows = np.empty((2 * points.shape[0], 15), np.float32)
    twist = state[6:12]
    seen, count, total = 0, 0, 0.0
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
        if measured < 0.0 or (measured > 0.0 and abs(measured - expected) > other_surface + 0.03 * expected):
            continue
        j, i = int(u), int(v)
        a, b = np.float32(u - j), np.float32(v - i)
        # Between the four pixels around, linearly; slopes are differences over two pixels.
        above, upper, lower, below = image[i - 1], image[i], image[i + 1], image[i + 2]
        q00, q01, q10, q11 = upper[j], upper[j + 1], lower[j], lower[j + 1]
        value = (1 - b) * (q00 + a * (q01 - q00)) + b * (q10 + a * (q11 - q10))
        left = (1 - b) * (q01 - upper[j - 1]) + b * (q11 - lower[j - 1])
        right = (1 - b) * (upper[j + 2] - q00) + b * (lower[j + 2] - q10)
        over = (1 - a) * (q10 - above[j]) + a * (q11 - above[j + 1])
        under = (1 - a) * (below[j] - q00) + a * (below[j + 1] - q01)
        du, dv = 0.5 * (left + a * (right - left)), 0.5 * (over + b * (under - over))
        for kind in range(1 if measured == 0.0 else 2):
            if kind == 0:
                residual = value - state[12] * gray[n] - state[13]
                variance = gray_noise**2 + position_noise**2 * (du * du + dv * dv)
                jx, jy = du * fx / z, dv * fy / z
                jz = -(jx * x + jy * y) / z
            else:
                residual = expected - measured
                variance = disparity_noise**2
                jx, jy, jz = 0.0, 0.0, -expected / z
            doubt = 1.0 / (1.0 + residual * residual / variance / CUTOFF**2)
            total += doubt * doubt
            weight = doubt / np.sqrt(variance)
            row = rows[count]
            count += 1
            row[0], row[1], row[2] = weight * jx, weight * jy, weight * jz
            row[3], row[4] = weight * (y * jz - z * jy), weight * (z * jx - x * jz)
            row[5] = weight * (x * jy - y * jx)
            for r in range(6):
                row[6 + r] = -late * row[r]
            row[12], row[13] = (-weight * gray[n], -weight) if kind == 0 else (0.0, 0.0)
            row[14] = weight * residual
        seen += 1
    return rows[:count], seen, total / max(count, 1)
