"""What an evaluation reports: one row per episode, success with its confidence interval, and where the failures lie."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any


@dataclass(frozen=True)
class EpisodeRow:
    """One closed-loop grasp.

    ``success`` is the paper's measure (the fingers hold something after the lift); ``truth`` is the simulation's (an
    object hangs between the pads, clear of everything else). They may disagree, and then both are worth a look.
    """

    seed: int
    number: int  # within the run of this seed
    object: str  # lifted, or the nearest to the fingers at the end; empty when the scene holds none
    steps: int
    outcome: str
    reason: str
    success: bool
    truth: bool
    width_m: float
    seconds: float  # of the robot's time, from the start pose to the end of the lift
    wall_seconds: float  # that it took to simulate
    ms: dict[str, float] = field(default_factory=dict)  # per step and stage; ``processor``: of all stages together
    reality: dict[str, Any] = field(default_factory=dict)  # how far this cell was from its ideal
    attempt: int = 0  # within the scene: more than one with ``dynamic``

    def __post_init__(self) -> None:
        if not all(isinstance(value, bool) for value in (self.success, self.truth)):
            raise TypeError("success and truth are bool")


@dataclass(frozen=True)
class Evaluation:
    """All episodes of one policy in one scene."""

    scene: str
    policy: str
    rows: tuple[EpisodeRow, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        return len(self.rows)

    @property
    def successes(self) -> int:
        """Episodes that the simulation's truth calls a success."""
        return sum(row.truth for row in self.rows)

    @property
    def disagreements(self) -> tuple[EpisodeRow, ...]:
        return tuple(row for row in self.rows if row.success != row.truth)

    def reasons(self) -> Counter[str]:
        """How often each kind of failure happened."""
        return Counter(row.reason for row in self.rows if not row.truth)

    def per_object(self) -> dict[str, tuple[int, int]]:
        """Attempts and successes by object."""
        attempts: Counter[str] = Counter()
        successes: Counter[str] = Counter()
        for row in self.rows:
            attempts[row.object] += 1
            successes[row.object] += row.truth
        return {name: (attempts[name], successes[name]) for name in sorted(attempts)}

    def mean_ms(self) -> dict[str, float]:
        """Milliseconds per step and stage, averaged over all steps of all episodes."""
        total: Counter[str] = Counter()
        steps = sum(row.steps for row in self.rows)
        for row in self.rows:
            for stage, value in row.ms.items():
                total[stage] += value * row.steps
        return {stage: value / max(steps, 1) for stage, value in sorted(total.items())}

    @property
    def per_hour_and_core(self) -> float:
        """Attempts that one core runs in an hour of its time; 0 when that was not measured."""
        processor_ms = self.mean_ms().get("processor", 0.0) * sum(row.steps for row in self.rows)
        return 3.6e6 * self.attempts / processor_ms if processor_ms else 0.0

    def to_json(self) -> dict[str, Any]:
        low, high = wilson_interval(self.successes, self.attempts)
        return {
            "scene": self.scene,
            "policy": self.policy,
            "attempts": self.attempts,
            "successes": self.successes,
            "rate": self.successes / self.attempts if self.attempts else 0.0,
            "wilson_low": low,
            "wilson_high": high,
            "disagreements": len(self.disagreements),
            "reasons": dict(self.reasons()),
            "per_object": {name: list(counts) for name, counts in self.per_object().items()},
            "ms_per_step": self.mean_ms(),
            "attempts_per_hour_per_core": self.per_hour_and_core,
            "settings": self.settings,
            "episodes": [asdict(row) for row in self.rows],
        }


def wilson_interval(successes: int, attempts: int, z: float = 1.96) -> tuple[float, float]:
    """95 % score interval of a rate (Wilson 1927): honest for small samples and near 0 and 1. (0, 1) for no sample."""
    if attempts == 0:
        return 0.0, 1.0
    rate = successes / attempts
    scale = 1 + z * z / attempts
    center = (rate + z * z / (2 * attempts)) / scale
    half = z * sqrt(rate * (1 - rate) / attempts + z * z / (4 * attempts**2)) / scale
    low = 0.0 if successes == 0 else center - half  # exact at the ends, where rounding would cross the rate
    high = 1.0 if successes == attempts else center + half
    return low, high
