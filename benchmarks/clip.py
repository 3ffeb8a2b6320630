"""A realistic source of frames for benchmarks, made before anything is measured: textured, with the noise of a D415."""

from __future__ import annotations

import cv2
import numpy as np

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import PinholeCamera

WIDTH, HEIGHT = 640, 480
LENS = PinholeCamera(WIDTH, HEIGHT, 615.0, 615.0, 319.5, 239.5)
INFO = CameraInfo("synthetic", "0", "0", LENS, 0.001, 30.0)
NOISE_PER_M2 = 0.0015  # standard deviation of a D415's depth per squared metre


def clip(frames: int, seed: int = 0) -> list[RGBDFrame]:
    """Frames of a camera that moves over a table with boxes on it."""
    rng = np.random.default_rng(seed)
    texture = _texture(rng)
    return [_frame(rng, texture, i) for i in range(frames)]


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Colour with structure at every scale, as photographs have it, [2H, 2W, 3]."""
    total = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.float32)
    for octave in range(1, 8):
        size = (2**octave * 4, 2**octave * 3)
        noise = rng.normal(size=(size[1], size[0], 3)).astype(np.float32)
        total += cv2.resize(noise, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC) * 40 / octave**1.5
    return np.clip(total + 120, 0, 255).astype(np.uint8)


def _frame(rng: np.random.Generator, texture: np.ndarray, index: int) -> RGBDFrame:
    shift = 3 * index
    color = texture[shift % HEIGHT : shift % HEIGHT + HEIGHT, shift % WIDTH : shift % WIDTH + WIDTH]
    color = np.clip(color + rng.normal(0, 3, color.shape), 0, 255).astype(np.uint8)
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    depth = 1.6 - 1.0 * v / HEIGHT + 0.1 * u / WIDTH  # a table that rises towards the camera
    for box in range(6):
        left, top = (97 * box + 2 * index) % 500, (61 * box + index) % 380
        depth[top : top + 80, left : left + 90] -= 0.12
    depth += rng.normal(size=depth.shape) * NOISE_PER_M2 * depth**2
    edges = np.abs(cv2.Laplacian(depth, cv2.CV_32F, ksize=3)) > 0.2
    depth[cv2.dilate(edges.astype(np.uint8), np.ones((3, 3))) > 0] = 0  # a stereo camera sees no depth at edges
    return RGBDFrame(color, np.round(depth * 1000).astype(np.uint16), INFO.depth_scale, index * 33_333_333)
