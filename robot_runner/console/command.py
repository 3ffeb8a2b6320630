"""The verb ``console``: the operator's window, and the process that runs the robot beside it."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Annotated

import tyro

from robot_runner.console.history import past_outcomes
from robot_runner.console.station import RigStation, Station
from robot_runner.console.worker import run_worker
from robot_runner.rig_options import RigOptions

_LEAVE_S = 15.0


def console(
    rig: Annotated[RigOptions, tyro.conf.arg(name="")],
    policy: str,
    out: Path = Path("runs"),
    policies: Path | None = None,
    scenes: Path | None = None,
) -> int:
    """The operator's console: start, watch, pause, stop and recover runs of a UR5. The space bar stops at any time.

    It is no emergency stop: stay beside the red button. `wildgrasp console --twin` shows it on a simulated cell.

    Args:
        rig: Which robot.
        policy: A checkpoint, or a baseline by name (random, straight-down, heuristic); the window offers others.
        out: Folder of runs; each run is a session in it.
        policies: Folder of checkpoints to choose from.
        scenes: Folder of scene files to choose from.
    """
    return open_console(RigStation(rig, scenes), out, policy, policies)


def open_console(
    station: Station, out: Path, policy: str, policies: Path | None = None, title: str = "WildGrasp console"
) -> int:
    """Show the window for a station until it is closed. The robot's process ends with it, the arm at rest."""
    from PySide6.QtWidgets import QApplication

    from robot_runner.console.model import ConsoleModel, policies_in
    from robot_runner.console.window import ConsoleWindow, style

    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    arguments = (theirs, station, out, policies_in(policies, policy))
    worker = context.Process(target=run_worker, args=arguments, name="console-runner")
    worker.start()
    theirs.close()
    try:
        app = QApplication.instance() or QApplication(sys.argv[:1])
        style(app)
        model = ConsoleModel(pipe, tuple(past_outcomes(out)))
        window = ConsoleWindow(model)
        window.setWindowTitle(title)
        window.show()
        return app.exec()
    finally:
        pipe.close()  # its end tells the runner, however the window ended
        worker.join(_LEAVE_S)
        if worker.is_alive():
            worker.kill()  # the arm is braked by the process that waits for the link's end
            worker.join()
