"""The verb ``wildgrasp process``."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from processing.accuracy import accuracy_table
from processing.pipeline import STEP_NAMES, ProcessConfig, ProcessReport
from processing.workers import Update, process_all
from wildgrasp.errors import SessionError
from wildgrasp.sessions.layout import INDEX_NAME

# About how a session's time is spent, so that its bar moves evenly.
_SHARE = {"attempts": 0.0, "masks": 0.25, "tracking": 0.65, "grasps": 0.05, "report": 0.05}


def process(
    sessions: Annotated[list[Path], tyro.conf.Positional],
    workers: int = 1,
    json: Path | None = None,
    config: ProcessConfig | None = None,
) -> int:
    """Give sessions their trajectories, attempts and masks, and a report page each.

    A folder of sessions stands for all of them. What was processed before is not done again.

    Args:
        sessions: Session folders, or folders that hold sessions.
        workers: Sessions processed side by side; one core each.
        json: Write what was found to this file.
        config: Everything that can be set; changing it re-runs what depends on it.

    Returns 0, or 1 when sessions were set aside.
    """
    console = Console()
    paths = find_sessions(sessions)
    reports: list[ProcessReport] = []
    set_aside: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        total = progress.add_task(f"{len(paths)} session{'s' * (len(paths) != 1)}", total=len(paths))
        bars: dict[Path, TaskID] = {}
        for update in process_all(paths, config, workers):
            _show(progress, bars, update)
            if update.report is not None:
                reports.append(update.report)
            elif update.kind == "set aside":
                set_aside[str(update.path)] = update.reason
            done = len(reports) + len(set_aside) + sum(t.completed for t in progress.tasks if t.id in bars.values())
            progress.update(total, completed=done)
    _print_results(console, reports, set_aside)
    if json is not None:
        found = {"sessions": [r.as_json() for r in reports], "set_aside": set_aside}
        json.write_text(json_format.dumps(found, indent=2) + "\n")
    return 2 if set_aside else 0


def find_sessions(paths: Sequence[Path]) -> list[Path]:
    """Session folders among the paths, and directly inside those that are none; each once, in order.

    Raises SessionError for a path in which there is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path] if (path / INDEX_NAME).is_file() else sorted(p.parent for p in path.glob(f"*/{INDEX_NAME}"))
        if not inside:
            raise SessionError(
                f"There is no session in {path}. Give the folder that `capture`, `import` or `simulate` wrote, or one "
                "that holds such folders."
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def _show(progress: Progress, bars: dict[Path, TaskID], update: Update) -> None:
    if update.kind == "progress":
        if update.path not in bars:
            bars[update.path] = progress.add_task("", total=1.0)
        before = sum(_SHARE[name] for name in STEP_NAMES[: STEP_NAMES.index(update.step)])
        completed = before + _SHARE[update.step] * update.fraction
        progress.update(bars[update.path], description=f"  {update.path.name}: {update.step}", completed=completed)
    elif update.path in bars:
        progress.remove_task(bars.pop(update.path))


def _print_results(console: Console, reports: Sequence[ProcessReport], set_aside: dict[str, str]) -> None:
    table = Table(title="Processed")
    for heading in ("session", "frames", "attempts", "tracking", "lost", "frames/s"):
        table.add_column(heading, justify="right" if heading in ("frames", "lost", "frames/s") else "left")
    for r in sorted(reports, key=lambda r: r.path):
        attempts = ", ".join(f"{n} {outcome}" for outcome, n in r.attempts.items()) or "one clip"
        seconds = sum(r.seconds.values())
        rate = f"{r.frames / seconds:.0f}" if seconds > 0.05 else "done before"
        table.add_row(Path(r.path).name, str(r.frames), attempts, r.tracking, str(r.lost_frames), rate)
    if reports:
        console.print(table)
    measured = {Path(r.path).name: r.accuracy for r in reports if r.accuracy is not None}
    if measured:
        console.print(accuracy_table(measured))
    for path, reason in set_aside.items():
        console.print(f"Set aside: {path}: {reason}", markup=False, style="red")
    for r in reports:
        console.print(f"Report: {r.report}", markup=False, soft_wrap=True)
