"""Small geometry that the baselines share: bounded steps, upright gripper poses, where the table is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.surface import SurfacePoints
from wildgrasp.geometry import Array, interpolate, pose, rotation_angle

MAX_STEP_M = 0.10  # between two looks at the scene
MAX_STEP_RAD = 0.5


def step_toward(T_now: NDArray[np.float64], T_goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The goal, or as far on the straight way to it as one step may go; [4, 4]."""
    distance = float(np.linalg.norm(T_goal[:3, 3] - T_now[:3, 3]))
    angle = float(rotation_angle(T_now[:3, :3].T @ T_goal[:3, :3]))
    u = min(1.0, MAX_STEP_M / max(distance, 1e-9), MAX_STEP_RAD / max(angle, 1e-9))
    return interpolate(T_now, T_goal, u)


def looking_at(point: Array, distance_m: float, tilt_rad: float, azimuth_rad: float, closing: Array) -> Array:
    """T_base_fingertip [4, 4] that points at a place [3] from above, tilted to an azimuth; ``closing`` turns it."""
    side, up = np.array([np.cos(azimuth_rad), np.sin(azimuth_rad), 0.0]), np.array([0.0, 0.0, 1.0])
    approach = -(np.sin(tilt_rad) * side + np.cos(tilt_rad) * up)
    return gripper_pose(point - distance_m * approach, approach, closing)


def is_at(T: NDArray[np.float64], goal: NDArray[np.float64], distance_m: float, angle_rad: float) -> bool:
    """Whether a pose [4, 4] is this near to another."""
    near = np.linalg.norm(T[:3, 3] - goal[:3, 3]) < distance_m
    return bool(near and rotation_angle(T[:3, :3].T @ goal[:3, :3]) < angle_rad)


def gripper_pose(
    position: NDArray[np.float64], approach: NDArray[np.float64], closing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fingertip pose [4, 4] with z along ``approach`` and x as near to ``closing`` as that allows."""
    z = approach / np.linalg.norm(approach)
    x = closing - (closing @ z) * z
    if np.linalg.norm(x) < 1e-6:
        x = np.cross(z, np.eye(3)[np.abs(z).argmin()])
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(z, x), z], axis=1), position)


def table_height(surface: SurfacePoints) -> float | None:
    """Height of the largest level surface in the base frame (z up), None when there is none.

    The table is where most upward-facing points are, in 5 mm slices.
    """
    level = surface.points[surface.normals[:, 2] > 0.9, 2]
    if len(level) < 50:
        return None
    slices = np.round(level / _SLICE_M).astype(int)
    values, counts = np.unique(slices, return_counts=True)
    return float(np.median(level[np.abs(slices - values[counts.argmax()]) <= 1]))


_SLICE_M = 0.005
