"""Success rates of all policies in all scenes, each in the same episodes: the table and the picture of the guide.

    python -m benchmarks.rates --policies straight-down heuristic expert --scenes tabletop bin --out build/rates

Every cell is what ``wildgrasp evaluate`` measures, kept in a file of its own in ``--out``: an interrupted run goes on,
and more policies or scenes can be added later. Cells do not know the version: after a change, take a new folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from digital_twin.benchmark.commands import EPISODES
from digital_twin.benchmark.evaluation import EvaluationPlan, evaluate_plan
from digital_twin.world.cell_piles import SceneName
from digital_twin.world.cell_reality import Difficulty
from grasp_policy.registry import BASELINES

Cell = dict[str, Any]  # an Evaluation as JSON


def main(
    policies: tuple[str, ...] = (*BASELINES, "expert"),
    scenes: tuple[SceneName, ...] = tuple(EPISODES),
    difficulty: Difficulty = "nominal",
    episodes: int | None = None,
    seed: int = 0,
    workers: int = 0,
    out: Path = Path("build/rates"),
    picture: Path | None = None,
) -> None:
    """Measure what is missing, and print the table as Markdown.

    Args:
        policies: baselines by name, "expert", checkpoints by path.
        scenes: where the objects lie.
        difficulty: how far the rig is from its ideal.
        episodes: per cell; as in the paper unless told otherwise.
        seed: the same scenes for every policy.
        workers: processes; 0 means one per core.
        out: folder with a file per cell.
        picture: also draw the table, to this file.
    """
    out.mkdir(parents=True, exist_ok=True)
    cells: dict[tuple[str, str], Cell] = {}
    with Progress(console=Console(stderr=True)) as progress:
        all_cells = progress.add_task("cells", total=len(policies) * len(scenes))
        for scene in scenes:
            for policy in policies:
                plan = EvaluationPlan(scene, policy, episodes or EPISODES[scene], seed, difficulty)
                cells[policy, scene] = _measure(plan, out, workers or os.cpu_count() or 1, progress)
                progress.advance(all_cells)
    print(markdown(cells, policies, scenes))
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(cells, policies, scenes).savefig(picture, dpi=130)


def _measure(plan: EvaluationPlan, out: Path, workers: int, progress: Progress) -> Cell:
    name = f"{plan.scene}-{Path(plan.policy).stem}-{plan.difficulty}-{plan.episodes}-{plan.seed}.json"
    path = out / name
    if not path.exists():
        task = progress.add_task(f"{plan.policy} in {plan.scene}", total=plan.episodes)
        evaluation = evaluate_plan(
            plan, workers, path.with_suffix(".partial.jsonl"), lambda rows: progress.advance(task)
        )
        path.write_text(json.dumps(evaluation.to_json(), indent=1, default=str))
        progress.remove_task(task)
    return json.loads(path.read_text())


def markdown(cells: dict[tuple[str, str], Cell], policies: Sequence[str], scenes: Sequence[str]) -> str:
    """Successes of attempts, rate, and its 95 % Wilson interval."""
    lines = ["| | " + " | ".join(scenes) + " |", "|---" * (len(scenes) + 1) + "|"]
    for policy in policies:
        texts = (_text(cells[policy, scene]) for scene in scenes)
        lines.append(f"| `{Path(policy).stem}` | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _text(cell: Cell) -> str:
    low, high = 100 * cell["wilson_low"], 100 * cell["wilson_high"]
    return f"{cell['successes']}/{cell['attempts']} = {100 * cell['rate']:.0f} % [{low:.0f}–{high:.0f}]"


def draw(cells: dict[tuple[str, str], Cell], policies: Sequence[str], scenes: Sequence[str]) -> Figure:
    """A panel for each scene, a bar with its 95 % Wilson interval for each policy."""
    figure = Figure(figsize=(2.3 * len(scenes) + 1.6, 0.34 * len(policies) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(scenes), sharey=True, squeeze=False)[0]
    for panel, scene in zip(panels, scenes, strict=True):
        rates = [100 * cells[p, scene]["rate"] for p in policies]
        lows = [100 * cells[p, scene]["wilson_low"] for p in policies]
        highs = [100 * cells[p, scene]["wilson_high"] for p in policies]
        errors = [
            [r - low for r, low in zip(rates, lows, strict=True)],
            [h - r for r, h in zip(rates, highs, strict=True)],
        ]
        colors = ["#9aa5b1" if p.startswith("expert") else "#2f7ed8" for p in policies]
        panel.barh(range(len(policies)), rates, color=colors, height=0.65)
        panel.errorbar(rates, range(len(policies)), xerr=errors, fmt="none", ecolor="#22303c", elinewidth=1, capsize=2)
        panel.set(title=scene, xlim=(0, 100), xlabel="grasps held, %", yticks=range(len(policies)))
        panel.set_yticklabels([Path(p).stem for p in policies])
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    return figure


if __name__ == "__main__":
    tyro.cli(main)
