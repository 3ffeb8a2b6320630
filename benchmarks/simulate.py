"""How fast do simulated people record, how many of the grasps they try really hold, and how fast is the bench?

Whole takes, one in each kind of scene: planning, physics, firmware in the AVR simulator, camera with noise, recording.
Then closed-loop episodes of the robot, from scene to verdict. Counted per second of one core's time, so that other work
on the machine matters little; at 30 frames per second unless told otherwise.

    python -m benchmarks.simulate --json simulate.json
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from digital_twin.benchmark.evaluation import EvaluationPlan, evaluate_plan
from digital_twin.demonstrator.grasps import GraspPlanner
from digital_twin.demonstrator.handheld import HandheldWorld
from digital_twin.demonstrator.simulate import SimulateConfig, record_takes, take_config
from digital_twin.demonstrator.take import TakeSummary
from digital_twin.world.homes import HOMES

JsonFile = Annotated[Path | None, tyro.conf.arg(name="json")]


@dataclass(frozen=True)
class Figures:
    """What the benchmark reports."""

    attempts_per_hour_per_core: float
    verified_fraction: float  # of candidate grasps that hold when they are tried
    evaluate_episodes_per_hour: float  # of the ``heuristic`` baseline on tabletop, per core


def verified_fraction(config: SimulateConfig, takes: Sequence[int]) -> float:
    """Share of collision-free antipodal candidates that physics lets lift the object."""
    tried = held = 0
    for take in takes:
        performance = take_config(config, take).performance
        planner = GraspPlanner(HandheldWorld(performance.seed, performance.handheld), performance.seed)
        for index in planner.within_reach():
            planner.find(index, wanted=3)
        tried, held = tried + planner.tried, held + planner.held
    return held / max(1, tried)


def episodes_per_hour(episodes: int, seed: int) -> float:
    evaluate_plan(EvaluationPlan(episodes=1, seed=seed + 1))  # compiles what is compiled once
    began = time.process_time()
    rows = evaluate_plan(EvaluationPlan(episodes=episodes, seed=seed)).rows
    return 3600 * len(rows) / (time.process_time() - began)


def main(
    takes: int = len(HOMES),
    picks: int = 8,
    episodes: int = 5,
    fps: float = 30.0,
    seed: int = 0,
    json_file: JsonFile = None,
) -> None:
    """Measure and print.

    Args:
        takes: how many takes to record, in one scene after the other.
        picks: attempts in each.
        episodes: of the robot.
        fps: frames per second of the camera.
        seed: of everything random.
        json_file: where to write the figures as JSON.
    """
    config = SimulateConfig(picks=picks, fps=fps, seed=seed)
    table = Table("scene", "attempts", "held", "frames", "CPU s", "attempts per hour and core")
    attempts, spent = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for take in range(takes):
            began = time.process_time()
            (summary,) = record_takes(Path(folder), config, [take])
            seconds = time.process_time() - began
            attempts, spent = attempts + summary.attempts, spent + seconds
            table.add_row(*_row(config.scenes[take % len(config.scenes)], summary, seconds))
    figures = asdict(
        Figures(3600 * attempts / spent, verified_fraction(config, range(takes)), episodes_per_hour(episodes, seed))
    )
    console = Console()
    table.title = f"wildgrasp simulate, {fps:g} frames per second"
    console.print(table)
    for name, value in figures.items():
        console.print(f"{name}: {value:.3g}")
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2))


def _row(scene: str, take: TakeSummary, seconds: float) -> tuple[str, ...]:
    rate = 3600 * take.attempts / seconds
    return scene, str(take.attempts), str(take.held), str(take.frames), f"{seconds:.1f}", f"{rate:.0f}"


if __name__ == "__main__":
    tyro.cli(main)
