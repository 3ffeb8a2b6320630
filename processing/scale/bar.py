"""How far many sessions are, in the terminal: one bar for all, with the time that remains, one for each that runs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from processing.pipeline import STEP_NAMES
from processing.scale.scheduler import Update
from processing.scale.tasks import Task

# About how a session's time is spent, so that its bar moves evenly.
_SHARE = {"attempts": 0.0, "masks": 0.25, "tracking": 0.65, "grasps": 0.05, "report": 0.05}
SPEED_WINDOW_S = 600.0  # the remaining time follows from the speed of the last minutes


class ProgressView:
    """Progress counted in recorded bytes: a long session counts for more than a short one."""

    def __init__(self, tasks: Sequence[Task], console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        self._progress = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, speed_estimate_period=SPEED_WINDOW_S
        )
        self._count, self._finished, self._finished_bytes, self._again = len(tasks), 0, 0, 0
        self._bars: dict[Task, TaskID] = {}
        self._parts: dict[Task, float] = {}
        self._total = self._progress.add_task("", total=max(sum(t.bytes for t in tasks), 1))
        self._tell()

    def show(self, update: Update) -> None:
        task = update.task
        if update.kind == "progress":
            before = sum(_SHARE[name] for name in STEP_NAMES[: STEP_NAMES.index(update.step)])
            self._parts[task] = before + _SHARE[update.step] * update.fraction
            if task not in self._bars:
                self._bars[task] = self._progress.add_task("", total=1.0)
            text = f"  {escape(task.name)}: {update.step}"
            self._progress.update(self._bars[task], description=text, completed=self._parts[task])
        else:
            self._parts.pop(task, None)
            if task in self._bars:
                self._progress.remove_task(self._bars.pop(task))
            if update.kind == "again":
                self._again += 1
            else:
                self._finished, self._finished_bytes = self._finished + 1, self._finished_bytes + task.bytes
        self._tell()

    def _tell(self) -> None:
        again = f", {self._again} tried again" if self._again else ""
        done = self._finished_bytes + sum(part * task.bytes for task, part in self._parts.items())
        text = f"{self._finished} of {self._count} session{'s' * (self._count != 1)}{again}"
        self._progress.update(self._total, description=text, completed=done)

    def __enter__(self) -> ProgressView:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
