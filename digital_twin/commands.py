"""Command-line verbs of the twin's people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from digital_twin.demonstrator.simulate import SimulateConfig, missing_takes, record_takes
from wildgrasp.errors import UserError

_DEFAULT = SimulateConfig()


def simulate(
    out: Path = Path("sessions"),
    workers: int = 1,
    config: Annotated[SimulateConfig, tyro.conf.arg(name="")] = _DEFAULT,
) -> None:
    """Let simulated people record sessions with the simulated gripper.

    One folder per take, and beside it what really happened (.truth.npz), which processing never reads. Takes that are
    there already are not recorded again, so an interrupted run goes on with the same command.

    Args:
        out: Folder to put the sessions into.
        workers: Takes recorded at the same time; one per core.
        config: What to record.
    """
    console = Console()
    try:
        done = config.takes - len(missing_takes(out, config))
        attempts = held = 0
        with _bar(console) as bar:
            task = bar.add_task("recording takes", total=config.takes, completed=done)
            for take in record_takes(out, config, workers):
                attempts, held = attempts + take.attempts, held + take.held
                bar.advance(task)
                bar.console.print(
                    f"{take.path}: {take.held} of {take.attempts} held, {take.frames} frames in {take.seconds:.0f} s"
                )
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}). Takes recorded so far are kept.") from error
    console.print(
        f"{config.takes} takes in {out}: {done} were there, {attempts} attempts recorded now, {held} of them held."
    )


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
