"""Many episodes over several processes; one seed gives every policy the same scenes, with any number of workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from digital_twin.benchmark.results import EpisodeRow, Evaluation
from digital_twin.benchmark.trials import Trial
from digital_twin.benchmark.workers import Job, run_jobs
from digital_twin.world.cell_piles import PileSettings, SceneName
from digital_twin.world.cell_reality import Aspect, Difficulty


@dataclass(frozen=True)
class EvaluationPlan:
    """What is to be measured."""

    scene: SceneName = "tabletop"
    policy: str = "heuristic"
    episodes: int = 20
    seed: int = 0
    difficulty: Difficulty = "nominal"
    without: tuple[Aspect, ...] = ()
    pile: PileSettings = field(default_factory=PileSettings)
    weights: Path | None = None  # of a learned baseline, instead of its own

    def trials(self) -> list[Trial]:
        return [Trial(self.seed, n, self.scene, self.difficulty, self.without, self.pile) for n in range(self.episodes)]


def evaluate_plan(
    plan: EvaluationPlan,
    workers: int = 1,
    partial: Path | None = None,
    on_rows: Callable[[list[EpisodeRow]], None] = lambda rows: None,
    save: Path | None = None,
    ray: str | None = None,
) -> Evaluation:
    """Run all episodes of a plan; with ``dynamic`` an episode is a pile, with a row for every attempt at it.

    ``partial`` keeps the rows as they come in; when it exists already and belongs to the same plan, what it holds is
    not run again. It is removed when all is done. ``save`` is the folder for a session of every scene; ``ray`` the
    address of a cluster to run on, in place of ``workers`` processes here.
    """
    rows = {} if partial is None else _read_partial(partial, plan)
    for some in rows.values():
        on_rows(some)
    trials = [trial for trial in plan.trials() if trial.number not in rows]
    todo = [Job(trial, plan.policy, plan.weights, save and save / f"episode-{trial.number:04d}") for trial in trials]
    with _PartialFile(partial, plan, rows) as kept:
        for some in run_jobs(todo, workers, ray):
            rows[some[0].number] = some
            kept.add(some)
            on_rows(some)
    if partial is not None:
        partial.unlink(missing_ok=True)
    ordered = tuple(row for number in sorted(rows) for row in rows[number])
    return Evaluation(plan.scene, plan.policy, ordered, asdict(plan))


class _PartialFile:
    """One JSON line with the plan, then one with the rows of each scene."""

    def __init__(self, path: Path | None, plan: EvaluationPlan, rows: dict[int, list[EpisodeRow]]) -> None:
        self._path, self._plan, self._rows = path, plan, rows

    def __enter__(self) -> _PartialFile:
        if self._path is not None:
            self._file = self._path.open("w")
            self._write(_plan_key(self._plan))
            for some in self._rows.values():
                self.add(some)
        return self

    def add(self, rows: list[EpisodeRow]) -> None:
        if self._path is not None:
            self._write([asdict(row) for row in rows])

    def _write(self, value: Any) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            self._file.close()


def _read_partial(path: Path, plan: EvaluationPlan) -> dict[int, list[EpisodeRow]]:
    if not path.exists():
        return {}
    lines = path.read_text().splitlines()
    try:
        header, *scenes = [json.loads(line) for line in lines if line.endswith(("}", "}]"))]
    except ValueError:
        return {}
    if header != _plan_key(plan):
        return {}
    rows = [[EpisodeRow(**row) for row in scene] for scene in scenes]
    return {some[0].number: some for some in rows if some[0].number < plan.episodes}


def _plan_key(plan: EvaluationPlan) -> dict[str, Any]:
    """The plan as it reads back from JSON, without the number of episodes, which may grow."""
    key = json.loads(json.dumps(asdict(plan), default=str))
    del key["episodes"]
    return key
