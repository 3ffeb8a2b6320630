"""What a wrist camera sees of a cluttered table, ray-traced, with a D415's noise: for benchmarks of the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import FINE, SENSOR_CAMERA, candidates
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import PinholeCamera, pose
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA

VOLUME = Volume((-0.4, -0.4, -0.1), (160, 160, 120))  # 0.8 × 0.8 × 0.6 m at 5 mm
NOISE_PER_M2 = 0.0015  # standard deviation of a D415's depth per squared metre
HOLES = 0.02  # fraction of pixels without depth


@dataclass(frozen=True)
class Observation:
    color: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres
    T_world_camera: NDArray[np.float64]  # [4, 4]


def approach(count: int = 12, camera: PinholeCamera = SENSOR_CAMERA, seed: int = 0) -> list[Observation]:
    """Observations of a descent from 45 to 25 cm above the table, swinging to the sides."""
    rng = np.random.default_rng(seed)
    boxes, balls = _clutter(rng)
    observations = []
    for u in np.linspace(0.0, 1.0, count):
        eye = np.array([0.2 * np.cos(3 * u), 0.2 * np.sin(3 * u), 0.45 - 0.2 * u])
        T = _look_at(eye, np.array([0.0, 0.0, 0.02]))
        color, depth = _render(boxes, balls, camera, T)
        depth += rng.normal(size=depth.shape) * NOISE_PER_M2 * depth**2
        depth[rng.random(depth.shape) < HOLES] = 0
        observations.append(Observation(color, depth.astype(np.float32), T))
    return observations


def action_view_poses(T_world_camera: NDArray[np.float64], count: int = 35) -> NDArray[np.float64]:
    """Camera poses [count, 4, 4] after the candidate moves, repeated when more are asked for."""
    T_fingertip = T_world_camera @ NOMINAL_T_CAMERA_FINGERTIP
    poses = T_fingertip @ candidates(0.4, FINE) @ NOMINAL_T_FINGERTIP_CAMERA
    return poses[np.arange(count) % len(poses)]


def _clutter(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes [N, 2, 3] (low and high corners) and balls [M, 4] (centre and radius) on the table."""
    low = np.column_stack([rng.uniform(-0.35, 0.30, (14, 2)), np.zeros(14)])
    boxes = np.stack([low, low + rng.uniform((0.03, 0.03, 0.03), (0.08, 0.08, 0.14), (14, 3))], axis=1)
    radius = rng.uniform(0.02, 0.05, 14)
    balls = np.column_stack([rng.uniform(-0.35, 0.35, (14, 2)), radius, radius])
    return boxes, balls


def _render(
    boxes: NDArray[np.float64], balls: NDArray[np.float64], camera: PinholeCamera, T: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    rays = camera.points(np.ones((camera.height, camera.width))) @ T[:3, :3].T
    eye = T[:3, 3]
    depth = -eye[2] / np.where(rays[..., 2] < -1e-6, rays[..., 2], -1e-6)
    shape = np.zeros(depth.shape, np.int64)
    for n, (low, high) in enumerate(boxes):
        with np.errstate(divide="ignore"):
            a, b = (low - eye) / rays, (high - eye) / rays
        enter, leave = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
        nearer = (enter <= leave) & (enter > 0) & (enter < depth)
        depth, shape = np.where(nearer, enter, depth), np.where(nearer, 1 + n, shape)
    for n, ball in enumerate(balls):
        c = eye - ball[:3]
        a, b = np.sum(rays**2, axis=-1), rays @ c
        root = b * b - a * (c @ c - ball[3] ** 2)
        enter = (-b - np.sqrt(np.maximum(root, 0))) / a
        nearer = (root > 0) & (enter > 0) & (enter < depth)
        depth, shape = np.where(nearer, enter, depth), np.where(nearer, 1 + len(boxes) + n, shape)
    palette = np.random.default_rng(1).integers(40, 230, (1 + len(boxes) + len(balls), 3))
    points = eye + rays * depth[..., None]
    checker = 20 * (np.floor(points[..., :2] / 0.02).sum(axis=-1) % 2)
    return (palette[shape] + checker[..., None]).astype(np.uint8), depth


def _look_at(eye: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross([0.0, 1.0, 0.0], z)
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(z, x), z], axis=1), eye)
