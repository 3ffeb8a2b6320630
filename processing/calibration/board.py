"""The calibration sheet: a ChArUco board with four footprints around it, made in code, printed on A4 or Letter.

    board frame: origin in the board's top left corner, x right, y down, z into the paper

The footprints are where the fingers of the handheld gripper are put down (see stances.py). The same sheet, lying flat,
serves the robot's hand–eye calibration.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import pose, so3_exp
from wildgrasp.rig import MAX_OPENING_M, gripper_boxes

Paper = Literal["a4", "letter"]
PAPER_MM: dict[Paper, tuple[float, float]] = {"a4": (297.0, 210.0), "letter": (279.4, 215.9)}
BAR_MM = 100.0
DPI = 300


@dataclass(frozen=True)
class Board:
    """A ChArUco board. The numbers fit A4 and Letter alike, with room for fingers on all four sides."""

    columns: int = 10  # squares
    rows: int = 7
    square_m: float = 0.020
    marker_share: float = 0.75  # of a square's side
    dictionary: str = "DICT_4X4_50"
    gap_m: float = 0.015  # from the board's edge to a footprint's line

    @property
    def size_m(self) -> NDArray[np.float64]:
        """Width and height [2]."""
        return np.array([self.columns, self.rows]) * self.square_m

    def charuco(self) -> cv2.aruco.CharucoBoard:
        words = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, self.dictionary))
        marker = self.square_m * self.marker_share
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, marker, words)

    def printed_as(self, square_m: float) -> Board:
        """The same sheet, printed at another scale."""
        return dataclasses.replace(self, square_m=square_m, gap_m=self.gap_m * square_m / self.square_m)

    def stances(self) -> dict[int, NDArray[np.float64]]:
        """T_board_fingertip [4, 4] of the gripper standing on each footprint, by its printed number.

        Both fingertips on the line, centred on its middle, the camera on the board's side of it.
        """
        (w, h), middle = self.size_m / 2, np.array([*self.size_m / 2, 0.0])
        away = {1: h + self.gap_m, 2: w + self.gap_m, 3: h + self.gap_m, 4: w + self.gap_m}  # below, left, above, right
        found = {}
        for number, distance in away.items():
            R = so3_exp(np.array([0.0, 0.0, (number - 1) * np.pi / 2]))
            found[number] = pose(R, middle + R @ np.array([0.0, distance, 0.0]))
        return found

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def write_sheet(path: Path, paper: Paper, board: Board | None = None) -> None:
    """The sheet as a PDF (to print at 100 %) or a PNG with its resolution. Raises CalibrationError."""
    if path.suffix.lower() not in (".pdf", ".png"):
        raise CalibrationError(f"{path} is neither .pdf nor .png. Give one of these.")
    try:
        sheet_figure(paper, board).savefig(path, dpi=DPI)
    except OSError as error:
        raise CalibrationError(
            f"{path} could not be written ({error.strerror}). Give another file by --out."
        ) from error


def sheet_figure(paper: Paper, board: Board | None = None) -> Figure:
    """The whole page, drawn in millimetres from its middle, y down."""
    board = board or Board()
    width, height = PAPER_MM[paper]
    figure = Figure(figsize=(width / 25.4, height / 25.4), dpi=DPI)
    FigureCanvasAgg(figure)
    page = figure.add_axes((0, 0, 1, 1), xlim=(-width / 2, width / 2), ylim=(height / 2, -height / 2))
    page.axis("off")
    _draw_board(page, board)
    for number, T in board.stances().items():
        _draw_footprint(page, number, T, board)
    _draw_bar(page, board)
    return figure


def _draw_board(page, board: Board) -> None:
    charuco = board.charuco()
    square, middle = 1e3 * board.square_m, 1e3 * board.size_m / 2
    for row in range(board.rows):
        for column in range(board.columns):
            if (row + column) % 2 == 0:
                _fill(page, square * np.array([column, row]) - middle, square, "black")
    words = charuco.getDictionary()
    bits = words.markerSize + 2
    for number, corners in zip(charuco.getIds().ravel(), charuco.getObjPoints(), strict=True):
        start = 1e3 * np.asarray(corners).reshape(-1, 3)[:, :2].min(axis=0) - middle
        cell = square * board.marker_share / bits
        _fill(page, start, cell * bits, "black")
        for y, x in np.argwhere(cv2.aruco.generateImageMarker(words, int(number), bits) > 0):
            _fill(page, start + cell * np.array([x, y]), cell, "white")


def _draw_footprint(page, number: int, T_board_fingertip: NDArray[np.float64], board: Board) -> None:
    """A line with a tick every 5 mm, the outlines of the wide open pads, and the footprint's number."""

    def at(x: float, y: float) -> NDArray[np.float64]:
        """Millimetres of the fingertip frame to those of the page."""
        return (T_board_fingertip @ np.array([1e-3 * x, 1e-3 * y, 0, 1]))[:2] * 1e3 - 1e3 * board.size_m / 2

    def line(a: tuple[float, float], b: tuple[float, float], width: float = 0.25) -> None:
        page.plot(*np.array([at(*a), at(*b)]).T, color="black", lw=width * 72 / 25.4, solid_capstyle="butt")

    line((-68, 0), (68, 0))
    for tick in range(-65, 70, 5):
        half = 3.0 if tick % 10 else 5.0
        line((tick, -half), (tick, half), 0.15)
    line((0, -11), (0, 11), 0.4)
    for name, box in gripper_boxes(MAX_OPENING_M).items():
        if name.endswith("_pad"):
            (x0, y0), (x1, y1) = 1e3 * (box.center - box.half)[:2], 1e3 * (box.center + box.half)[:2]
            for a, b in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
                line(a, b, 0.3)
    turn = -90.0 * (number - 1)
    page.text(*at(12, 8), str(number), fontsize=13, weight="bold", rotation=turn, ha="center", va="center")
    page.text(*at(32, 8), "camera above the board", fontsize=6, rotation=turn, ha="center", va="center")


def _draw_bar(page, board: Board) -> None:
    y = 98.8  # printers leave 5 mm of a page's edge white
    page.plot([-BAR_MM / 2, BAR_MM / 2], [y, y], color="black", lw=1.0, solid_capstyle="butt")
    for x in (-BAR_MM / 2, BAR_MM / 2):
        page.plot([x, x], [y - 1.5, y + 1.5], color="black", lw=0.7)
    text = f"{BAR_MM:.0f} mm when printed at 100 %"
    page.text(-BAR_MM / 2 - 2, y, text, fontsize=6, va="center", ha="right")
    name = f"WildGrasp, {board.columns} × {board.rows} squares of {1e3 * board.square_m:.0f} mm, {board.dictionary}"
    page.text(BAR_MM / 2 + 2, y, name, fontsize=6, va="center")


def _fill(page, corner: NDArray[np.float64], side: float, color: str) -> None:
    page.add_patch(
        Rectangle((float(corner[0]), float(corner[1])), side, side, facecolor=color, lw=0, antialiased=False)
    )
