"""Two workers against one: how much of the second core arrives, and whether killed tasks come back.

    python -m benchmarks.scale --takes 6 --json scale.json

Simulated takes are processed from nothing by one worker and by two, in turns, so that a busy machine slows both alike.
efficiency: serial time / (2 × time of two workers). The peer is the standard library's ProcessPoolExecutor with one
session a task, which loses everything when one of its processes is killed. The table also says where the time went:
seconds of CPU (more with two workers: they share memory bandwidth and caches) and idle seconds (start-up, imbalance).
On a machine that does other work, idle is mostly that other work. In a last run, workers are killed in the middle of
sessions; tasks_retried_after_kill counts those that were done all the same.
"""

from __future__ import annotations

import json as json_format
import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.twin_takes import takes
from processing.pipeline import ProcessConfig
from processing.scale.local_pool import LocalPool
from processing.scale.scheduler import process_all
from processing.scale.tasks import Task, do_task, find_tasks
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter


@dataclass(frozen=True)
class Run:
    wall_s: float
    cpu_s: float
    retried: int = 0


def main(
    takes_count: Annotated[int, tyro.conf.arg(name="takes")] = 6,
    picks: int = 1,
    rounds: int = 1,
    seed: int = 0,
    kills: int = 2,
    frames: int = 0,
    takes_folder: Path = Path("build/benchmark_takes"),
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write the figures.

    Args:
        takes_count: Simulated takes.
        picks: Attempts in each.
        rounds: How often each is measured; the fastest of each counts.
        seed: Of the takes.
        kills: Sessions whose worker is killed.
        frames: Only so many frames of each take, without its attempts; 0: all. For a machine that has other work.
        takes_folder: Where simulated takes are kept between runs.
        json: File for the figures.
    """
    recordings = [take.path for take in takes(takes_folder, takes_count, seed, picks)]
    console = Console()
    runs: dict[str, list[Run]] = {"1 worker": [], "2 workers": [], "ProcessPoolExecutor, 2": []}
    for _ in range(rounds):
        runs["1 worker"].append(_measure(recordings, frames, lambda tasks: _process(tasks, 1)))
        runs["2 workers"].append(_measure(recordings, frames, lambda tasks: _process(tasks, 2)))
        runs["ProcessPoolExecutor, 2"].append(_measure(recordings, frames, _executor))
        console.print(f"load average {os.getloadavg()[0]:.1f}", {name: found[-1] for name, found in runs.items()})
    best = {name: min(found, key=lambda run: run.wall_s) for name, found in runs.items()}
    serial = best["1 worker"].wall_s
    killed = _measure(recordings[: kills + 1], frames, lambda tasks: _process(tasks, 2, kills))
    figures = {
        "serial_s": serial,
        "workers_2_s": best["2 workers"].wall_s,
        "efficiency": serial / (2 * best["2 workers"].wall_s),
        "tasks_retried_after_kill": killed.retried,
    }
    table = Table(title=f"{len(recordings)} sessions, load average {os.getloadavg()[0]:.1f} at the end")
    for heading in ("", "wall s", "CPU s", "idle core s", "efficiency"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, run in best.items():
        cores = 1 if name == "1 worker" else 2
        idle = cores * run.wall_s - run.cpu_s
        efficiency = serial / (cores * run.wall_s)
        table.add_row(name, f"{run.wall_s:.1f}", f"{run.cpu_s:.1f}", f"{idle:.1f}", f"{efficiency:.2f}")
    console.print(table)
    console.print(f"{killed.retried} of {kills} tasks whose worker was killed were done all the same")
    if json is not None:
        json.write_text(json_format.dumps(figures, indent=2) + "\n")


def _measure(recordings: Sequence[Path], frames: int, run: Callable[[list[Task]], int]) -> Run:
    """Process copies that nobody processed before."""
    with TemporaryDirectory() as folder:
        for path in recordings:
            _copy(path, Path(folder) / path.name, frames)
        before, began = _children_cpu_s(), time.perf_counter()
        retried = run(find_tasks([folder]))
        return Run(time.perf_counter() - began, _children_cpu_s() - before, retried)


def _copy(path: Path, copy: Path, frames: int) -> None:
    """A take as it was recorded: whole, or its first frames alone."""
    if not frames:
        shutil.copytree(path, copy)
        with sqlite3.connect(copy / "index.sqlite") as index:
            for table in ("steps", "masks", "attempts"):
                index.execute(f"DELETE FROM {table}")
            index.execute("DELETE FROM poses WHERE source = 'tracking'")
        return
    with Session(path) as session, SessionWriter(copy, session.camera_info) as writer:
        for frame in session.frames(stop=min(frames, len(session))):
            writer.add_frame(frame)


def _process(tasks: list[Task], workers: int, kills: int = 0) -> int:
    """Number of tasks that were done though their worker was killed."""
    again: set[Task] = set()
    done = 0
    pool = LocalPool(workers, do_task, ProcessConfig(), Path("unused"))
    for update in process_all(tasks, pool):
        if update.kind == "progress" and len(again) < kills and update.task not in again:
            os.kill(pool.process_of(update.task), signal.SIGKILL)
            again.add(update.task)
        elif update.kind == "done":
            done += update.task in again
        elif update.kind == "set aside":
            raise RuntimeError(f"{update.task.source}: {update.reason}")
    return done


def _executor(tasks: list[Task]) -> int:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        news = [executor.submit(do_task, task, ProcessConfig(), Path("unused")) for task in tasks]
        failed = [n.result() for n in news if n.result().kind != "done"]
    if failed:
        raise RuntimeError(failed[0].reason)
    return 0


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    tyro.cli(main)
