"""How fast do simulated people record, and how many of the grasps they try really hold?

Whole takes: physics, firmware in the AVR simulator, camera with noise, recording. Counted per second of one core's
time, so that other work on the machine does not matter.

    python -m benchmarks.simulate --takes 3 --picks 6 --json simulate.json
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from digital_twin.demonstrator.grasps import GraspPlanner
from digital_twin.demonstrator.handheld import HandheldWorld
from digital_twin.demonstrator.simulate import SimulateConfig, record_takes, take_config

JsonFile = Annotated[Path | None, tyro.conf.arg(name="json")]


@dataclass(frozen=True)
class Figures:
    """What the benchmark reports."""

    attempts_per_hour_per_core: float
    verified_fraction: float  # of candidate grasps that hold when they are tried
    held_fraction: float  # of attempts of the simulated people
    seconds_per_attempt: float  # of virtual time


def measure(config: SimulateConfig) -> Figures:
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        takes = list(record_takes(Path(folder), config))
    spent = time.process_time() - began
    attempts = max(1, sum(take.attempts for take in takes))
    return Figures(
        attempts_per_hour_per_core=3600 * attempts / spent,
        verified_fraction=verified_fraction(config),
        held_fraction=sum(take.held for take in takes) / attempts,
        seconds_per_attempt=sum(take.seconds for take in takes) / attempts,
    )


def verified_fraction(config: SimulateConfig) -> float:
    tried = held = 0
    for take in range(config.takes):
        performance = take_config(config, take).performance
        planner = GraspPlanner(HandheldWorld(performance.seed, performance.handheld), performance.seed)
        for index in planner.within_reach():
            planner.find(index, wanted=3)
        tried, held = tried + planner.tried, held + planner.held
    return held / max(1, tried)


def main(
    takes: int = 3,
    picks: int = 6,
    fps: float = 30.0,
    seed: int = 0,
    json_file: JsonFile = None,
) -> None:
    """Measure and print.

    Args:
        takes: how many takes to record.
        picks: attempts in each.
        fps: frames per second of the camera.
        seed: of everything random.
        json_file: where to write the figures as JSON.
    """
    figures = asdict(measure(SimulateConfig(takes=takes, picks=picks, fps=fps, seed=seed)))
    table = Table("figure", "value", title=f"wildgrasp simulate, {fps:g} frames per second")
    for name, value in figures.items():
        table.add_row(name, f"{value:.3g}")
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
