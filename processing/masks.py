"""What moves with the camera instead of with the world: the gripper, and the thing that it holds.

Gripper: its known shape seen through the calibration (wildgrasp.rig), and what the pictures themselves say. Object:
pixels that are explained better as fixed in the camera than as fixed in the world while something is held (ego-motion
likelihood ratio).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse, transform

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class MaskConfig:
    """One set of constants for all recordings; the threshold is frozen."""

    pair_s: float = 0.5  # time between the two frames of a pair
    every_s: float = 0.2  # a pair begins this often
    color_noise: float = 12.0  # grey levels
    disparity_noise_px: float = 0.36  # three standard deviations of the depth camera's
    depth_floor_m: float = 0.009
    same_color: float = 1.0  # in noise units: less is no difference
    truncate: float = 3.0  # in noise units: beyond, a difference says no more
    threshold: float = 0.2  # of the mean score per pair
    open_px: int = 5
    close_px: int = 15
    min_area_px: int = 150  # smaller than this nothing is an object
    min_motion_m: float = 0.015  # pairs with less motion cannot tell the hypotheses apart
    min_rotation_rad: float = 0.06
    finger_margin_px: int = 1  # around the closed fingers when they are subtracted from what they hold
    max_gripper_fraction: float = 0.45  # of the image
    reach_px: int = 60  # an object touches or nearly touches the fingertips
    settled_m: float = 0.03  # a thing that is set down settles by less, one that falls is gone by more
    fallen_share: float = 0.0  # less than this of its surface still there after the release: it fell. 0: not judged
    same_surface_m: float = 0.015  # carried back, an object's depth must agree this well


@dataclass(frozen=True)
class ClipImages:
    """n frames with known motion."""

    colors: Sequence[NDArray[np.uint8]]  # [n][H, W, 3] RGB
    depths: Sequence[NDArray[np.float32]]  # [n][H, W] metres, 0 = none
    T_world_camera: Array  # [n, 4, 4]
    times_s: Array  # [n]


# --- gripper ----------------------------------------------------------------------------------------------------------


def static_mask(clip: ClipImages, camera: PinholeCamera, near: Mask | None, config: MaskConfig) -> Mask:
    """Pixels [H, W] that the pictures show to be fixed in the camera.

    With ``near`` [H, W] (where the gripper is expected), only parts that touch it. All False when the parts cover
    more of the image than any gripper does: then the trajectory is wrong, not the world.
    """
    score = fixed_in_camera_score(clip, camera, config)
    found = _clean(score > config.threshold, config)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    keep = np.zeros_like(found)
    for label in range(1, count):
        part = labels == label
        if stats[label, cv2.CC_STAT_AREA] >= config.min_area_px and (near is None or np.any(part & near)):
            keep |= part
    return keep if keep.mean() < config.max_gripper_fraction else np.zeros_like(keep)


# --- object -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectMask:
    mask: Mask  # [H, W]; all False when nothing was found
    score: float  # mean likelihood-ratio score inside, in noise units per pair
    reason: str


def object_mask(
    clip: ClipImages, camera: PinholeCamera, gripper: Mask, fingertip_px: Array, config: MaskConfig
) -> ObjectMask:
    """Mask of what is held during a clip: fixed in the camera, not the gripper, near the fingertips [2] in pixels."""
    score = fixed_in_camera_score(clip, camera, config, gripper)
    if not np.any(score):
        return ObjectMask(np.zeros_like(gripper), 0.0, "the camera hardly moved while something was held")
    found = _clean(score > config.threshold, config) & ~gripper
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    v, u = np.mgrid[: camera.height, : camera.width]
    distance = np.hypot(u - fingertip_px[0], v - fingertip_px[1])
    near_gripper = cv2.dilate(gripper.astype(np.uint8), _disc(9)) > 0
    best, best_area = 0, config.min_area_px - 1
    for label in range(1, count):
        part, area = labels == label, stats[label, cv2.CC_STAT_AREA]
        reached = distance[part].min() < config.reach_px or np.any(part & near_gripper)
        if reached and area > best_area:
            best, best_area = label, area
    if best == 0:
        return ObjectMask(np.zeros_like(gripper), 0.0, "nothing near the fingertips moved with the camera")
    mask = labels == best
    return ObjectMask(mask, float(score[mask].mean()), "ok")


def visible_at(mask: Mask, clip: ClipImages, depth: NDArray[np.float32], config: MaskConfig) -> Mask:
    """The part of a clip's mask that a frame with depth [H, W] shows: not where it measures something nearer.

    What is fixed in the camera has the same depth in all frames, so the clip's median is its surface. Colour is no
    help: what is lifted and turned is lit from another side.
    """
    if not mask.any():
        return mask
    usual = median_depth(clip.depths)
    nearer = (depth > 0) & (usual > 0) & (usual - depth > config.same_surface_m)
    return _clean(mask & ~nearer, config) & mask


def median_depth(depths: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Median [H, W] of the measured depths of some frames; 0 where fewer than half of them measured any."""
    stack = np.sort(np.where(np.stack(depths) > 0, depths, np.inf), axis=0)
    middle = stack[len(depths) // 2]
    return np.where(np.isfinite(middle), middle, 0).astype(np.float32)


def carry_to(
    mask: Mask,
    T_world_camera_mask: Array,
    depth: NDArray[np.float32],
    T_world_camera: Array,
    camera: PinholeCamera,
    reference_depth: NDArray[np.float32],
    config: MaskConfig,
) -> Mask:
    """The mask as seen from an earlier frame of the same, still unmoved scene.

    Each pixel of the earlier frame with depth [H, W] is looked up in the masked frame; where that frame has depth too
    (``reference_depth``), both must be the same surface.
    """
    points = camera.points(depth).reshape(-1, 3)
    there = transform(inverse(T_world_camera_mask) @ T_world_camera, points)
    ahead = (points[:, 2] > 0) & (there[:, 2] > 0.05)
    pixels = np.round(camera.project(np.where(ahead[:, None], there, 1.0))).astype(int)
    inside = ahead & np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=1)
    u, v = pixels[inside].T
    seen = reference_depth[v, u]
    agrees = (seen <= 0) | (np.abs(seen - there[inside, 2]) < config.same_surface_m)
    carried = np.zeros(camera.height * camera.width, bool)
    carried[inside] = mask[v, u] & agrees
    return _clean(carried.reshape(camera.height, camera.width), config)


def share_still_there(
    mask: Mask,
    depth: NDArray[np.float32],
    T_world_camera: Array,
    depth_later: NDArray[np.float32],
    T_world_camera_later: Array,
    hidden_later: Mask,
    camera: PinholeCamera,
    config: MaskConfig,
) -> float | None:
    """Share of a mask's surface that a later frame still measures at the same place in the world.

    None where too little can be compared: what is hidden later (the gripper), out of sight or not measured says
    nothing.
    """
    points = camera.points(depth)[mask & (depth > 0)].astype(np.float64)
    there = transform(inverse(T_world_camera_later) @ T_world_camera, points)
    there = there[there[:, 2] > 0.05]
    pixels = np.round(camera.project(there)).astype(int)
    inside = np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=1)
    u, v = pixels[inside].T
    measured, expected = depth_later[v, u], there[inside, 2]
    compared = (measured > 0) & ~hidden_later[v, u] & (measured > expected - config.settled_m)  # else it is hidden
    if compared.sum() < config.min_area_px:
        return None
    return float(np.mean(measured[compared] < expected[compared] + config.settled_m))


# --- ego-motion likelihood ratio --------------------------------------------------------------------------------------


def fixed_in_camera_score(
    clip: ClipImages, camera: PinholeCamera, config: MaskConfig, gripper: Mask | None = None
) -> Array:
    """Mean over frame pairs of (residual if fixed in the world − residual if fixed in the camera), [H, W].

    Residuals are truncated differences of colour and depth in units of their noise. Positive: moves with the camera.
    0 where nothing was seen or the camera did not move. What is known to be ``gripper`` [H, W] hides the world behind
    it.
    """
    total = np.zeros((camera.height, camera.width), np.float32)
    count = np.zeros_like(total)
    smooth = [cv2.GaussianBlur(c, (5, 5), 0).astype(np.float32) for c in clip.colors]
    for i, j in _pairs(clip, config):
        score, seen = _pair_score(i, j, clip, smooth, camera, config, gripper)
        total += score
        count += seen
    return total / np.maximum(count, 1)


def _pairs(clip: ClipImages, config: MaskConfig) -> list[tuple[int, int]]:
    """Pairs of frames about ``pair_s`` apart, both ways in time, between which the camera moved."""
    pairs, next_s = [], -np.inf
    for i, t in enumerate(clip.times_s):
        if t < next_s:
            continue
        next_s = t + config.every_s
        for target in (t + config.pair_s, t - config.pair_s):
            j = int(np.argmin(np.abs(clip.times_s - target)))
            T = inverse(clip.T_world_camera[j]) @ clip.T_world_camera[i]
            angle = np.arccos(np.clip((np.trace(T[:3, :3]) - 1) / 2, -1, 1))
            if j != i and (np.linalg.norm(T[:3, 3]) > config.min_motion_m or angle > config.min_rotation_rad):
                pairs.append((i, j))
    return pairs


def _pair_score(
    i: int, j: int, clip: ClipImages, smooth, camera: PinholeCamera, config: MaskConfig, gripper: Mask | None
):
    depth_i, depth_j = clip.depths[i], clip.depths[j]
    measured = depth_i > 0
    if not measured.any():
        return np.zeros_like(depth_i), np.zeros_like(depth_i)
    # Without depth (too near, mostly) a pixel of the world would be about as far away as the rest of it.
    z = np.where(measured, depth_i, np.median(depth_i[measured]))
    T = inverse(clip.T_world_camera[j]) @ clip.T_world_camera[i]
    there = transform(T, camera.points(z).reshape(-1, 3)).reshape(camera.height, camera.width, 3)
    there[..., 2] = np.maximum(there[..., 2], 1e-3)
    pixels = camera.project(there).astype(np.float32)
    u, v, z_there = pixels[..., 0], pixels[..., 1], there[..., 2]
    inside = (u > 1) & (u < camera.width - 2) & (v > 1) & (v < camera.height - 2)
    color_world = _color_residual(cv2.remap(smooth[j], u, v, cv2.INTER_LINEAR), smooth[i], config)
    color_camera = _color_residual(smooth[j], smooth[i], config)
    depth_world_seen = cv2.remap(depth_j, u, v, cv2.INTER_NEAREST)
    depth_world = _depth_residual(depth_world_seen, z_there, camera, config)
    depth_camera = _depth_residual(depth_j, z, camera, config)
    by_color = color_world - color_camera
    # There colour speaks alone, and only for a pixel that looks the same: any guess of its depth makes it differ.
    guessed = np.where(color_camera < config.same_color, by_color, np.minimum(by_color, 0))
    score = np.where(measured, by_color + depth_world - depth_camera, guessed)
    # A place of the world that something nearer hides in the other frame neither agrees nor contradicts.
    told = inside & ~(measured & (depth_world_seen > 0) & (z_there - depth_world_seen > config.same_surface_m))
    if gripper is not None:
        told &= cv2.remap(gripper.astype(np.uint8), u, v, cv2.INTER_NEAREST) == 0
    return np.where(told, score, 0).astype(np.float32), told.astype(np.float32)


def _color_residual(a: NDArray, b: NDArray, config: MaskConfig) -> NDArray:
    return np.minimum(np.abs(a - b).mean(axis=-1) / config.color_noise, config.truncate)


def _depth_residual(measured: NDArray, expected: NDArray, camera: PinholeCamera, config: MaskConfig) -> NDArray:
    noise = expected**2 / (camera.fx * 0.055) * config.disparity_noise_px + config.depth_floor_m
    residual = np.minimum(np.abs(measured - expected) / noise, config.truncate)
    return np.where(measured > 0, residual, 1.0)


def _clean(mask: Mask, config: MaskConfig) -> Mask:
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((config.open_px,) * 2))
    return cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((config.close_px,) * 2)) > 0


def _disc(diameter: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
