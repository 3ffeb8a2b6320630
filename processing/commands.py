"""The verb ``wildgrasp process``."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from processing.accuracy import accuracy_table
from processing.overview import overview_table, write_overview
from processing.pipeline import ProcessConfig, ProcessReport
from processing.scale.bar import ProgressView
from processing.scale.local_pool import LocalPool
from processing.scale.pool import Pool
from processing.scale.scheduler import process_all
from processing.scale.tasks import Task, default_scratch, do_task, find_tasks

_DEFAULT = ProcessConfig()


def process(
    sessions: Annotated[list[str], tyro.conf.Positional],
    out: str | None = None,
    workers: int = 1,
    ray: str | None = None,
    scratch: Path | None = None,
    table: Path | None = None,
    json: Path | None = None,
    config: Annotated[ProcessConfig, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands] = _DEFAULT,
) -> int:
    """Give sessions their trajectories, attempts and masks, and a report page each; and one page over all of them.

    A folder of sessions stands for all of them, and so does an S3 prefix (s3://bucket/prefix). What was processed
    before is not done again: after Ctrl-C, the same command goes on.

    Args:
        sessions: Session folders, folders that hold sessions, or S3 prefixes of either.
        out: Put the results there (a folder or an S3 prefix), the recordings beside them. Default: where the sessions
            are.
        workers: Sessions processed side by side on this machine; one core each.
        ray: Process on the Ray cluster at this address (host:port) instead of on this machine.
        scratch: Folder for sessions that are fetched from S3; on a cluster, of every node. Default: in the system's
            folder for temporary files.
        table: File for the page over all sessions. Default: processed.html beside them.
        json: Write what was found to this file.
        config: Everything that can be set; changing it re-runs what depends on it.

    Returns 0, or 2 when sessions were set aside.
    """
    console = Console()
    tasks = find_tasks(sessions, out)
    reports: list[ProcessReport] = []
    set_aside: dict[str, str] = {}
    died = 0
    pool = _pool(workers, ray, config, scratch or default_scratch())
    with ProgressView(tasks, console) as view:
        for update in process_all(tasks, pool):
            view.show(update)
            if update.report is not None:
                reports.append(update.report)
            elif update.kind == "set aside":
                set_aside[update.task.target] = update.reason
            died += update.kind == "again"
    reports.sort(key=lambda r: r.path)
    _print_results(console, reports, set_aside)
    page = write_overview(_overview_place(tasks, table), reports, set_aside)
    console.print(f"All sessions: {page}", markup=False, soft_wrap=True)
    if json is not None:
        found = {"sessions": [r.as_json() for r in reports], "set_aside": set_aside, "tasks_retried": died}
        json.write_text(json_format.dumps(found, indent=2) + "\n")
    return 2 if set_aside else 0


def _pool(workers: int, ray: str | None, config: ProcessConfig, scratch: Path) -> Pool:
    if ray is None:
        return LocalPool(workers, do_task, config, scratch)
    from processing.scale.ray_pool import RayPool

    return RayPool(ray, do_task, config, scratch)


def _overview_place(tasks: list[Task], table: Path | None) -> str:
    """Beside the first session."""
    parent = tasks[0].target.rstrip("/").rpartition("/")[0] or "."
    return f"{parent}/processed.html" if table is None else str(table)


def _print_results(console: Console, reports: list[ProcessReport], set_aside: dict[str, str]) -> None:
    if reports:
        console.print(overview_table(reports))
    measured = {Path(r.path).name: r.accuracy for r in reports if r.accuracy is not None}
    if measured:
        console.print(accuracy_table(measured))
    for path, reason in set_aside.items():
        console.print(f"Set aside: {path}: {reason}", markup=False, style="red")
