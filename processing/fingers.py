"""Which pixels belong to the fingers and palm, and which to something that stands between them and the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse, transform
from wildgrasp.rig import gripper_boxes, gripper_mask

Mask = NDArray[np.bool_]

IN_FRONT_M = 0.008  # nearer than the gripper's surface by this much: not the gripper


@dataclass(frozen=True)
class GripperLook:
    """What the gripper looked like while nothing was between its fingers."""

    color: NDArray[np.uint8]  # [H, W, 3]
    opening_m: float


def gripper_surface(
    camera: PinholeCamera, T_camera_fingertip: NDArray[np.float64], opening_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gripper's front surface at an opening, by rays against its boxes.

    Returns depth [H, W] in metres, inf beside it; and how far its x moves when the fingers open by a metre, [H, W].
    """
    T_fingertip_camera = inverse(T_camera_fingertip)
    rays = camera.points(np.ones((camera.height, camera.width), np.float32)) @ T_fingertip_camera[:3, :3].T
    origin = T_fingertip_camera[:3, 3]
    depth, slides = np.full(rays.shape[:2], np.inf), np.zeros(rays.shape[:2])
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, box in gripper_boxes(opening_m).items():
            a, b = (box.center - box.half - origin) / rays, (box.center + box.half - origin) / rays
            enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            hit = (leave >= enter) & (enter > 0) & (enter < depth)
            depth[hit], slides[hit] = enter[hit], _SLIDES.get(name.split("_")[0], 0.0)
    return depth, slides


_SLIDES = {"left": 0.5, "right": -0.5}


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
    surface, _ = gripper_surface(camera, T_camera_fingertip, opening_m)
    nearest = cv2.erode(surface, np.ones((2 * margin_px + 1,) * 2, np.uint8))
    return outline & ~((measured > 0) & (measured < nearest - IN_FRONT_M))


def looks_like_gripper(
    colors: Sequence[NDArray[np.uint8]],
    look: GripperLook,
    camera: PinholeCamera,
    T_camera_fingertip: NDArray[np.float64],
    opening_m: float,
    tolerance: float,
) -> Mask:
    """Where at least half of some frames have the colours [H, W, 3] that the gripper had, its fingers moved.

    Stereo has no depth so near: of what is between the fingers and the camera, colours alone may tell. ``tolerance``
    in grey levels. Beside the gripper, each place is compared with itself.
    """
    depth, slides = gripper_surface(camera, T_camera_fingertip, opening_m)
    moves = slides != 0
    points = camera.unproject(np.argwhere(moves)[:, ::-1].astype(np.float64), depth[moves])
    at_fingertip = transform(inverse(T_camera_fingertip), points)
    at_fingertip[:, 0] += slides[moves] * (look.opening_m - opening_m)
    v, u = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    there = camera.project(transform(T_camera_fingertip, at_fingertip)).astype(np.float32)
    u[moves], v[moves] = there[:, 0], there[:, 1]
    expected = cv2.remap(look.color, u, v, cv2.INTER_LINEAR)
    alike = np.sum([cv2.absdiff(color, expected).mean(axis=-1) < tolerance for color in colors], axis=0)
    alike = 2 * alike >= len(colors)
    return cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
