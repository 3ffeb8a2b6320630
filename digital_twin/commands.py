"""Command-line verbs of the twin's people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from digital_twin.demonstrator.simulate import SimulateConfig, attempts_there, record_attempts
from digital_twin.mesh_reports import read_meshes, report_meshes
from wildgrasp.errors import UserError

_DEFAULT = SimulateConfig()


def simulate(
    out: Path = Path("sessions"),
    workers: int = 1,
    config: Annotated[SimulateConfig, tyro.conf.arg(name="")] = _DEFAULT,
) -> None:
    """Let simulated people record sessions with the simulated gripper.

    One folder per take, and beside it what really happened (.truth.npz), which processing never reads. Takes that are
    there already count, so an interrupted run goes on with the same command.

    Args:
        out: Folder to put the sessions into.
        workers: Takes recorded at the same time; one per core.
        config: What to record.
    """
    console = Console()
    held = recorded = 0
    if config.objects is not None:
        report_meshes(read_meshes(config.objects, config.scale, console), console)
    try:
        there = attempts_there(out, config.seed)
        with _bar(console) as bar:
            task = bar.add_task("recording attempts", total=config.attempts, completed=there)
            for take in record_attempts(out, config, workers):
                recorded, held = recorded + take.attempts, held + take.held
                bar.advance(task, take.attempts)
                bar.console.print(
                    f"{take.path}: {take.held} of {take.attempts} held, {take.frames} frames in {take.seconds:.0f} s"
                )
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}). Takes recorded so far are kept.") from error
    console.print(
        f"{there + recorded} attempts in {out}: {there} were there, {recorded} recorded now, {held} of them held."
    )
    if there + recorded < config.attempts:
        console.print("Nothing more could be grasped: the objects are too large, or lie out of reach.")


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
