"""What is wrong with the picture, as far as a person can do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.geometry import PinholeCamera
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

STRIDE = 4  # every fourth pixel is enough


class Warn(StrEnum):
    """In the order of their weight: the first one is shown."""

    COVERED = "covered"
    DARK = "dark"
    CLOSE = "close"
    FAST = "fast"


@dataclass(frozen=True)
class PictureLimits:
    dark: float = 45.0  # mean brightness (0 … 255) below which tracking loses its corners
    covered_spread: float = 12.0  # a hand before the lens: hardly any contrast …
    covered_depth: float = 0.05  # … and hardly any depth (fraction of pixels)
    near_m: float = 0.17  # the D415 measures nothing nearer
    close_depth: float = 0.35  # with less depth than this in the picture, things are too near to be measured
    fast_px: float = 40.0  # motion per frame of a picture 640 wide, beyond which features are not found again


def visible_mask(camera: PinholeCamera) -> NDArray[np.bool_]:
    """Pixels [H/4, W/4] that never show the gripper."""
    hidden = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    hidden |= gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.0)
    return ~hidden[::STRIDE, ::STRIDE]


def find_warnings(
    before: RGBDFrame, now: RGBDFrame, period_ns: int, visible: NDArray[np.bool_], limits: PictureLimits
) -> tuple[Warn, ...]:
    """Warnings about the newer of two frames, the weightiest first. ``period_ns``: between frames of the camera."""
    gray = _gray(now)
    depth_raw = now.depth_raw[::STRIDE, ::STRIDE][visible]
    depth_fraction = float(np.count_nonzero(depth_raw) / max(1, depth_raw.size))
    found = []
    if gray[visible].std() < limits.covered_spread and depth_fraction < limits.covered_depth:
        return (Warn.COVERED,)
    if gray[visible].mean() < limits.dark:
        found.append(Warn.DARK)
    near = np.count_nonzero((depth_raw > 0) & (depth_raw * now.depth_scale < limits.near_m)) / max(1, depth_raw.size)
    if depth_fraction < limits.close_depth or near > 0.3:
        found.append(Warn.CLOSE)
    frames = max(1.0, (now.t_host_ns - before.t_host_ns) / period_ns)
    if motion_px(_gray(before), gray, visible) * STRIDE * 640 / now.color.shape[1] / frames > limits.fast_px:
        found.append(Warn.FAST)
    return tuple(found)


def motion_px(before: NDArray[np.uint8], now: NDArray[np.uint8], visible: NDArray[np.bool_]) -> float:
    """Median motion of corners between two grey pictures, in pixels; 0 where there are none to follow."""
    corners = cv2.goodFeaturesToTrack(before, 60, 0.02, 6, mask=visible.astype(np.uint8))
    if corners is None or len(corners) < 8:
        return 0.0
    moved, ok, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None, winSize=(15, 15), maxLevel=3)
    followed = ok.ravel() == 1
    if followed.sum() < len(corners) / 2:
        return float("inf")  # so fast that most are not found again
    return float(np.median(np.linalg.norm((moved - corners)[followed], axis=-1)))


def _gray(frame: RGBDFrame) -> NDArray[np.uint8]:
    return cv2.cvtColor(np.ascontiguousarray(frame.color[::STRIDE, ::STRIDE]), cv2.COLOR_RGB2GRAY)
