"""Episodes in this process, in several, or on a Ray cluster: the same rows, only sooner."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.results import EpisodeRow
from digital_twin.benchmark.trials import Trial, run_trial
from processing.scale.pool import News
from processing.scale.scheduler import process_all
from wildgrasp.errors import UserError
from wildgrasp.one_core import ONE_THREAD, environment


@dataclass(frozen=True)
class Job:
    """One scene for one policy; with ``session``, it is recorded there."""

    trial: Trial
    policy: str
    weights: Path | None = None
    session: Path | None = None

    @property
    def bytes(self) -> int:
        """How much there is to do: alike for all."""
        return 0


def run_job(job: Job) -> list[EpisodeRow]:
    return run_trial(job.trial, policy_maker(job.policy, job.weights), session=job.session)


def run_jobs(jobs: list[Job], workers: int, ray: str | None = None) -> Iterator[list[EpisodeRow]]:
    """The rows of each scene, in the order in which they are done.

    ``ray`` is the address of a cluster to run them on; without it, they run here. Raises UserError when the cluster
    cannot be joined, or when a scene could not be run there.
    """
    if ray is not None:
        return _on_cluster(jobs, ray)
    if workers <= 1 or len(jobs) <= 1:
        return map(run_job, jobs)
    return _in_processes(jobs, workers)


def _in_processes(jobs: list[Job], workers: int) -> Iterator[list[EpisodeRow]]:
    with environment(ONE_THREAD), multiprocessing.get_context("spawn").Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap_unordered(run_job, jobs)


def _on_cluster(jobs: list[Job], address: str) -> Iterator[list[EpisodeRow]]:
    from processing.scale.ray_pool import RayPool

    for update in process_all(jobs, RayPool(address, _do_job)):
        if update.kind == "set aside":
            raise UserError(f"Episode {update.task.trial.number} could not be run on the cluster: {update.reason}")
        if update.kind == "done":
            yield update.report


def _do_job(job: Job) -> News:
    try:
        return News(job, "done", report=run_job(job))
    except UserError as error:
        return News(job, "failed", reason=str(error))
