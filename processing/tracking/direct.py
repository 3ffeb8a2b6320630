"""Direct alignment: the pose for which a keyframe's points look, and lie, as another picture shows them.

Corners are few, and on a plain table they are the wrong ones: on whatever else is textured, and perhaps moving. Here
thousands of points, spread evenly over a pyramid of the picture, vote in units of their noise:

    colour     I(π(T X)) − (a·I₀ + b)      grey levels, with gain a and offset b for drifting exposure
    disparity  d(π(T X)) − f·B / (T X)_z   what the depth camera measures there

(Steinbrücker et al. 2011, Kerl et al. 2013.) Where that measures nothing (near the grasp: most of the picture), colour
speaks alone. A shutter that rolls is part of the model: a point in a row that is read τ readouts after the middle one
is seen by a camera that has moved on by τ·twist. That motion is estimated with the pose, near to what the frames around
it let expect (rolling.py), because a hand trembles about as fast as frames come. Gauss–Newton with robust weights.

Colour speaks in all levels of the pyramid at once. In the finest, a plain table's slopes are those of the noise, which
say that nothing moved, and are very sure of it; means over more pixels have less noise and show the table's own.
Slopes below a level's noise have no say at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

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

    cells_px: tuple[int, ...] = (6, 5, 3, 2)  # of each level: one point in a cell, where the picture changes most
    blur_px: float = 0.8  # of a level's own pixels
    gray_noise: float = 1.0  # grey levels, in the finest level; half of it in the next, as four pixels' means have
    gray_floor: float = 0.8  # what no mean takes out: light, gloss
    position_noise_px: float = 0.3  # resampling, aliasing: noise in proportion to the gradient
    disparity_noise_px: float = 0.06
    other_surface_px: float = 1.0  # a disparity that differs by this and by that share is not the same surface's
    other_surface_share: float = 0.03
    iterations: int = 12
    far: float = 16.0  # residuals this many times as large as noise are followed in a try
    nearly_px: float = 0.3  # a step this small ends a try
    converged_px: float = 0.03
    min_seen: int = 400  # points within the other picture
    min_seen_fraction: float = 0.15
    min_agreement: float = 0.4  # mean weight of the residuals


@dataclass(frozen=True)
class Picture:
    """What points are aligned to: a pyramid, the finest level first, each next one of half as many pixels a side."""

    gray: tuple[NDArray[np.float32], ...]  # [H, W] each, slightly blurred
    disparity: tuple[NDArray[np.float32], ...]  # [H, W] full pixels; 0: not measured; negative: not to be looked at


@dataclass(frozen=True)
class Points:
    """What is aligned: points of a keyframe's surface."""

    points: Array  # [N, 3] in its camera, as its rolling shutter saw them
    gray: NDArray[np.float32]  # [N]; UNTEXTURED where colour tells nothing
    level: NDArray[np.int64]  # [N] of the pyramid
    late: Array  # [N] when they were seen: −½ … ½ readouts from the middle row

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, which: NDArray | slice) -> Points:
        return Points(self.points[which], self.gray[which], self.level[which], self.late[which])

    def at_rest(self, twist: Array) -> Points:
        """The points where they are for the middle row, given the camera's motion [6] during a readout."""
        return replace(self, points=self.points + self.late[:, None] * (twist[:3] + np.cross(twist[3:], self.points)))


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
    mean, ignored = gray.astype(np.float32), (depth < 0).astype(np.float32)
    disparity = np.divide(camera.fB, depth, out=np.minimum(depth, 0), where=depth > 0)
    grays, disparities = [cv2.GaussianBlur(mean, (0, 0), config.blur_px)], [disparity]
    for level in range(1, len(config.cells_px)):
        mean, ignored = (cv2.resize(m, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for m in (mean, ignored))
        grays.append(cv2.GaussianBlur(mean, (0, 0), config.blur_px))
        middle = slice(2**level // 2, None, 2**level)
        reached = cv2.dilate(ignored, np.ones((3, 3))) > 0  # by the blur
        disparities.append(np.where(reached, np.float32(-1), disparity[middle, middle]))
    return Picture(tuple(grays), tuple(disparities))


def pick_points(seen: Picture, camera: StereoCamera, config: DirectConfig) -> Points:
    """One point per cell and level, where depth is measured all around."""
    return _joined([_pick_level(seen, level, camera, config) for level in range(len(config.cells_px))])


def _pick_level(seen: Picture, level: int, camera: StereoCamera, config: DirectConfig) -> Points:
    gray, disparity, c = seen.gray[level], seen.disparity[level], config.cells_px[level]
    low, high = cv2.erode(disparity, np.ones((3, 3))), cv2.dilate(disparity, np.ones((3, 3)))
    smooth = (low > 0) & (high - low < 1.0 + 0.05 * low)
    slope = cv2.magnitude(cv2.Scharr(gray, cv2.CV_32F, 1, 0), cv2.Scharr(gray, cv2.CV_32F, 0, 1)) / 32
    steepness = np.where(smooth, slope + 1e-3, 0)
    h, w = (s // c for s in steepness.shape)
    cells = steepness[: h * c, : w * c].reshape(h, c, w, c).swapaxes(1, 2).reshape(h, w, c * c)
    best = np.argmax(cells, axis=-1)
    steepest = np.take_along_axis(cells, best[..., None], axis=-1)[..., 0]
    # A slope that noise alone would make tells of the noise. Disparity is compared in the finest level, or in a try.
    textured = steepest > config.gray_noise / 2**level
    rows, columns = np.nonzero(steepest if level in (0, COARSE) else textured)
    v, u = rows * c + best[rows, columns] // c, columns * c + best[rows, columns] % c
    pixels = (np.column_stack([u, v]) + 0.5) * 2**level - 0.5
    points = camera.pinhole.unproject(pixels, camera.fB / disparity[v, u].astype(np.float64))
    value = np.where(textured[rows, columns], gray[v, u], UNTEXTURED)
    return Points(points, value, np.full(len(u), level), pixels[:, 1] / camera.pinhole.height - 0.5)


def _joined(parts: Sequence[Points]) -> Points:
    return Points(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Points)))


def align(
    points: Points,
    other: Picture,
    camera: StereoCamera,
    starts: Sequence[Array],
    config: DirectConfig,
    expect: Callable[[Array], Expected] = lambda T_camera_reference: STILL,
) -> DirectFit | None:
    """Pose of points at rest in another picture, from guesses T_camera_reference [4, 4] of which one is off by some
    twenty pixels at most.

    The coarsest level tries every guess; from where most of it agrees, all levels go on together. ``expect``: what the
    motion of the camera during the readout probably is, given its pose. The result is None when too little is seen or
    it does not agree.
    """
    if len(points) < config.min_seen:
        return None
    tried = [_try(points, other, camera, T, config, expect) for T in starts]
    best = max((fit for fit in tried if fit is not None), key=lambda fit: fit.seen * fit.agreement, default=None)
    if best is None:
        return None
    T = best.T_camera_reference
    fit = _descend(points, other, camera, T, config, config.converged_px, expect(T))
    return fit if fit is not None and fit.agreement >= config.min_agreement else None


def _try(points: Points, other: Picture, camera: StereoCamera, T: Array, config: DirectConfig, expect):
    """From one guess, coarsest level first; near masks that one shows too little, and then the next one begins."""
    tolerance, fit = config.far, None
    for level in reversed(range(COARSE, len(config.cells_px))):
        own = points[points.level == level]
        if level > COARSE and len(own) < MANY_POINTS:
            continue
        fit = _descend(own, other, camera, T, config, config.nearly_px, expect(T), tolerance)
        if fit is not None:
            T, tolerance = fit.T_camera_reference, config.far / 4
    return fit


def _descend(
    points: Points,
    other: Picture,
    camera: StereoCamera,
    T_camera_reference: Array,
    config: DirectConfig,
    converged_px: float,
    expected: Expected,
    tolerance: float = 1.0,
) -> DirectFit | None:
    """Gauss–Newton from one guess; the first of its steps forgives residuals so many times as large, the next ones half
    of that and half again (graduated non-convexity, Blake and Zisserman 1987)."""
    if len(points) < MIN_POINTS:
        return None
    lens = camera.pinhole
    intrinsics = np.array([lens.fx, lens.fy, lens.cx, lens.cy, camera.fB])
    halved = 0.5 ** np.arange(len(config.cells_px))
    gray_noise = np.hypot(config.gray_noise * halved, config.gray_floor)
    noise = np.column_stack([gray_noise, config.position_noise_px * halved**POSITION_FALLS])
    surface = np.array([config.disparity_noise_px, config.other_surface_px, config.other_surface_share])
    pixels_per_unit = np.array([lens.fx / np.median(points.points[:, 2])] * 3 + [lens.fx] * 3)
    mean = np.concatenate([np.zeros(6), expected.twist, [1.0, 0.0]])
    prior = np.diag(np.concatenate([np.full(6, np.inf), expected.sigma, [0.1, 10.0]]) ** -2)
    T, state = T_camera_reference, mean.copy()  # the state's first six stay 0: they are in T
    for _ in range(config.iterations):
        allowed = tolerance * noise, tolerance * surface
        rows, seen, agreement = _residuals(
            points.points, points.gray, points.level, other.gray, other.disparity, T, state, intrinsics, *allowed
        )
        if seen < max(MIN_POINTS, config.min_seen_fraction * len(points)):
            return None
        normal = (rows.T @ rows).astype(np.float64)
        H = normal[:PARAMETERS, :PARAMETERS] + prior
        if np.linalg.cond(H[:6, :6]) > 1e12:  # a picture without any texture or depth
            return None
        step = -np.linalg.solve(H, normal[:PARAMETERS, PARAMETERS] + prior @ (state - mean))
        if not np.isfinite(step).all():
            return None
        T = se3_exp(step[:6]) @ T
        state[6:] += step[6:]
        if tolerance == 1.0 and np.abs(step[:6] * pixels_per_unit).max() < converged_px:
            break
        tolerance = max(1.0, tolerance / 2)
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
MIN_POINTS = 50
MANY_POINTS = 250  # a coarsest level with fewer misleads a try
POSITION_FALLS = 0.6  # measured: position noise falls more slowly than pixels grow
COARSE = 2  # the first of the levels that try guesses
UNTEXTURED = np.float32(-1.0)  # in place of a grey value
CUTOFF = 3.0  # standard deviations (Geman and McClure): residuals well beyond have no say


@njit(cache=True, nogil=True, fastmath=True)
def _residuals(points, gray, level, images, disparities, T, state, intrinsics, noise, surface):
    """Rows [R, 15], one or two for each of the M points seen: derivatives by pose, twist, gain and offset, then the
    residual, all in units of its noise and weighed; M; the mean weight.

    A point that is seen τ late moves with the twist by −τ times what it moves with the pose.
    """
    fx, fy, cx, cy, fB = intrinsics
    disparity_noise, other_surface, other_share = surface
    whole = disparities[0].shape[0]
    finest = level[0]  # its points measure disparity
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
        late = min(max((fy * y / z + cy) / whole, 0.0), 1.0) - 0.5
        x, y, z = (
            x - late * (twist[0] + twist[4] * z - twist[5] * y),
            y - late * (twist[1] + twist[5] * x - twist[3] * z),
            z - late * (twist[2] + twist[3] * y - twist[4] * x),
        )
        scale = 0.5 ** level[n]
        u, v = scale * (fx * x / z + cx + 0.5) - 0.5, scale * (fy * y / z + cy + 0.5) - 0.5
        image, disparity = images[level[n]], disparities[level[n]]
        gray_noise, position_noise = noise[level[n]]
        height, width = disparity.shape
        if u < 2.0 or v < 2.0 or u > width - 3.0 or v > height - 3.0:
            continue
        expected, measured = fB / z, disparity[int(v + 0.5), int(u + 0.5)]
        if measured < 0.0 or (measured > 0.0 and abs(measured - expected) > other_surface + other_share * expected):
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
        for kind in range(2):
            if kind == 0:
                if gray[n] < 0.0:
                    continue
                residual = value - state[12] * gray[n] - state[13]
                variance = gray_noise**2 + position_noise**2 * (du * du + dv * dv)
                jx, jy = scale * du * fx / z, scale * dv * fy / z
                jz = -(jx * x + jy * y) / z
            else:
                if measured == 0.0 or level[n] != finest:
                    continue
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
