"""Pictures of the printed calibration sheet from known places: warped by the exact homography, blurred, with noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.calibration.board import DPI, PAPER_MM, Board, sheet_figure
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import PinholeCamera, inverse, pose, se3_exp, so3_exp
from wildgrasp.sessions.writer import SessionWriter

CAMERA = PinholeCamera(640, 480, 612.0, 611.0, 318.5, 243.2)
FPS = 10
Array = NDArray[np.float64]


def page(board: Board | None = None) -> NDArray[np.uint8]:
    """The sheet [H, W] as ink on white, at half of its printing resolution."""
    figure = sheet_figure("a4", board)
    figure.canvas.draw()
    ink = cv2.cvtColor(np.asarray(figure.canvas.buffer_rgba()), cv2.COLOR_RGBA2GRAY)
    return cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def photograph(
    sheet: NDArray[np.uint8], T_camera_board: Array, rng: np.random.Generator, camera: PinholeCamera = CAMERA
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colour [H, W, 3] and depth [H, W] in metres of the sheet on a grey table, twice oversampled."""
    pixel_m = 2 * 25.4e-3 / DPI
    corner = Board().size_m / 2 - 1e-3 * np.array(PAPER_MM["a4"]) / 2
    board_from_pixel = np.array(
        [[pixel_m, 0, corner[0] + pixel_m / 2], [0, pixel_m, corner[1] + pixel_m / 2], [0, 0, 1]]
    )
    fine = camera.resized(2 * camera.width, 2 * camera.height)
    H = fine.matrix @ T_camera_board[:3, [0, 1, 3]] @ board_from_pixel
    smooth = cv2.GaussianBlur(sheet, (0, 0), 1.0)
    large = cv2.warpPerspective(smooth, H, (fine.width, fine.height), flags=cv2.INTER_LINEAR, borderValue=120)
    grey = cv2.resize(cv2.GaussianBlur(large, (0, 0), 1.2), (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    lit = 30 + 0.75 * grey * np.linspace(0.8, 1.05, camera.width)
    color = np.clip(lit[..., None] + rng.normal(0, 2.0, (*grey.shape, 3)), 0, 255).astype(np.uint8)
    normal, origin = T_camera_board[:3, 2], T_camera_board[:3, 3]
    rays = camera.points(np.ones((camera.height, camera.width), np.float32))
    depth = (normal @ origin) / (rays @ normal)
    depth = depth * (1 + 0.003 * rng.normal(size=depth.shape))
    return color, np.where((depth > 0.2) & (depth < 4), depth, 0).astype(np.float32)


def write_session(
    path: Path,
    sheet: NDArray[np.uint8],
    T_camera_board: Sequence[Array],
    rng: np.random.Generator,
    meta: dict | None = None,
    change=lambda index, color: color,
    depth_scale: float = 1.0,
) -> Path:
    """A recording of the sheet; ``change`` may spoil pictures."""
    with SessionWriter(path, CameraInfo("renderer", "77", "0", CAMERA, 0.0001, FPS), meta) as writer:
        for index, T in enumerate(T_camera_board):
            color, depth = photograph(sheet, T, rng)
            raw = np.round(depth_scale * depth / 0.0001).astype(np.uint16)
            writer.add_frame(RGBDFrame(change(index, color), raw, 0.0001, 1 + index * 1_000_000_000 // FPS))
    return path


def stand(T_camera_fingertip: Array, footprint: int, rng: np.random.Generator, board: Board | None = None) -> Array:
    """T_camera_board [4, 4] of a gripper that somebody put on a footprint: half a millimetre and a third of a degree
    beside it."""
    board = board or Board()
    beside = np.array([*rng.normal(0, 0.0005, 2), 0, *rng.normal(0, 0.0015, 2), rng.normal(0, 0.004)])
    T_board_fingertip = board.stances()[footprint] @ se3_exp(beside)
    return T_camera_fingertip @ inverse(T_board_fingertip)


def look(T_board: Array, azimuth: float, elevation: float, distance: float, roll: float = 0.0) -> Array:
    """T_world_camera [4, 4] that looks at the middle of a board which lies at T_world_board, from a side."""
    middle = T_board @ np.array([*Board().size_m / 2, 0, 1])
    outward = -T_board[:3, 2]
    side = np.cos(azimuth) * T_board[:3, 0] + np.sin(azimuth) * T_board[:3, 1]
    direction = np.sin(elevation) * outward + np.cos(elevation) * side
    z = -direction
    x = np.cross(T_board[:3, 1], z)
    x /= np.linalg.norm(x)
    return pose(
        np.stack([x, np.cross(z, x), z], axis=-1) @ so3_exp(np.array([0, 0, roll])), middle[:3] + distance * direction
    )
