"""The handheld gripper: T_camera_fingertip, from standing it on the footprints of the printed sheet.

Standing on a footprint, both fingertips rest on the paper, on the line and centred on its middle. So the sheet says
where the fingertips are (Board.stances), the camera sees where the sheet is, and each stand gives the calibration,

    T_camera_fingertip = T_camera_board @ T_board_fingertip,

and the scatter between stands says how well it is known. The four footprints turn the hand by 90° each, so that what
is wrong in one direction of the paper or of the picture does not stay in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from processing.calibration.board import Board
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
from wildgrasp.geometry import inverse
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP

Array = NDArray[np.float64]

# So far from the drawing's place a stand may be and still be one; else the hand is elsewhere.
NEAR_MM, NEAR_DEG = 45.0, 25.0
FLOOR_MM, FLOOR_DEG = 1.0, 0.5  # nobody puts a hand down better than this
GOOD_STANDS, LEAST_STANDS = 6, 3
# What all stands share and their scatter cannot show: print, paper, squareness of the pads, the lens's centre.
SHARED_MM, SHARED_DEG = 0.3, 0.1
FAR_MM, FAR_DEG = 20.0, 8.0  # from the drawing
NOTE = (
    "What every stand shares cannot be seen in their scatter: fingertips that are not square or not equally long, and "
    f"paper that is not flat. {SHARED_MM} mm and {SHARED_DEG}° are added for them."
)


def calibrate_stances(views: Sequence[BoardView], board: Board, scale: float | None = None) -> Outcome:
    """From still views of the board, those on a footprint; ``scale``: the board's size by depth, over its supposed one.

    Raises CalibrationError where fewer than two stands are found.
    """
    stands = [(view, *stand) for view in views if (stand := _footprint(view, board)) is not None]
    if len(stands) < 2:
        raise CalibrationError(
            f"Only {len(stands)} of {len(views)} still moments are with the gripper on a footprint; {LEAST_STANDS} are "
            f"needed, {GOOD_STANDS} are good. Stand it on each footprint, camera above the board, for two seconds."
        )
    estimates = np.array([T for _, _, T in stands])
    middle = estimates[_most_central(estimates)]
    mm, deg = np.array([deviation(T, middle) for T in estimates]).T
    used = ~outliers(mm, deg, 3 * FLOOR_MM, 3 * FLOOR_DEG)
    kept = estimates[used]
    T = mean_pose(kept)
    mm, deg = np.array([deviation(E, T) for E in estimates]).T
    sigma_mm, sigma_deg = np.inf, np.inf
    if len(kept) >= 2:
        sigma_mm, sigma_deg = jackknife(lambda some: mean_pose(kept[some]), len(kept), T)
    sigma_mm, sigma_deg = float(np.hypot(sigma_mm, SHARED_MM)), float(np.hypot(sigma_deg, SHARED_DEG))
    residuals = tuple(
        ViewResidual(view.frame, f"footprint {number}", float(m), float(d), view.rms_px, bool(u))
        for (view, number, _), m, d, u in zip(stands, mm, deg, used, strict=True)
    )
    footprints = {number for (_, number, _), u in zip(stands, used, strict=True) if u}
    unusable, poor = _complaints(T, len(kept), len(footprints), scale)
    verdict, reasons = verdict_of(sigma_mm, sigma_deg, unusable, poor)
    coverage = {"stands": float(len(kept)), "footprints": float(len(footprints)), "scale": scale or 0.0}
    notes = (NOTE,) if scale is not None else (NOTE, "Depth was not seen near the board: measure the 100 mm bar.")
    return Outcome("T_camera_fingertip", T, sigma_mm, sigma_deg, residuals, coverage, verdict, reasons, notes)


def _footprint(view: BoardView, board: Board) -> tuple[int, Array] | None:
    """Which footprint the gripper stands on, and the calibration that follows; None where it stands on none."""
    options = []
    for number, T_board_fingertip in board.stances().items():
        T = view.T_camera_board @ T_board_fingertip
        mm, deg = deviation(T, NOMINAL_T_CAMERA_FINGERTIP)
        if mm < NEAR_MM and deg < NEAR_DEG:
            options.append((mm, number, T))
    return min(options, key=lambda option: option[0])[1:] if options else None


def _most_central(estimates: Array) -> int:
    """The estimate with the smallest median distance to the others."""
    apart = [[np.linalg.norm((inverse(a) @ b)[:3, 3]) for b in estimates] for a in estimates]
    return int(np.argmin(np.median(apart, axis=1)))


def _complaints(T: Array, stands: int, footprints: int, scale: float | None) -> tuple[list[str], list[str]]:
    unusable, poor = [], []
    if stands < LEAST_STANDS:
        unusable.append(f"{stands} stands agree: {LEAST_STANDS} are needed, {GOOD_STANDS} are good")
    elif stands < GOOD_STANDS:
        poor.append(f"{stands} stands: {GOOD_STANDS} or more are good")
    if footprints == 1:
        unusable.append("all stands are on one footprint, seen from one direction: use all four")
    elif footprints < 4:
        poor.append(f"{footprints} of the 4 footprints were used: use all of them")
    if scale is not None and abs(scale - 1) > 0.04:
        unusable.append(
            f"by the camera's depth the board is {scale:.2f} times as large as it should be: print it at 100 % (not "
            "'fit to page') or give the measured size by --bar-mm"
        )
    mm, deg = deviation(T, NOMINAL_T_CAMERA_FINGERTIP)
    if mm > FAR_MM or deg > FAR_DEG:
        poor.append(f"{mm:.0f} mm and {deg:.0f}° from the drawing: is the camera mounted as it should be?")
    return unusable, poor
