"""The curves of a training run: a CSV that grows, and a picture at the end."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from grasp_policy.objectives import Validation

_COLUMNS = (
    "step",
    "minutes",
    "learning_rate",
    "views_per_s",
    "train_loss",
    "validation_loss",
    "top1",
    "regret_m",
    "random_regret_m",
)


@dataclass(frozen=True)
class Row:
    """One validation."""

    step: int
    minutes: float
    learning_rate: float
    views_per_s: float
    train_loss: float
    validation: Validation | None


class TrainingLog:
    """Rows of a run in a CSV file; cells are empty where nothing was held out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[list[str]] = []

    def start(self) -> None:
        self._rows = []
        self._write()

    def resume(self, step: int) -> None:
        """Keep the rows up to a step; what an interrupted run wrote after its last save is done again."""
        if self.path.exists():
            with self.path.open(newline="") as file:
                self._rows = [row for row in list(csv.reader(file))[1:] if row and int(row[0]) <= step]
        self._write()

    def add(self, row: Row) -> None:
        v = row.validation
        held_out = ["", "", "", ""] if v is None else [v.loss, v.top1, v.regret_m, v.random_regret_m]
        cells = [row.minutes, row.learning_rate, row.views_per_s, row.train_loss, *held_out]
        self._rows.append([str(row.step), *(c if isinstance(c, str) else f"{c:.6g}" for c in cells)])
        self._write()

    def plot(self, path: Path) -> None:
        """Loss, top-1 and regret over steps as a PNG."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 3), layout="constrained")
        FigureCanvasAgg(figure)
        panels = (
            ("cross-entropy", {"training": "train_loss", "held out": "validation_loss"}, 1.0),
            ("best candidate chosen (share)", {"held out": "top1"}, 1.0),
            ("regret (mm)", {"held out": "regret_m", "choosing blindly": "random_regret_m"}, 1000.0),
        )
        for axes, (title, curves, scale) in zip(figure.subplots(1, 3), panels, strict=True):
            for label, column in curves.items():
                points = [(int(r[0]), scale * float(r[_COLUMNS.index(column)])) for r in self._rows if r[5]]
                axes.plot(*zip(*points, strict=True) if points else ([], []), ".-", label=label)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("step")
            axes.legend(fontsize=8)
        figure.savefig(path, dpi=110)

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *self._rows])
