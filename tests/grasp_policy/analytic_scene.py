"""Scenes whose pictures are known exactly: planes, spheres and boxes, ray-traced in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wildgrasp.geometry import PinholeCamera, pose


@dataclass(frozen=True)
class Plane:
    """All points x with normal · x = offset."""

    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)
    offset: float = 0.0
    color: tuple[int, int, int] = (90, 140, 200)

    def hit(self, o, d):
        n = np.array(self.normal)
        with np.errstate(divide="ignore"):
            s = (self.offset - o @ n) / (d @ n)
        return s, np.broadcast_to(n, d.shape)


@dataclass(frozen=True)
class Sphere:
    center: tuple[float, float, float]
    radius: float
    color: tuple[int, int, int] = (220, 60, 40)

    def hit(self, o, d):
        c = o - np.array(self.center)
        a, b = np.sum(d * d, axis=-1), d @ c
        disc = b * b - a * (c @ c - self.radius**2)
        s = np.where(disc >= 0, (-b - np.sqrt(np.maximum(disc, 0))) / a, np.inf)
        with np.errstate(invalid="ignore"):
            normal = (c + np.where(np.isfinite(s), s, 0.0)[..., None] * d) / self.radius
        return s, normal


@dataclass(frozen=True)
class Box:
    """Axis-aligned."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    color: tuple[int, int, int] = (60, 180, 80)

    def hit(self, o, d):
        with np.errstate(divide="ignore"):
            a, b = (np.array(self.low) - o) / d, (np.array(self.high) - o) / d
        enter, leave = np.minimum(a, b), np.maximum(a, b)
        axis = enter.argmax(axis=-1)
        s = np.where(enter.max(axis=-1) <= leave.min(axis=-1), enter.max(axis=-1), np.inf)
        normal = -np.sign(np.take_along_axis(d, axis[..., None], -1)) * np.eye(3)[axis]
        return s, normal


@dataclass(frozen=True)
class AnalyticScene:
    shapes: tuple = field(default_factory=tuple)

    def render(self, camera: PinholeCamera, T_world_camera: np.ndarray):
        """(colour uint8 [H, W, 3], depth float32 [H, W] with 0 = nothing, normals [H, W, 3] in the camera frame)."""
        rays = camera.points(np.ones((camera.height, camera.width)))
        R, o = T_world_camera[:3, :3], T_world_camera[:3, 3]
        d = rays @ R.T
        depth = np.full(d.shape[:2], np.inf)
        normal, color = np.zeros_like(d), np.zeros(d.shape, np.uint8)
        for shape in self.shapes:
            s, n = shape.hit(o, d)
            nearer = (s > 1e-6) & (s < depth)
            depth = np.where(nearer, s, depth)
            normal[nearer], color[nearer] = n[nearer], shape.color
        return color, np.where(np.isfinite(depth), depth, 0).astype(np.float32), normal @ R


def look_at(eye, target, up=(0.0, 1.0, 0.0)) -> np.ndarray:
    """Camera pose [4, 4] at ``eye`` whose optical axis goes through ``target``."""
    eye, target = np.asarray(eye, float), np.asarray(target, float)
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(np.asarray(up, float), z)
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(z, x), z], axis=1), eye)


TABLE = AnalyticScene(
    (
        Plane(),
        Sphere((0.06, 0.02, 0.04), 0.04),
        Box((-0.09, -0.05, 0.0), (-0.03, 0.03, 0.06)),
    )
)
