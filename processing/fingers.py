"""Which pixels belong to the fingers and palm, and which to something that stands between them and the camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse
from wildgrasp.rig import gripper_boxes, gripper_mask

Mask = NDArray[np.bool_]

IN_FRONT_M = 0.008  # nearer than the gripper's surface by this much: not the gripper


def gripper_depth(
    camera: PinholeCamera, T_camera_fingertip: NDArray[np.float64], opening_m: float
) -> NDArray[np.float64]:
    """Depth [H, W] in metres of the gripper's front surface at an opening; inf beside it. Rays against its boxes."""
    T_fingertip_camera = inverse(T_camera_fingertip)
    rays = camera.points(np.ones((camera.height, camera.width), np.float32)) @ T_fingertip_camera[:3, :3].T
    origin = T_fingertip_camera[:3, 3]
    depth = np.full(rays.shape[:2], np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for box in gripper_boxes(opening_m).values():
            a, b = (box.center - box.half - origin) / rays, (box.center + box.half - origin) / rays
            enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            hit = (leave >= enter) & (enter > 0)
            depth = np.where(hit, np.minimum(depth, enter), depth)
    return depth


def visible_gripper(
    camera: PinholeCamera,
    T_camera_fingertip: NDArray[np.float64],
    opening_m: float,
    measured: NDArray[np.float32],
    margin_px: int,
) -> Mask:
    """The gripper's pixels [H, W] at an opening, less those where the measured depth [H, W] is in front of it.

    What is held covers part of the fingers: their outline alone would cut into it.
    """
    outline = gripper_mask(camera, T_camera_fingertip, opening_m, margin_px)
    surface = gripper_depth(camera, T_camera_fingertip, opening_m)
    nearest = cv2.erode(surface, np.ones((2 * margin_px + 1,) * 2, np.uint8))
    return outline & ~((measured > 0) & (measured < nearest - IN_FRONT_M))
