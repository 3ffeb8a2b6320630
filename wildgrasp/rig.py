"""The gripper rig: where the camera sits on it, and its shape.

The handheld gripper and the robot's RG2 are built alike (section IV-A of the paper): parallel jaws, camera 25 cm
behind the fingertips. A calibration (`wildgrasp calibrate`) replaces ``NOMINAL_T_FINGERTIP_CAMERA``; the shape serves
masks, the guard and the twin.

Frame ``fingertip``: origin midway between the ends of the two finger pads, x along the closing direction, z along the
approach (out of the gripper), y = z × x. The camera sits at negative y, so its image shows the fingertips below the
centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp, transform

MAX_OPENING_M = 0.11  # RG2's stroke; the handheld gripper is built to match
CAMERA_TILT_RAD = np.deg2rad(10.0)  # towards the fingertips

# Camera origin 25 cm from the fingertips: 24 cm behind and 7 cm beside them.
# so3_exp about -x turns the optical axis from +z towards +y, where the fingertips are seen from the camera.
NOMINAL_T_FINGERTIP_CAMERA = pose(so3_exp(np.array([-CAMERA_TILT_RAD, 0.0, 0.0])), np.array([0.0, -0.07, -0.24]))
NOMINAL_T_CAMERA_FINGERTIP = inverse(NOMINAL_T_FINGERTIP_CAMERA)

# Robot: fingertips in front of the flange (RG2 with its mount).
T_TOOL_FINGERTIP = pose(t=np.array([0.0, 0.0, 0.23]))


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in the fingertip frame: centre and half sizes in metres."""

    center: NDArray[np.float64]  # [3]
    half: NDArray[np.float64]  # [3]


def gripper_boxes(opening_m: float) -> dict[str, Box]:
    """The gripper's solid parts at an opening (0 … MAX_OPENING_M): two pads, two finger links, the palm."""
    parts: dict[str, Box] = {}
    for name, side in (("left", 1.0), ("right", -1.0)):
        inner = side * opening_m / 2
        parts[f"{name}_pad"] = Box(np.array([inner + side * 0.006, 0, -0.025]), np.array([0.006, 0.011, 0.025]))
        parts[f"{name}_link"] = Box(np.array([inner + side * 0.008, 0, -0.09]), np.array([0.006, 0.008, 0.04]))
    parts["palm"] = Box(np.array([0, 0, -0.155]), np.array([0.06, 0.02, 0.03]))
    return parts


def gripper_mask(
    camera: PinholeCamera, T_camera_fingertip: NDArray[np.float64], opening_m: float, margin_px: int = 4
) -> NDArray[np.bool_]:
    """Pixels [H, W] that the gripper covers at an opening in metres, grown by ``margin_px``.

    The margin allows for calibration and for depth that bleeds over edges. Each of the gripper's boxes covers the
    convex hull of its projected corners. What lies behind the camera is cut off at the near plane first, so any pose
    gives a defined mask (all False when the gripper is out of sight).
    """
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for box in gripper_boxes(opening_m).values():
        corners = transform(T_camera_fingertip, box.center + _CORNER_SIGNS * box.half)
        visible = _cut_at_near_plane(corners)
        if len(visible):
            pixels = np.round(camera.project(visible) * _SUBPIXEL).astype(np.int32)
            cv2.fillConvexPoly(mask, cv2.convexHull(pixels), 1, shift=_SUBPIXEL_BITS)
    if margin_px > 0:
        size = 2 * margin_px + 1
        mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return mask.astype(bool)


_CORNER_SIGNS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])  # differ in one sign
_NEAR_M = 0.01
_SUBPIXEL_BITS = 4
_SUBPIXEL = 1 << _SUBPIXEL_BITS


def _cut_at_near_plane(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vertices [M, 3] of the part of a box [8, 3] beyond the near plane: corners, and where edges cross it."""
    front = corners[:, 2] >= _NEAR_M
    a, b = corners[_EDGES[:, 0]], corners[_EDGES[:, 1]]
    crosses = front[_EDGES[:, 0]] != front[_EDGES[:, 1]]
    a, b = a[crosses], b[crosses]
    u = (_NEAR_M - a[:, 2:]) / (b[:, 2:] - a[:, 2:])
    return np.concatenate([corners[front], a + u * (b - a)])
