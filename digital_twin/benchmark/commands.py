"""The verb ``wildgrasp evaluate``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

from digital_twin.benchmark.evaluation import EvaluationPlan, evaluate_plan
from digital_twin.benchmark.filmstrips import film, worth_a_look
from digital_twin.benchmark.page import write_page
from digital_twin.benchmark.results import Evaluation
from digital_twin.mesh_reports import read_meshes, report_meshes
from digital_twin.world.cell_piles import PileSettings, SceneName
from digital_twin.world.cell_reality import Aspect, Difficulty
from digital_twin.world.objects import Family

EPISODES: dict[SceneName, int] = {"tabletop": 20, "bin": 20, "wall": 10, "random": 20, "dynamic": 10}


def evaluate(
    policy: str = "heuristic",
    weights: Path | None = None,
    scene: SceneName = "tabletop",
    episodes: int | None = None,
    seed: int = 0,
    difficulty: Difficulty = "nominal",
    without: tuple[Aspect, ...] = (),
    family: Family = "test",
    objects: Path | None = None,
    scale: float = 1.0,
    workers: int = 0,
    ray: str | None = None,
    save: Path | None = None,
    page: Path | None = None,
    films: int = 4,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> int:
    """Success rate of a policy in closed-loop episodes of the simulated robot cell.

    Args:
        policy: a baseline's name, "expert" (privileged, an upper bound) or a checkpoint file.
        weights: of "ggcnn" or "vgn", a file instead of the weights that come along; see docs/baselines.md.
        scene: where the objects lie.
        episodes: how many, each in a fresh scene; as in the paper 20, of wall 10. With dynamic an episode is a pile
            of ten that is cleared away in many attempts; 10 of them.
        seed: the same seed gives every policy the same scenes.
        difficulty: how far the rig is from its ideal: noise, latency, hand-eye error, friction.
        without: aspects of that which are ideal all the same, to see what each costs.
        family: the family of objects: "test" was never seen in training.
        objects: a folder of .obj, .stl or .ply meshes in metres, instead of the family.
        scale: metres per unit of those meshes.
        workers: processes; 0 means one per core.
        ray: the address of a Ray cluster to run the episodes on, as in `wildgrasp process --ray`. Its nodes have this
            version, and find checkpoint and meshes under the same paths.
        save: record each scene as a session in this folder, as a robot's run would; with ray, a folder that all nodes
            share.
        page: write an HTML page here, with filmstrips of failures and successes.
        films: how many of each.
        json_file: write all rows here; an interrupted run with the same settings goes on from there.
    """
    pile = PileSettings(family=family, meshes=objects, mesh_scale=scale)
    episodes = EPISODES[scene] if episodes is None else episodes
    plan = EvaluationPlan(scene, policy, episodes, seed, difficulty, without, pile, weights)
    partial = None if json_file is None else json_file.with_suffix(".partial.jsonl")
    console = Console()
    if objects is not None:
        report_meshes(read_meshes(objects, scale, console), console)
    with Progress(console=console) as progress:
        task = progress.add_task(f"{policy} in {scene}", total=episodes)
        evaluation = evaluate_plan(
            plan, workers or os.cpu_count() or 1, partial, lambda rows: progress.advance(task), save, ray
        )
    show(evaluation, console)
    if json_file is not None:
        json_file.write_text(json.dumps(evaluation.to_json(), indent=1, default=str))
    if page is not None:
        trials = plan.trials()
        chosen = worth_a_look(evaluation, films)
        shown = [
            film(trials[row.number], policy, row.attempt, weights)
            for row in track(chosen, "filming", console=console, transient=True)
        ]
        console.print(f"Open {write_page(page, evaluation, shown)}")
    return 0


def show(evaluation: Evaluation, console: Console) -> None:
    """The summary as tables."""
    result = evaluation.to_json()
    console.print(
        f"{evaluation.policy} in {evaluation.scene}: {result['successes']} of {result['attempts']} grasps, "
        f"{100 * result['rate']:.0f} % [{100 * result['wilson_low']:.0f}–{100 * result['wilson_high']:.0f}]"
    )
    failures = Table("failure", "episodes")
    for reason, count in evaluation.reasons().most_common():
        failures.add_row(reason, str(count))
    if failures.row_count:
        console.print(failures)
    objects = Table("object", "attempts", "grasped")
    for name, (attempts, successes) in evaluation.per_object().items():
        objects.add_row(name, str(attempts), str(successes))
    console.print(objects)
    if evaluation.disagreements:
        numbers = ", ".join(str(row.number) for row in evaluation.disagreements)
        console.print(f"Finger width and truth disagree in episodes {numbers}.")
    for stage, value in evaluation.mean_ms().items():
        console.print(f"{stage}: {value:.1f} ms per step")
    console.print(f"{evaluation.per_hour_and_core:.0f} attempts per hour and core")
