"""The robot: T_tool_camera, from pictures of a board that lies still while the arm looks at it from many sides.

    T_base_tool(i) @ T_tool_camera @ T_camera_board(i) = T_base_board        for all stations i      (A X B = Y)

A closed form begins (OpenCV 5 has lost its own from Python); least squares on the corners' reprojection, over X and Y,
ends. The arm's own measure of lengths then tells whether the board is as large as supposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from processing.calibration.outcome import (
    Outcome,
    ViewResidual,
    deviation,
    jackknife,
    mean_pose,
    outliers,
    verdict_of,
)
from processing.calibration.views import BoardView
from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import PinholeCamera, inverse, pose, se3_exp, so3_log

Array = NDArray[np.float64]

FLOOR_MM, FLOOR_DEG = 1.0, 0.3  # of a station; arms repeat better, but are not calibrated better
GOOD_STATIONS, LEAST_STATIONS = 10, 5
GOOD_TURN_DEG, LEAST_TURN_DEG = 10.0, 4.0  # of the tool about its second axis, root mean square
SCALE_TOLERANCE = 0.015
NOTE = "An arm whose own calibration is off by more than its repeatability shifts the result without showing here."


@dataclass(frozen=True)
class Station:
    """A view of the board, and where the arm says that the tool was."""

    view: BoardView
    T_base_tool: Array  # [4, 4]


def calibrate_hand_eye(stations: Sequence[Station], camera: PinholeCamera) -> Outcome:
    """From stations with the arm at rest. Raises CalibrationError with fewer than three."""
    if len(stations) < 3:
        raise CalibrationError(
            f"Only {len(stations)} still moments show the board; {LEAST_STATIONS} are needed, {GOOD_STATIONS} are good."
            " Move the arm, let it rest for a second, and so on; turn the tool about two axes by 20° or more."
        )
    turns = _turns_deg(stations)
    if turns[1] < LEAST_TURN_DEG / 4:
        raise CalibrationError(
            "The tool was turned about one axis only, or not at all: then the camera's place on it cannot be known. "
            "Turn it about two axes by 20° or more, and look at the board from several sides."
        )
    X, Y = _solve_robustly(stations, camera)
    mm, deg = _deviations(stations, X, Y)
    used = ~outliers(mm, deg, 3 * FLOOR_MM, 3 * FLOOR_DEG)
    if used.sum() < 3:
        used[:] = True
    kept = [s for s, u in zip(stations, used, strict=True) if u]
    X, Y, _ = _solve(kept, camera, (X, Y))
    mm, deg = _deviations(stations, X, Y)
    start = (X, Y)
    sigma_mm, sigma_deg = np.inf, np.inf
    if len(kept) > 3:
        sigma_mm, sigma_deg = jackknife(lambda some: _solve([kept[i] for i in some], camera, start)[0], len(kept), X)
    scale = _solve(kept, camera, start, with_scale=True)[2]
    turns = _turns_deg(kept)
    residuals = tuple(
        ViewResidual(s.view.frame, f"station {n + 1}", float(mm[n]), float(deg[n]), s.view.rms_px, bool(used[n]))
        for n, s in enumerate(stations)
    )
    unusable, poor = _complaints(len(kept), turns[1], scale)
    verdict, reasons = verdict_of(sigma_mm, sigma_deg, unusable, poor)
    coverage = {"stations": float(len(kept)), "turn_1_deg": turns[0], "turn_2_deg": turns[1], "scale": scale}
    return Outcome("T_tool_camera", X, sigma_mm, sigma_deg, residuals, coverage, verdict, reasons, (NOTE,))


def _solve(
    stations: Sequence[Station],
    camera: PinholeCamera,
    start: tuple[Array, Array] | None = None,
    weights: Array | None = None,
    with_scale: bool = False,
) -> tuple[Array, Array, float]:
    """T_tool_camera, T_base_board, and the board's scale (1 unless asked for). Every station counts alike, or as its
    weight [N] says, however many corners it shows."""
    X0, Y0 = start or _begin(stations)
    T_tool_base = inverse(np.array([s.T_base_tool for s in stations]))
    counts = [len(s.view.pixels) for s in stations]
    station = np.repeat(np.arange(len(stations)), counts)
    points, pixels = (np.concatenate([getattr(s.view, name) for s in stations]) for name in ("points", "pixels"))
    weigh = np.sqrt((np.ones(len(stations)) if weights is None else weights) / counts)[station, None]

    def residuals(x: Array) -> Array:
        T = (inverse(X0 @ se3_exp(x[:6])) @ T_tool_base @ (Y0 @ se3_exp(x[6:12])))[station]
        scaled = (np.exp(x[12]) if with_scale else 1.0) * points
        seen = camera.project((T[:, :3, :3] @ scaled[:, :, None])[..., 0] + T[:, :3, 3])
        return (weigh * (seen - pixels)).ravel()

    x = least_squares(residuals, np.zeros(13 if with_scale else 12), x_scale="jac", method="lm", max_nfev=400).x
    return X0 @ se3_exp(x[:6]), Y0 @ se3_exp(x[6:12]), float(np.exp(x[12])) if with_scale else 1.0


def _solve_robustly(stations: Sequence[Station], camera: PinholeCamera) -> tuple[Array, Array]:
    """Least absolute deviations over the stations, by weights: a few wrong stations do not pull the others along."""
    X, Y, _ = _solve(stations, camera)
    for _ in range(6):
        mm, deg = _deviations(stations, X, Y)
        X, Y, _ = _solve(stations, camera, (X, Y), 1 / np.maximum(mm / FLOOR_MM + deg / FLOOR_DEG, 0.1))
    return X, Y


def _begin(stations: Sequence[Station]) -> tuple[Array, Array]:
    """Closed form (Park & Martin 1994), from the motions between all pairs of stations.

    A motion turns the tool by a vector and the camera by the same one, seen from the camera: the best rotation between
    the two sets of vectors is the camera's. The shifts then are linear: (R_A - 1) t = R t_B - t_A.
    """
    tools = np.array([s.T_base_tool for s in stations])
    boards = np.array([s.view.T_camera_board for s in stations])
    i, j = np.triu_indices(len(stations), 1)
    A = inverse(tools[i]) @ tools[j]
    B = boards[i] @ inverse(boards[j])
    U, _, Vt = np.linalg.svd(so3_log(A[:, :3, :3]).T @ so3_log(B[:, :3, :3]))
    R = U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    left = (A[:, :3, :3] - np.eye(3)).reshape(-1, 3)
    t = np.linalg.lstsq(left, (B[:, :3, 3] @ R.T - A[:, :3, 3]).ravel(), rcond=None)[0]
    X = pose(R, t)
    return X, mean_pose(tools @ X @ boards)


def _deviations(stations: Sequence[Station], X: Array, Y: Array) -> tuple[Array, Array]:
    """How far from Y each station sees the board (mm [N], degrees [N])."""
    mm, deg = np.array([deviation(s.T_base_tool @ X @ s.view.T_camera_board, Y) for s in stations]).T
    return mm, deg


def _turns_deg(stations: Sequence[Station]) -> Array:
    """Root mean square turn [3] of the tool from station to station about its principal axes, the largest first."""
    R = np.array([s.T_base_tool[:3, :3] for s in stations])
    i, j = np.triu_indices(len(stations), 1)
    turns = so3_log(np.swapaxes(R[i], -1, -2) @ R[j])
    return np.rad2deg(np.linalg.svd(turns, compute_uv=False)) / np.sqrt(len(turns))


def _complaints(stations: int, second_turn_deg: float, scale: float) -> tuple[list[str], list[str]]:
    unusable, poor = [], []
    if stations < LEAST_STATIONS:
        unusable.append(f"{stations} stations agree: {LEAST_STATIONS} are needed, {GOOD_STATIONS} are good")
    elif stations < GOOD_STATIONS:
        poor.append(f"{stations} stations: {GOOD_STATIONS} or more are good")
    told = f"the tool turned by {second_turn_deg:.0f}° about its second axis: turn it about two axes by 20° or more"
    if second_turn_deg < LEAST_TURN_DEG:
        unusable.append(told)
    elif second_turn_deg < GOOD_TURN_DEG:
        poor.append(told)
    if abs(scale - 1) > SCALE_TOLERANCE:
        unusable.append(
            f"by the arm's measure the board is {scale:.3f} times as large as it should be: print it at 100 % (not "
            "'fit to page') or give the measured size by --bar-mm"
        )
    return unusable, poor
