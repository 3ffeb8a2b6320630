"""A coarse shape of the arm: capsules along its links, and the distances between those that can meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.kinematics import ArmModel
from wildgrasp.geometry import transform

Array = NDArray[np.float64]

# The upper arm and the forearm lie beside the joint axes they hang on, by about these amounts (UR5 and UR5e, drawings).
_UPPER_ARM_SIDE_M = 0.13
_FOREARM_SIDE_M = 0.016

NAMES = ("pedestal", "upper arm", "forearm", "wrist 1", "wrist 2", "flange", "gripper", "camera")
RADII_M = np.array([0.075, 0.06, 0.05, 0.045, 0.045, 0.04, 0.045, 0.035])

# Pairs that a wrong pose can bring together; neighbours always touch and are left out.
_PAIRS = np.array(
    [(0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (1, 4), (1, 5), (1, 6), (1, 7), (2, 5), (2, 6), (2, 7), (0, 2)],
    dtype=np.intp,
)


def arm_capsules(model: ArmModel, frames: Array, T_tool_fingertip: Array, T_tool_camera: Array) -> tuple[Array, Array]:
    """Ends (A, B), each [..., 8, 3] in the base, of the capsules ``NAMES`` of an arm with link frames [..., 7, 4, 4].

    The gripper's capsule ends 2 cm before the fingertips: pads may come close to things, that is their work.
    """
    origin, axis = frames[..., :3, 3], frames[..., :3, 2]
    tool = frames[..., 6, :, :]
    near_tips = np.array([T_tool_fingertip[:3, 3] - 0.02 * T_tool_fingertip[:3, 2]])
    camera = T_tool_camera[:3, 3] + 0.04 * np.outer([-1.0, 1.0], T_tool_camera[:3, 0])  # a D415 is 10 cm wide
    camera_ends = transform(tool, camera)
    starts = [
        origin[..., 0, :],
        origin[..., 1, :] + _UPPER_ARM_SIDE_M * axis[..., 1, :],
        origin[..., 2, :] + _FOREARM_SIDE_M * axis[..., 2, :],
        origin[..., 3, :],
        origin[..., 4, :],
        origin[..., 5, :],
        origin[..., 6, :],
        camera_ends[..., 0, :],
    ]
    ends = [
        origin[..., 1, :],
        origin[..., 2, :] + _UPPER_ARM_SIDE_M * axis[..., 2, :],
        origin[..., 3, :] + _FOREARM_SIDE_M * axis[..., 2, :],
        origin[..., 4, :],
        origin[..., 5, :],
        origin[..., 6, :],
        transform(tool, near_tips)[..., 0, :],
        camera_ends[..., 1, :],
    ]
    return np.stack(starts, axis=-2), np.stack(ends, axis=-2)


def self_distance(A: Array, B: Array) -> Array:
    """Smallest surface distance [...] in metres between the arm's own capsules; negative when two overlap."""
    i, j = _PAIRS.T
    gaps = _segment_distance(A[..., i, :], B[..., i, :], A[..., j, :], B[..., j, :]) - RADII_M[i] - RADII_M[j]
    return gaps.min(axis=-1)


def box_distance(A: Array, B: Array, lower: Array, upper: Array, samples: int = 6) -> Array:
    """Smallest surface distance [...] between the arm's moving capsules and an axis-aligned box (lower, upper [3])."""
    u = np.linspace(0, 1, samples)[:, None]
    points = A[..., 1:, None, :] + u * (B - A)[..., 1:, None, :]  # without the pedestal, which does not move
    outside = np.maximum(np.maximum(lower - points, points - upper), 0.0)
    return (np.linalg.norm(outside, axis=-1) - RADII_M[1:, None]).min(axis=(-1, -2))


def lowest_point(A: Array, B: Array) -> Array:
    """Height [...] of the lowest point of forearm, wrist and camera (the gripper's own boxes are exact, and lower)."""
    moving = [i for i, name in enumerate(NAMES) if name not in ("pedestal", "upper arm", "gripper")]
    return (np.minimum(A[..., moving, 2], B[..., moving, 2]) - RADII_M[moving]).min(axis=-1)


def _segment_distance(A0: Array, A1: Array, B0: Array, B1: Array) -> Array:
    """Distance [...] of segments A0–A1 and B0–B1, ends [..., 3] (Ericson, Real-Time Collision Detection, 5.1.9)."""
    d1, d2, r = A1 - A0, B1 - B0, A0 - B0
    a, e, f = _dot(d1, d1), _dot(d2, d2), _dot(d2, r)
    b, c = _dot(d1, d2), _dot(d1, r)
    tiny = 1e-12
    denominator = a * e - b * b
    s = np.clip(np.where(denominator > tiny, (b * f - c * e) / np.maximum(denominator, tiny), 0.0), 0, 1)
    t = np.clip((b * s + f) / np.maximum(e, tiny), 0, 1)
    s = np.clip((b * t - c) / np.maximum(a, tiny), 0, 1)
    return np.linalg.norm(r + s[..., None] * d1 - t[..., None] * d2, axis=-1)


def _dot(a: Array, b: Array) -> Array:
    return (a * b).sum(axis=-1)
