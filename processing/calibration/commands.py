"""The verbs ``wildgrasp calibrate board`` and ``wildgrasp calibrate camera-to-gripper``."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from processing.calibration.board import BAR_MM, Board, Paper, write_sheet
from processing.calibration.hand_eye import Station, calibrate_hand_eye
from processing.calibration.outcome import Outcome
from processing.calibration.stances import calibrate_stances
from processing.calibration.views import BoardView, find_board, scale_by_depth, still_views
from wildgrasp.calibration import save_calibration
from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import from_vector, inverse
from wildgrasp.rig import T_TOOL_FINGERTIP
from wildgrasp.sessions.session import Session

LOOK_HZ = 10.0  # so often per second of a recording the board is looked for
MAX_POSES_BYTES = 50_000_000
STYLE = {"good": "green", "poor": "yellow", "unusable": "red"}


def board(out: Path = Path("calibration-board.pdf"), paper: Paper = "a4") -> None:
    """Write the calibration sheet, to be printed at 100 % and laid or glued flat.

    Args:
        out: A .pdf or .png file.
        paper: Which paper it is printed on.
    """
    write_sheet(out, paper)
    print(f"{out}: print it at 100 % (not 'fit to page') and measure the bar: it must be {BAR_MM:.0f} mm long.")


def camera_to_gripper(
    session: Annotated[Path, tyro.conf.Positional],
    poses: Path | None = None,
    out: Path = Path("calibration.json"),
    bar_mm: float = BAR_MM,
    json: Path | None = None,
) -> int:
    """Find where the camera sits on the gripper, from a recording of the calibration board.

    Handheld: stand the gripper on each of the sheet's four footprints, twice, for two seconds. The file then goes to
    `capture --calibration`. Robot: a session with the arm's poses (or --poses), in which the arm rests at ten or more
    places, turned about two axes, and sees the board; the file goes to `run --hand-eye`.

    Args:
        session: The recording.
        poses: The arm's poses, where the session has none: a JSON file {"T_base_tool": {"FRAME": [x, y, z, qx, qy,
            qz, qw], …}}, the flange in the robot's base at frames of the session.
        out: Where the calibration is written. One that is of no use is not written.
        bar_mm: Length of the sheet's bar as it was printed.
        json: Write all residuals to this file.

    Returns 0, or 2 when the calibration is of no use.
    """
    console = Console()
    if not 0.5 * BAR_MM < bar_mm < 2 * BAR_MM:
        raise CalibrationError(f"A bar of {bar_mm} mm cannot be: it is {BAR_MM:.0f} mm when printed at 100 %.")
    sheet = Board().printed_as(Board().square_m * bar_mm / BAR_MM)
    with Session(session) as recorded:
        outcome = _robot(recorded, sheet, poses, console) if poses or recorded.poses("arm") else None
        if outcome is None:
            outcome = _handheld(recorded, sheet, console)
        camera = {"model": recorded.camera_info.model, "serial": recorded.camera_info.serial}
    calibration = outcome.calibration({"camera": camera, "board": sheet.as_json(), "session": session.name})
    _print(console, outcome)
    if json is not None:
        told = {**calibration.details, "verdict": outcome.verdict, "sigma_mm": outcome.sigma_mm}
        told |= {"sigma_deg": outcome.sigma_deg, "reasons": outcome.reasons, outcome.kind: outcome.T.tolist()}
        json.write_text(json_format.dumps(told, indent=1) + "\n")
    if outcome.verdict == "unusable":
        console.print(f"{out} was not written.")
        return 2
    save_calibration(out, calibration)
    console.print(f"Written to {out}.", markup=False)
    return 0


def _handheld(session: Session, sheet: Board, console: Console) -> Outcome:
    views = _look(session, sheet, None, console)
    return calibrate_stances(still_views(views, sheet, session.camera), sheet, scale_by_depth(session, views))


def _robot(session: Session, sheet: Board, poses: Path | None, console: Console) -> Outcome:
    if poses is not None:
        T_base_tool = read_poses(poses, len(session))
        stations = _look(session, sheet, sorted(T_base_tool), console)
    else:
        T_base_tool = tool_poses(session)
        stations = still_views(_look(session, sheet, None, console), sheet, session.camera)
    known = [Station(view, T_base_tool[view.frame]) for view in stations if view.frame in T_base_tool]
    return calibrate_hand_eye(known, session.camera)


def tool_poses(session: Session) -> dict[int, np.ndarray]:
    """T_base_tool by frame, from a robot's session: its camera poses are the tool's by the hand–eye of that run."""
    arm, T_camera_fingertip = session.poses("arm"), session.T_camera_fingertip
    if T_camera_fingertip is None:
        text = f"{session.path} does not say where its camera was taken to be. Give the poses by --poses."
        raise CalibrationError(text)
    T_camera_tool = T_camera_fingertip @ inverse(T_TOOL_FINGERTIP)
    return {int(i): T @ T_camera_tool for i, T in zip(arm.frame_ids, arm.T_world_camera, strict=True)}


def read_poses(path: Path, frames: int) -> dict[int, np.ndarray]:
    """T_base_tool by frame, from a JSON file. Raises CalibrationError."""
    try:
        with path.open("rb") as file:
            value = json_format.loads(file.read(MAX_POSES_BYTES))["T_base_tool"]
        vectors = {int(frame): np.array(vector, dtype=np.float64) for frame, vector in value.items()}
        poses = vectors.values()
        if not all(v.shape == (7,) and np.isfinite(v).all() and 0.9 < np.linalg.norm(v[3:]) < 1.1 for v in poses):
            raise ValueError("a pose that is not x, y, z, qx, qy, qz, qw")
        if not all(0 <= frame < frames for frame in vectors):
            raise ValueError(f"a frame that is not among the session's {frames}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CalibrationError(
            f'{path} holds no poses ({error}). Write {{"T_base_tool": {{"FRAME": [x, y, z, qx, qy, qz, qw], …}}}}.'
        ) from error
    return {frame: from_vector(vector) for frame, vector in vectors.items()}


def _look(session: Session, sheet: Board, frames: list[int] | None, console: Console) -> list[BoardView]:
    if frames is None:
        frames = list(range(0, len(session), max(1, round(session.camera_info.fps / LOOK_HZ))))
    columns = (TextColumn("Looking for the board"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        return find_board(session, sheet, frames, lambda fraction: progress.update(task, completed=fraction))


def _print(console: Console, outcome: Outcome) -> None:
    table = Table(title=f"{outcome.kind} from {len(outcome.views)} still views")
    for heading in ("frame", "where", "mm", "deg", "px", ""):
        table.add_column(heading, justify="left" if heading in ("where", "") else "right")
    for v in outcome.views:
        style = None if v.used else "red"
        told = "" if v.used else "outlier: not used"
        table.add_row(str(v.frame), v.place, f"{v.mm:.2f}", f"{v.deg:.2f}", f"{v.px:.2f}", told, style=style)
    console.print(table)
    x, y, z = 1e3 * outcome.T[:3, 3]
    console.print(f"{outcome.kind}: ({x:.1f}, {y:.1f}, {z:.1f}) mm")
    console.print(f"one standard deviation: {outcome.sigma_mm:.2f} mm, {outcome.sigma_deg:.3f}°")
    console.print(f"Verdict: {outcome.verdict}", style=STYLE[outcome.verdict])
    for text in (*outcome.reasons, *outcome.notes):
        console.print(f"  {text}", markup=False)
