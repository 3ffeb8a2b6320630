"""Where the board is seen: in single pictures, and in the times in which nothing moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.calibration.board import Board
from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import PinholeCamera, inverse, pose, rotation_angle, so3_exp
from wildgrasp.sessions.session import Session

MIN_CORNERS = 12
OTHERS = ("DICT_4X4_1000", "DICT_5X5_1000", "DICT_6X6_1000", "DICT_7X7_1000", "DICT_APRILTAG_36h11")
STILL_M, STILL_RAD = 0.0006, np.deg2rad(0.3)  # what moves less than this from frame to frame is still
STILL_S = 0.5
REST_M, REST_RAD = 0.002, np.deg2rad(0.6)  # and in all that time it has not gone further than this


@dataclass(frozen=True)
class BoardView:
    """Corners of the board as one picture, or the mean of several, shows them."""

    frame: int
    t_ns: int
    ids: NDArray[np.int64]  # [N] corners of the board
    pixels: NDArray[np.float64]  # [N, 2]
    points: NDArray[np.float64]  # [N, 3] in the board frame
    T_camera_board: NDArray[np.float64]  # [4, 4]
    rms_px: float  # of the pose's reprojection


def find_board(
    session: Session,
    board: Board,
    frames: Sequence[int] | None = None,
    on_fraction: Callable[[float], None] | None = None,
) -> list[BoardView]:
    """Views of the board in a session's frames, those in which too little of it is seen left out.

    Raises CalibrationError, which says what is seen instead, where no frame shows it.
    """
    detector = cv2.aruco.CharucoDetector(board.charuco())
    corners = np.array(board.charuco().getChessboardCorners(), dtype=np.float64)
    chosen = range(len(session)) if frames is None else frames
    views = []
    for n, index in enumerate(chosen):
        frame = session.frame(index)
        grey = cv2.cvtColor(frame.color, cv2.COLOR_RGB2GRAY)
        found = _detect(detector, grey)
        if found is not None:
            view = board_view(index, frame.t_host_ns, *found, corners, session.camera)
            views += [] if view is None else [view]
        if on_fraction is not None:
            on_fraction((n + 1) / len(chosen))
    if not views:
        raise CalibrationError(_what_else(session, detector, chosen))
    return views


def board_view(
    frame: int, t_ns: int, ids: NDArray[np.int64], pixels: NDArray, corners: NDArray, camera: PinholeCamera
) -> BoardView | None:
    """The board's pose from corners; None where they are too few, or all but on one line."""
    points = corners[ids]
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
    if len(ids) < MIN_CORNERS or spread[1] < 0.008:
        return None
    count, rotations, shifts, errors = cv2.solvePnPGeneric(points, pixels, camera.matrix, None, flags=cv2.SOLVEPNP_IPPE)
    if not count:
        return None
    best = int(np.argmin(np.ravel(errors)))
    r, t = cv2.solvePnPRefineLM(points, pixels, camera.matrix, None, rotations[best], shifts[best])
    T = pose(so3_exp(r.ravel()), t.ravel())
    if T[2, 3] <= 0:
        return None
    seen = camera.project(points @ T[:3, :3].T + T[:3, 3])
    return BoardView(frame, t_ns, ids, pixels, points, T, float(np.sqrt(np.mean(np.sum((seen - pixels) ** 2, axis=1)))))


def still_views(views: Sequence[BoardView], board: Board, camera: PinholeCamera) -> list[BoardView]:
    """One view for each time in which the board does not move in the picture for half a second: its mean corners."""
    corners = np.array(board.charuco().getChessboardCorners(), dtype=np.float64)
    groups: list[list[BoardView]] = []
    for view in views:
        group = groups[-1] if groups else []
        if group and _is_still(group, view):
            group.append(view)
        else:
            groups.append([view])
    return [
        mean
        for group in groups
        if group[-1].t_ns - group[0].t_ns >= STILL_S * 1e9 and (mean := _mean(group, corners, camera)) is not None
    ]


def scale_by_depth(session: Session, views: Iterable[BoardView]) -> float | None:
    """How large the board is by the camera's depth, over how large it was taken to be; None where depth says nothing.

    Median over the corners of up to 40 views. A D415 is good to about 2 % here.
    """
    ratios: list[float] = []
    chosen = list(views)
    for view in chosen[:: max(1, len(chosen) // 40)]:
        depth = session.frame(view.frame).depth
        u, v = np.round(view.pixels).astype(int).T
        inside = (u >= 0) & (v >= 0) & (u < depth.shape[1]) & (v < depth.shape[0])
        measured = depth[v[inside], u[inside]]
        expected = (view.points[inside] @ view.T_camera_board[:3, :3].T + view.T_camera_board[:3, 3])[:, 2]
        ratios += (measured / expected)[measured > 0].tolist()
    return float(np.median(ratios)) if len(ratios) >= 50 else None


def _detect(detector, grey: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    pixels, ids, _, _ = detector.detectBoard(grey)
    if ids is None or len(ids) < MIN_CORNERS:
        return None
    return np.ravel(ids).astype(np.int64), np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


def _is_still(group: Sequence[BoardView], view: BoardView) -> bool:
    soon = view.t_ns - group[-1].t_ns < STILL_S * 1e9
    return soon and not _moved(group[-1], view, STILL_M, STILL_RAD) and not _moved(group[0], view, REST_M, REST_RAD)


def _moved(a: BoardView, b: BoardView, metres: float, radians: float) -> bool:
    T = inverse(a.T_camera_board) @ b.T_camera_board
    camera = inverse(b.T_camera_board)[:3, 3] - inverse(a.T_camera_board)[:3, 3]
    return bool(np.linalg.norm(camera) > metres or rotation_angle(T[:3, :3]) > radians)


def _mean(group: Sequence[BoardView], corners: NDArray, camera: PinholeCamera) -> BoardView | None:
    """Corners that most of the pictures show, at their mean places."""
    seen: dict[int, list[NDArray]] = {}
    for view in group:
        for corner, pixel in zip(view.ids.tolist(), view.pixels, strict=True):
            seen.setdefault(corner, []).append(pixel)
    often = {c: np.mean(p, axis=0) for c, p in sorted(seen.items()) if len(p) > len(group) / 2}
    middle = group[len(group) // 2]
    ids, pixels = np.array(list(often), dtype=np.int64), np.array(list(often.values())).reshape(-1, 2)
    return board_view(middle.frame, middle.t_ns, ids, pixels, corners, camera)


def _what_else(session: Session, detector, frames: Sequence[int]) -> str:
    """Why no frame shows the board, as far as a few of them tell."""
    others = [cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, d))) for d in OTHERS]
    for index in list(frames)[:: max(1, len(frames) // 12)]:
        grey = cv2.cvtColor(session.frame(index).color, cv2.COLOR_RGB2GRAY)
        if _detect(detector, cv2.flip(grey, 1)) is not None:
            return (
                f"{session.path}: the board is seen mirrored. Print it without mirroring, or turn off the mirroring of "
                "the camera's pictures."
            )
        if any(len(other.detectMarkers(grey)[0]) >= 4 for other in others):
            return (
                f"{session.path}: markers are seen, but not this board, or too little of it. Print the board with "
                "`wildgrasp calibrate board`, and keep most of it in view."
            )
    return (
        f"{session.path}: no frame shows the calibration board. It must be lit, flat, mostly in view and 20 to 80 cm "
        "from the camera; `wildgrasp calibrate board` prints it."
    )
