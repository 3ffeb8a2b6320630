"""Command-line verbs of the policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from grasp_policy.batches import load_pools
from grasp_policy.dataset import ShardReport, build_dataset, find_sessions
from grasp_policy.model_card import read_card, runtime_rows
from grasp_policy.states import StatesConfig
from grasp_policy.train import Progress as TrainProgress
from grasp_policy.train import TrainConfig, TrainReport
from grasp_policy.train import train as run_training
from wildgrasp.errors import SessionError

_TRAINING, _STATES = TrainConfig(), StatesConfig()


def train(
    sessions: tyro.conf.Positional[list[Path]],
    out: Path = Path("checkpoint.safetensors"),
    data: Path | None = None,
    workers: int = 1,
    config: Annotated[TrainConfig, tyro.conf.arg(name="")] = _TRAINING,
    states: StatesConfig = _STATES,
) -> None:
    """Train a policy on processed sessions.

    Writes the checkpoint, and beside it the curves (.csv, .png). Interrupted, the same command goes on.

    Args:
        sessions: Processed sessions, or folders that hold some.
        out: The checkpoint to write.
        data: Where training states are kept between runs, by default beside the checkpoint; some 150 kB each.
        workers: Processes that make training states.
        config: The training.
        states: How sessions become training states.
    """
    console = Console()
    folder = data if data is not None else out.with_suffix(".data")
    reports = _make_states(find_sessions(sessions), folder, states, workers, console)
    shards = [report.shard for report in reports if report.shard is not None]
    if not shards:
        raise SessionError("None of the sessions gave a training state; the reasons stand above.")
    training, held_out = load_pools(shards, config.held_out)
    console.print(
        f"{len(training)} training states from {len(training.sessions)} sessions, "
        f"{len(held_out)} held out from {len(held_out.sessions)}."
    )
    if not len(held_out):
        console.print("Nothing is held out, so nothing says how well it generalises: give two sessions or more.")
    with _bar(console) as bar:
        task = bar.add_task("training", total=1.0, note="")

        def show(now: TrainProgress) -> None:
            bar.update(task, completed=now.fraction, note=_note(now))

        report = run_training(training, held_out, config, out, states.actions, show)
    _print_report(report, console)


def card(
    checkpoint: tyro.conf.Positional[Path], json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None
) -> None:
    """Show what a checkpoint is: its network, how and on what it was trained, and what can run it on this machine.

    Args:
        checkpoint: The file that `wildgrasp train` wrote, or the weights of a learned baseline that come along.
        json_file: Write the card here as well.
    """
    kept, words = read_card(checkpoint)
    console = Console()
    for title, rows in (("checkpoint", words), ("runs here with", runtime_rows())):
        table = Table(title, "", title_justify="left")
        for name, text in rows:
            table.add_row(escape(name), escape(text))
        console.print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(kept, indent=1))


def _make_states(
    sessions: list[Path], folder: Path, config: StatesConfig, workers: int, console: Console
) -> list[ShardReport]:
    with _bar(console, MofNCompleteColumn()) as bar:
        task = bar.add_task("sessions → states", total=len(sessions), note="")
        made = 0

        def show(report: ShardReport) -> None:
            nonlocal made
            made += report.states
            if report.shard is None:
                console.print(f"{report.session}: left out, {report.reason}", highlight=False)
            bar.update(task, advance=1, note=f"{made} states")

        return build_dataset(sessions, folder, config, workers, show)


def _bar(console: Console, *columns: MofNCompleteColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, TimeElapsedColumn(), TextColumn("{task.fields[note]}"),
        console=console,
    )  # fmt: skip


def _note(now: TrainProgress) -> str:
    text = f"step {now.step}, loss {now.loss:.3f}, {now.views_per_s:.0f} views/s"
    v = now.validation
    return text if v is None else f"{text}; held out: best chosen {v.top1:.0%}, regret {1000 * v.regret_m:.1f} mm"


def _print_report(report: TrainReport, console: Console) -> None:
    console.print(
        f"{report.checkpoint}: {report.steps} steps in {report.minutes:.1f} minutes "
        f"({report.views_per_s:.0f} views/s), training loss {report.train_loss:.3f}."
    )
    v = report.validation
    if v is not None:
        console.print(
            f"On {v.states} held-out states the best candidate was chosen in {v.top1:.0%}; regret "
            f"{1000 * v.regret_m:.1f} mm ({1000 * v.random_regret_m:.1f} mm when choosing blindly)."
        )
