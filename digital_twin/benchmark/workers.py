"""Episodes in this process, in several, or on a Ray cluster: the same rows, only sooner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.results import EpisodeRow
from digital_twin.benchmark.trials import Trial, run_trial
from processing.scale.local_pool import LocalPool
from processing.scale.pool import Task, news_of
from processing.scale.scheduler import reports_of


@dataclass(frozen=True)
class Job(Task):
    """One scene for one policy; with ``session``, it is recorded there."""

    trial: Trial
    policy: str
    weights: Path | None = None
    session: Path | None = None

    def __str__(self) -> str:
        return f"Episode {self.trial.number} of seed {self.trial.seed}"


def run_job(job: Job) -> list[EpisodeRow]:
    return run_trial(job.trial, policy_maker(job.policy, job.weights), session=job.session)


def run_jobs(jobs: list[Job], workers: int, ray: str | None = None) -> Iterator[list[EpisodeRow]]:
    """The rows of each scene, in the order in which they are done.

    ``ray`` is the address of a cluster to run them on; without it, they run here. A scene whose process dies is run
    again. Raises UserError when the cluster cannot be joined, or when a scene could not be run in several tries.
    """
    if ray is not None:
        return _on_cluster(jobs, ray)
    if workers <= 1 or len(jobs) <= 1:
        return map(run_job, jobs)
    return reports_of(jobs, LocalPool(workers, news_of, run_job))


def _on_cluster(jobs: list[Job], address: str) -> Iterator[list[EpisodeRow]]:
    from processing.scale.ray_pool import RayPool

    return reports_of(jobs, RayPool(address, news_of, run_job))
