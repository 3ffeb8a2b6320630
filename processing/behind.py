"""What a held object hides: the world behind it, as other frames of the same hold show it, against what is seen.

A pixel that shows what other frames let expect of the world there is the world; one that shows something else, and the
same for half a second, is held. Unlike the coarse comparison of pairs this needs no depth at the pixel itself: what
is too near for the sensor, and stereo's shadow beside it, are judged like the rest.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from processing.ego_motion import COARSE, ClipImages, coarse_score, moved_pairs, pick
from processing.mask_config import MaskConfig
from wildgrasp.geometry import PinholeCamera, inverse, transform

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

CLOUD_FRAMES = 10  # of a hold show of the world what there is to see
SOURCES = 3  # frames that tell what a place of the world looks like
MIN_FRAMES = 3  # a pixel whose world was seen in fewer is judged by whether it stays the same
SAME_PLACE = 0.04  # depths that differ by less, as a fraction, are the same surface
REACH_CELLS = 6  # beyond this many coarse pixels around what seems held nothing more is


def object_evidence(
    clip: ClipImages, camera: PinholeCamera, gripper: Mask, fingertip_px: Array, config: MaskConfig
) -> tuple[NDArray[np.float32], Mask] | None:
    """Residual if a pixel shows the world − residual if it shows what is fixed in the camera, [H, W], in noise units.

    Near the fingertips [2] (pixels); 0 elsewhere. ``gripper`` [H, W]: shows nothing of the world. The second mask
    [H, W] says where the world behind was seen: elsewhere a pixel has only stayed the same, as those of a plain
    table do too. None when the camera hardly moved.
    """
    if not moved_pairs(clip, config):
        return None
    rough = coarse_score(clip, camera, config, gripper)
    hand = cv2.dilate(pick(gripper).astype(np.uint8), _square(3)) > 0
    suspect = rough > config.coarse_suspect
    world = ~(cv2.dilate(suspect.astype(np.uint8), _square(3)) > 0) & ~hand
    shape = (camera.height, camera.width)
    judged = _near_fingertips(suspect, pick(gripper), fingertip_px, config)
    where = np.nonzero(_enlarged(judged, shape))
    behind = _world_depth(clip, camera, world)
    score, seen = np.zeros(shape, np.float32), np.zeros(shape, bool)
    _judge(
        np.stack(where, axis=1),
        np.stack([cv2.GaussianBlur(c, (3, 3), 0) for c in clip.colors]),
        np.stack(clip.depths),
        behind,
        np.ascontiguousarray(_motions(clip.T_world_camera)),
        _enlarged(world, shape),
        np.flatnonzero(np.diff(clip.times_s // config.every_s, prepend=-1) > 0),
        _half_a_second_apart(clip.times_s, config),
        (camera.fx, camera.fy, camera.cx, camera.cy),
        (config.color_noise, config.truncate, config.unseen, config.typical_share),
        (config.disparity_noise_px / (camera.fx * 0.055), config.depth_floor_m),
        score,
        seen,
    )
    return score, seen


def _near_fingertips(suspect: Mask, gripper: Mask, fingertip_px: Array, config: MaskConfig) -> Mask:
    """Coarse pixels in and around everything suspicious that is connected with the fingertips, if only by a finger."""
    v, u = np.mgrid[: suspect.shape[0], : suspect.shape[1]]
    tips = np.hypot(u - fingertip_px[0] / COARSE, v - fingertip_px[1] / COARSE) < config.reach_px / COARSE
    _, labels = cv2.connectedComponents(cv2.dilate((suspect | gripper | tips).astype(np.uint8), _square(3)))
    reached = np.isin(labels, np.setdiff1d(labels[tips], 0)) & (suspect & ~gripper | tips)
    return cv2.dilate(reached.astype(np.uint8), _square(2 * REACH_CELLS + 1)) > 0


def _half_a_second_apart(times_s: Array, config: MaskConfig) -> NDArray[np.int64]:
    """The frames before and after each of n frames, [n, 2]; the nearest that there are."""
    targets = times_s[:, None] + config.pair_s * np.array([-1.0, 1.0])
    return np.argmin(np.abs(times_s[None, None, :] - targets[..., None]), axis=-1)


def _motions(T_world_camera: Array) -> Array:
    """Motion [n, n, 4, 4] from each frame's camera to each other one's: T_j_i at [i, j]."""
    back = np.array([inverse(T) for T in T_world_camera])
    return np.einsum("jab,ibc->ijac", back, T_world_camera)


def _world_depth(clip: ClipImages, camera: PinholeCamera, world: Mask) -> NDArray[np.float32]:
    """Depth [n, H / 4, W / 4] of the world behind everything, as far as some frame of the clip shows it.

    What none shows lies between what is around it.
    """
    small = camera.resized(camera.width // COARSE, camera.height // COARSE)
    n = len(clip.depths)
    points = []
    for k in np.unique(np.linspace(0, n - 1, min(n, CLOUD_FRAMES)).astype(int)):
        depth = np.where(world, pick(clip.depths[k]), 0)
        points.append(transform(clip.T_world_camera[k], small.points(depth)[depth > 0].astype(np.float64)))
    cloud = np.concatenate(points)
    behind = np.zeros((n, small.height, small.width), np.float32)
    for k in range(n):
        _splat(transform(inverse(clip.T_world_camera[k]), cloud), small.fx, small.fy, small.cx, small.cy, behind[k])
        behind[k] = _filled(behind[k])
    return behind


@njit(cache=True)
def _splat(points, fx, fy, cx, cy, depth):
    h, w = depth.shape
    for k in range(points.shape[0]):
        x, y, z = points[k, 0], points[k, 1], points[k, 2]
        if z > 0.1:
            u, v = int(np.floor(fx * x / z + cx + 0.5)), int(np.floor(fy * y / z + cy + 0.5))
            if 0 <= u < w and 0 <= v < h and (depth[v, u] == 0 or z < depth[v, u]):
                depth[v, u] = z


def _filled(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Holes (0) filled with averages of inverse depth over ever larger surroundings. All 0 stays so."""
    known = (depth > 0).astype(np.float32)
    if not known.any():
        return depth
    levels = [(np.where(depth > 0, 1 / np.maximum(depth, 1e-3), 0).astype(np.float32), known)]
    while levels[-1][1].min() <= _KNOWN and min(levels[-1][1].shape) > 1:
        size = tuple((s + 1) // 2 for s in levels[-1][0].shape[::-1])
        levels.append(tuple(cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in levels[-1]))
    total, share = levels[-1]
    value = np.full_like(total, total.sum() / share.sum())
    for total, share in levels[::-1]:
        rough = cv2.resize(value, total.shape[::-1], interpolation=cv2.INTER_LINEAR)
        value = np.where(share > _KNOWN, total / np.maximum(share, _KNOWN), rough)
    return (1 / value).astype(np.float32)


_KNOWN = 0.05  # share of a place that must be known to average over it


@njit(cache=True)
def _judge(pixels, colors, depths, behind, motions, world, frames, near, lens, limits, depth_noise, score, is_seen):
    """Evidence at pixels [K, 2] (v, u) → ``score`` [H, W] over ``frames``, and whether the world there was seen."""
    noise, truncate, unseen, share = limits
    for k in range(pixels.shape[0]):
        v, u = pixels[k, 0], pixels[k, 1]
        against, stays = np.empty(len(frames)), np.empty(len(frames))
        n_seen, n_stays = 0, 0
        for i in frames:
            z = depths[i, v, u]
            fixed, fixed_depth, others = 0.0, 0.0, 0
            for j in near[i]:
                if j != i:
                    fixed += min(_difference(colors, i, v, u, j, float(v), float(u)) / noise, truncate)
                    fixed_depth += _depth_residual(z, depths[j, v, u], depth_noise, truncate)
                    others += 1
            if others == 0:
                continue
            stays[n_stays] = unseen - fixed / others
            n_stays += 1
            there = _at(behind[i], (v - COARSE // 2) / COARSE, (u - COARSE // 2) / COARSE)
            moved = _world_difference(v, u, i, there, colors, depths, motions, world, lens)
            if moved < 0:
                continue
            moved = min(moved / noise, truncate) + _depth_residual(z, there, depth_noise, truncate)
            against[n_seen] = moved - (fixed + fixed_depth) / others
            n_seen += 1
        is_seen[v, u] = n_seen >= MIN_FRAMES
        score[v, u] = _upper_mean(against[:n_seen] if is_seen[v, u] else stays[:n_stays], share)


@njit(cache=True)
def _depth_residual(measured, expected, noise, truncate):
    """Difference of two depths in units of noise; 0 where either is missing."""
    if measured <= 0 or expected <= 0:
        return 0.0
    return min(abs(measured - expected) / (expected * expected * noise[0] + noise[1]), truncate)


@njit(cache=True)
def _world_difference(v, u, i, z, colors, depths, motions, world, lens):
    """Mean difference in grey levels to what up to ``SOURCES`` other frames show of the world at depth z there.

    -1 where none shows it.
    """
    fx, fy, cx, cy = lens
    n, height, width = depths.shape
    if z <= 0:
        return -1.0
    x, y = (u - cx) / fx * z, (v - cy) / fy * z
    total, count = 0.0, 0
    for step in range(n):
        j = (i + n // 2 + step) % n  # those far in time first: they show it from elsewhere
        if j == i:
            continue
        T = motions[i, j]
        there = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
        if there < 0.1:
            continue
        column = fx * (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / there + cx
        row = fy * (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / there + cy
        if column < 1 or row < 1 or column > width - 3 or row > height - 3 or not world[int(row), int(column)]:
            continue
        measured = depths[j, int(row), int(column)]
        if measured > 0 and abs(measured - there) > SAME_PLACE * there:
            continue
        total += _difference(colors, i, v, u, j, row, column)
        count += 1
        if count == SOURCES:
            break
    return total / count if count > 0 else -1.0


@njit(cache=True)
def _difference(colors, i, v, u, j, row, column):
    """Mean over the channels of the difference between a pixel of frame i and a place in frame j, in grey levels."""
    r, c = int(row), int(column)
    a, b = row - r, column - c
    total = 0.0
    for k in range(3):
        value = float(colors[j, r, c, k])
        if a > 0 or b > 0:
            upper = (1 - b) * value + b * colors[j, r, c + 1, k]
            lower = (1 - b) * colors[j, r + 1, c, k] + b * colors[j, r + 1, c + 1, k]
            value = (1 - a) * upper + a * lower
        total += abs(value - colors[i, v, u, k])
    return total / 3


@njit(cache=True)
def _at(image, row, column):
    """Bilinear value; beyond the outermost pixels the nearest of them."""
    height, width = image.shape
    row, column = min(max(row, 0.0), height - 1.001), min(max(column, 0.0), width - 1.001)
    r, c = int(row), int(column)
    a, b = row - r, column - c
    upper = (1 - b) * image[r, c] + b * image[r, c + 1]
    return (1 - a) * upper + a * ((1 - b) * image[r + 1, c] + b * image[r + 1, c + 1])


@njit(cache=True)
def _upper_mean(values, share):
    """Mean of that share of the values that is largest; 0 of none."""
    if len(values) == 0:
        return 0.0
    ordered = np.sort(values)
    return ordered[int((1 - share) * len(values)) :].mean()


def _enlarged(coarse: Mask, shape: tuple[int, int]) -> Mask:
    return cv2.resize(coarse.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _square(size: int) -> NDArray[np.uint8]:
    return np.ones((size, size), np.uint8)
