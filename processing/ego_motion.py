"""Which pixels move with the camera: the ego-motion likelihood ratio over pairs of frames, on every fourth pixel.

A pixel of one frame is looked for in another where it would be if it were fixed in the world (moved by the camera's
known motion), and where it would be if it were fixed in the camera (at the same place). Where it has depth the answer
is sure; without depth, and at outlines, it is rough: behind.py is for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.mask_config import MaskConfig
from wildgrasp.geometry import PinholeCamera, inverse, rotation_angle, transform

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

COARSE = 4  # one pixel of a coarse picture is this many pixels wide


@dataclass(frozen=True)
class ClipImages:
    """n frames with known motion."""

    colors: Sequence[NDArray[np.uint8]]  # [n][H, W, 3] RGB
    depths: Sequence[NDArray[np.float32]]  # [n][H, W] metres, 0 = none
    T_world_camera: Array  # [n, 4, 4]
    times_s: Array  # [n]


def coarse(clip: ClipImages, camera: PinholeCamera) -> tuple[ClipImages, PinholeCamera]:
    """The clip with every fourth pixel: colours averaged (as float32), depths picked."""
    small = camera.resized(camera.width // COARSE, camera.height // COARSE)
    size = (small.width, small.height)
    colors = [cv2.resize(c, size, interpolation=cv2.INTER_AREA).astype(np.float32) for c in clip.colors]
    return ClipImages(colors, [pick(d) for d in clip.depths], clip.T_world_camera, clip.times_s), small


def pick(image: NDArray) -> NDArray:
    """Every fourth pixel [H / 4, W / 4] of an image [H, W]."""
    height, width = image.shape[0] // COARSE, image.shape[1] // COARSE
    return np.ascontiguousarray(image[COARSE // 2 :: COARSE, COARSE // 2 :: COARSE][:height, :width])


def coarse_score(
    clip: ClipImages, camera: PinholeCamera, config: MaskConfig, gripper: Mask | None = None
) -> NDArray[np.float32]:
    """Mean over frame pairs of (residual if fixed in the world − residual if fixed in the camera), [H / 4, W / 4].

    Residuals are truncated differences of colour and depth in units of their noise. Positive: moves with the camera.
    0 where nothing was seen or the camera did not move. What is known to be ``gripper`` [H, W] hides the world behind
    it.
    """
    small_clip, small = coarse(clip, camera)
    small_gripper = None if gripper is None else pick(gripper)
    total = np.zeros((small.height, small.width), np.float32)
    count = np.zeros_like(total)
    for i, j in moved_pairs(clip, config):
        score, seen = _pair_score(i, j, small_clip, small, config, small_gripper)
        total += score
        count += seen
    return total / np.maximum(count, 1)


def moved_pairs(clip: ClipImages, config: MaskConfig) -> list[tuple[int, int]]:
    """Pairs of frames about ``pair_s`` apart, both ways in time, between which the camera moved."""
    pairs, next_s = [], -np.inf
    for i, t in enumerate(clip.times_s):
        if t < next_s:
            continue
        next_s = t + config.every_s
        for target in (t + config.pair_s, t - config.pair_s):
            j = int(np.argmin(np.abs(clip.times_s - target)))
            T = inverse(clip.T_world_camera[j]) @ clip.T_world_camera[i]
            turned = rotation_angle(T[:3, :3]) > config.min_rotation_rad
            if j != i and (turned or np.linalg.norm(T[:3, 3]) > config.min_motion_m):
                pairs.append((i, j))
    return pairs


def _pair_score(i: int, j: int, clip: ClipImages, camera: PinholeCamera, config: MaskConfig, gripper: Mask | None):
    depth_i, depth_j = clip.depths[i], clip.depths[j]
    color_i, color_j = clip.colors[i], clip.colors[j]
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
    color_world = _color_residual(cv2.remap(color_j, u, v, cv2.INTER_LINEAR), color_i, config)
    color_camera = _color_residual(color_j, color_i, config)
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
    """A disparity's noise is that of whole pixels' size: ``camera`` has larger ones."""
    focal_px = camera.fx * COARSE
    noise = expected**2 / (focal_px * 0.055) * config.disparity_noise_px + config.depth_floor_m
    residual = np.minimum(np.abs(measured - expected) / noise, config.truncate)
    return np.where(measured > 0, residual, 1.0)
