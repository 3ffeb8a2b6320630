"""Pictures of an episode: a seed decides everything, so whichever is worth a look is simply run again and filmed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.results import EpisodeRow, Evaluation
from digital_twin.benchmark.trials import Trial, run_trial
from digital_twin.world.cell_scene import T_WORLD_BASE
from digital_twin.world.cell_view import OutsideView
from digital_twin.world.robot_cell import RobotCell
from robot_runner.episode_types import EpisodeEvent, State

LOOKS = 4  # pictures of the approach
_CAPTIONS = {State.CLOSE: "at the grasp", State.LIFT: "closed", State.CHECK: "lifted", State.END: "at the end"}


@dataclass(frozen=True)
class Shot:
    """One moment: the whole cell from outside [H, W, 3], and what matters: the wrist camera's picture during the
    approach, then the fingers from beside."""

    caption: str
    outside: NDArray[np.uint8]
    near: NDArray[np.uint8]


@dataclass(frozen=True)
class Film:
    row: EpisodeRow
    shots: tuple[Shot, ...]


def worth_a_look(evaluation: Evaluation, most: int) -> list[EpisodeRow]:
    """Up to ``most`` failures, one of each kind of reason first, and as many successes, from all over the run."""
    failures: list[EpisodeRow] = []
    rest: list[EpisodeRow] = []
    for row in (row for row in evaluation.rows if not row.truth):
        new = row.reason not in {seen.reason for seen in failures}
        (failures if new else rest).append(row)
    successes = [row for row in evaluation.rows if row.truth]
    spread = (
        [successes[k] for k in np.unique(np.linspace(0, len(successes) - 1, most).astype(int))] if successes else []
    )
    return (failures + rest)[:most] + spread[:most]


def film(trial: Trial, policy: str, attempt: int = 0, weights: Path | None = None) -> Film:
    """Run a trial once more and take pictures of one of its attempts."""
    crew: list[_Crew] = []

    def watch(cell: RobotCell) -> _Crew:
        crew.append(_Crew(cell, attempt))
        return crew[-1]

    rows = run_trial(trial, policy_maker(policy, weights), watch)
    crew[0].close()
    return Film(rows[attempt], crew[0].shots())


def _spread(items: list, most: int) -> list:
    """At most ``most`` of them, evenly from the first to the last."""
    return [items[k] for k in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))]


@dataclass
class _Crew:
    """Follows one attempt. Until it ends nobody knows how many looks it takes, so all of them are kept."""

    cell: RobotCell
    attempt: int
    _looks: list[Shot] = field(default_factory=list)
    _end: list[Shot] = field(default_factory=list)
    _started: int = 0

    def __post_init__(self) -> None:
        wall = self.cell.settings.scene == "wall"
        self._view = OutsideView(self.cell.model, azimuth_deg=75.0 if wall else 135.0)

    def __call__(self, event: EpisodeEvent) -> None:
        self._started += event.state is State.START
        if self._started != self.attempt + 1:
            return
        if "frame" in event.detail:
            self._looks.append(self._shot(f"look {len(self._looks) + 1}", event.detail["frame"].color))
        elif event.state in _CAPTIONS and self._looks:
            self._end.append(self._shot(_CAPTIONS[event.state], self._fingers()))

    def shots(self) -> tuple[Shot, ...]:
        closed = [shot for shot in self._end if shot.caption != _CAPTIONS[State.END]]
        return tuple(_spread(self._looks, LOOKS) + (closed or self._end))

    def close(self) -> None:
        self._view.close()

    def _shot(self, caption: str, near: NDArray[np.uint8]) -> Shot:
        return Shot(caption, self._view.render(self.cell.data), near)

    def _fingers(self) -> NDArray[np.uint8]:
        """Both fingers, with what is between them."""
        T_world_fingertip = T_WORLD_BASE @ self.cell.T_base_fingertip()
        return self._view.render_near(self.cell.data, T_world_fingertip[:3, 3], T_world_fingertip[:3, 1])
