"""The gripper rig: where the camera sits on it, and its shape.

The handheld gripper and the robot's RG2 are built alike (section IV-A of the paper): parallel jaws, camera 25 cm behind the
fingertips. A calibration (`wildgrasp calibrate`) replaces ``NOMINAL_T_FINGERTIP_CAMERA``; the shape serves masks, the guard and
the twin.

Frame ``fingertip``: origin midway between the ends of the two finger pads, x along the closing direction, z along the approach
(out of the gripper), y = z × x. The camera sits at negative y, so its image shows the fingertips below the centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import inverse, pose, so3_exp

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
