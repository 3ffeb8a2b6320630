"""A small exact renderer for the tests of processing: textured rectangles, seen by a pinhole camera along a path.

Each rectangle is warped by its homography, so geometry is exact; depth follows from its plane. Good enough for a
camera that films a table, and fast in plain NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp, transform

FPS = 30
FRAME_NS = 1_000_000_000 // FPS


@dataclass(frozen=True)
class Rectangle:
    """Points ``origin + s * side_s + t * side_t`` for s, t in [0, 1]; in the world, or fixed in the camera."""

    origin: NDArray[np.float64]  # [3]
    side_s: NDArray[np.float64]  # [3]
    side_t: NDArray[np.float64]  # [3]
    texture: NDArray[np.uint8]  # [h, w, 3]
    in_camera: bool = False

    def moved(self, T: NDArray[np.float64]) -> Rectangle:
        R = T[:3, :3]
        return replace(
            self,
            origin=transform(T, self.origin[None])[0],
            side_s=R @ self.side_s,
            side_t=R @ self.side_t,
        )


@dataclass(frozen=True)
class Clip:
    camera: PinholeCamera
    frames: list[RGBDFrame]
    T_world_camera: NDArray[np.float64]  # [N, 4, 4]
    in_camera: list[NDArray[np.bool_]]  # [H, W]: what moves with the camera

    @property
    def info(self) -> CameraInfo:
        return CameraInfo("renderer", "0", "0", self.camera, 0.0001, FPS)


def texture(rng: np.random.Generator, h: int, w: int, contrast: float = 70.0) -> NDArray[np.uint8]:
    """Random texture with detail at several scales, in two colours."""
    image = np.zeros((h, w))
    for cell, gain in ((2, 0.5), (5, 1.0), (13, 1.0), (40, 0.7)):
        noise = rng.normal(size=(h // cell + 2, w // cell + 2)).astype(np.float32)
        image += gain * cv2.resize(noise, (w, h), interpolation=cv2.INTER_CUBIC)
    tint = rng.uniform(0.5, 1.0, 3)
    return np.clip(128 + contrast * (image / image.std())[..., None] * tint * 0.6, 0, 255).astype(np.uint8)


def box(
    rng: np.random.Generator, center: NDArray, half: NDArray, yaw: float, in_camera: bool = False
) -> list[Rectangle]:
    """The six faces of a box."""
    R = so3_exp(np.array([0, 0, yaw]))
    x, y, z = (2 * half[i] * R[:, i] for i in range(3))
    o = np.asarray(center) - (x + y + z) / 2
    faces = ((o, x, z), (o, y, z), (o + x, y, z), (o + y, x, z), (o + z, x, y), (o, x, y))
    return [Rectangle(a, b, c, texture(rng, 160, 160), in_camera) for a, b, c in faces]


def tabletop(rng: np.random.Generator, boxes: int = 10) -> list[Rectangle]:
    """A textured table (z = 0), a floor, two walls, and boxes on the table."""
    v = np.array
    scene = [
        Rectangle(v([-0.9, -0.7, 0.0]), v([1.8, 0, 0.0]), v([0, 1.4, 0.0]), texture(rng, 1000, 1300, 35)),
        Rectangle(v([-3, -3, -0.8]), v([6.0, 0, 0]), v([0, 6.0, 0]), texture(rng, 900, 900)),
        Rectangle(v([-2, 1.3, -0.8]), v([4.0, 0, 0]), v([0, 0, 2.4]), texture(rng, 800, 1200)),
        Rectangle(v([-1.8, -2, -0.8]), v([0, 4.0, 0]), v([0, 0, 2.4]), texture(rng, 800, 1200)),
    ]
    for _ in range(boxes):
        half = rng.uniform(0.02, 0.06, 3)
        center = v([rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.4), half[2]])
        scene += box(rng, center, half, rng.uniform(0, np.pi))
    return scene


def handheld_path(rng: np.random.Generator, frames: int, tremor: float = 1.0) -> NDArray[np.float64]:
    """T_world_camera [N, 4, 4]: come near the table, draw back, swing round it; with a hand's tremor."""
    t = np.linspace(0, frames / 180, frames)
    near = 0.5 - 0.5 * np.cos(3 * np.pi * t)
    look = np.stack([0.12 * np.sin(2 * np.pi * t), 0.08 * np.cos(4.4 * t), 0.02 + 0 * t], axis=1)
    azimuth, elevation = -np.pi / 2 + 0.6 * np.sin(5 * t), np.radians(50) + 0.2 * np.sin(6 * t)
    direction = np.stack(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)], 1
    )
    position = look + (0.72 - 0.38 * near)[:, None] * direction
    position += tremor * 0.008 * gaussian_filter1d(rng.normal(size=(frames, 3)), 4, axis=0)
    shake = tremor * 0.03 * gaussian_filter1d(rng.normal(size=(frames, 3)), 4, axis=0)
    z = (look - position) / np.linalg.norm(look - position, axis=1, keepdims=True)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return pose(np.stack([x, np.cross(z, x), z], axis=-1) @ so3_exp(shake), position)


def draw(
    scene: Sequence[Rectangle], camera: PinholeCamera, T_world_camera: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
    """Colour [H, W, 3], exact depth [H, W] in metres (0: nothing hit), and what is fixed in the camera [H, W]."""
    h, w = camera.height, camera.width
    color, depth = np.zeros((h, w, 3), np.uint8), np.full((h, w), np.inf)
    attached = np.zeros((h, w), bool)
    v, u = np.mgrid[:h, :w]
    rays = camera.unproject(np.stack([u, v], -1).astype(np.float64), np.ones((h, w)))
    T_camera_world = inverse(T_world_camera)
    for rectangle in scene:
        r = rectangle if rectangle.in_camera else rectangle.moved(T_camera_world)
        corners = np.array([r.origin + a * r.side_s + b * r.side_t for a in (0, 1) for b in (0, 1)])
        left, top, right, bottom = 0, 0, w, h
        if corners[:, 2].min() > 0.01:  # else it reaches behind the camera: look at every pixel
            pixels = camera.project(corners)
            left, top = np.clip(np.floor(pixels.min(0)).astype(int), 0, (w, h))
            right, bottom = np.clip(np.ceil(pixels.max(0)).astype(int) + 1, 0, (w, h))
        if right <= left or bottom <= top or corners[:, 2].max() <= 0.01:
            continue
        window = (slice(top, bottom), slice(left, right))
        stz = rays[window] @ np.linalg.inv(np.stack([r.side_s, r.side_t, r.origin], axis=1)).T
        with np.errstate(divide="ignore", invalid="ignore"):
            z = 1.0 / stz[..., 2]
            s, t = stz[..., 0] * z, stz[..., 1] * z
            seen = (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1) & (z > 0.01) & (z < depth[window])
        if not seen.any():
            continue
        th, tw = r.texture.shape[:2]
        sampled = cv2.remap(
            r.texture, (s * (tw - 1)).astype(np.float32), (t * (th - 1)).astype(np.float32), cv2.INTER_LINEAR
        )
        color[window][seen] = sampled[seen]
        depth[window][seen] = z[seen]
        attached[window][seen] = rectangle.in_camera
    return color, np.where(np.isfinite(depth), depth, 0).astype(np.float32), attached


def d415_depth(rng: np.random.Generator, depth: NDArray[np.float32], camera: PinholeCamera) -> NDArray[np.float32]:
    """Depth as stereo measures it: smooth disparity noise, steps of 1/32 px, holes at edges, nothing too near."""
    h, w = depth.shape
    fb = camera.fx * 0.055
    smooth = cv2.resize(rng.normal(size=(h // 3, w // 3)).astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = fb / depth + 0.09 * smooth + 0.03 * rng.normal(size=depth.shape)
        noisy = fb / (np.round(disparity * 32) / 32)
    edge = cv2.dilate(depth, np.ones((3, 3))) - cv2.erode(depth, np.ones((3, 3))) > 0.03 * depth
    edge = cv2.dilate(edge.astype(np.uint8), np.ones((3, 3))) > 0
    holes = edge & (rng.random(depth.shape) < 0.6)
    blobs = cv2.resize(rng.random((h // 16, w // 16)).astype(np.float32), (w, h)) > 0.94
    return np.where((depth <= 0) | holes | blobs | (noisy < 0.2) | (noisy > 5), 0, noisy).astype(np.float32)


def render(
    rng: np.random.Generator,
    scene: Sequence[Rectangle] | Sequence[Sequence[Rectangle]],
    T_world_camera: NDArray[np.float64],
    camera: PinholeCamera,
    noise: bool = True,
) -> Clip:
    """Film a scene (or one scene per frame) along a path, antialiased 2×, with image and depth noise when asked for."""
    fine = camera.resized(2 * camera.width, 2 * camera.height)
    frames, attached = [], []
    for i, T in enumerate(T_world_camera):
        here = scene if isinstance(scene[0], Rectangle) else scene[i]
        color = cv2.resize(draw(here, fine, T)[0], (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        _, depth, fixed = draw(here, camera, T)
        if noise:
            color = np.clip(color + rng.normal(0, 2.5, color.shape), 0, 255).astype(np.uint8)
            depth = d415_depth(rng, depth, camera)
        frames.append(RGBDFrame(color, np.round(depth / 0.0001).astype(np.uint16), 0.0001, i * FRAME_NS + 1))
        attached.append(fixed)
    return Clip(camera, frames, np.asarray(T_world_camera), attached)
