"""Many sessions through a pool: the longest first, a second chance for what died, poison set aside with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from processing.scale.pool import Pool, Task
from wildgrasp.errors import UserError

ATTEMPTS = 3  # a task whose process or node died so many times is poison


@dataclass(frozen=True)
class Update:
    """News of one session: it goes on, starts again after its process died, is done, or was set aside."""

    task: Task
    kind: Literal["progress", "again", "done", "set aside"]
    step: str = ""
    fraction: float = 0.0  # of the step
    report: Any = None
    reason: str = ""


def process_all(tasks: Sequence[Task], pool: Pool) -> Iterator[Update]:
    """Do all tasks; yields news as it comes, and closes the pool at the end, also when the caller stops (Ctrl-C).

    The largest tasks begin first, so that no single one is left over at the end. A task whose process or node died
    goes to the end of the queue; after ``ATTEMPTS`` deaths it is set aside, as is one that cannot be processed.
    """
    waiting = sorted(tasks, key=lambda task: task.bytes, reverse=True)
    running = 0
    deaths: dict[Task, int] = {}
    try:
        while waiting or running:
            while waiting and pool.free() > 0:
                pool.start(waiting.pop(0))
                running += 1
            for news in pool.wait():
                if news.kind == "progress":
                    yield Update(news.task, "progress", news.step, news.fraction)
                    continue
                running -= 1
                if news.kind == "done":
                    yield Update(news.task, "done", report=news.report)
                elif news.kind == "failed":
                    yield Update(news.task, "set aside", reason=news.reason)
                else:
                    deaths[news.task] = deaths.get(news.task, 0) + 1
                    if deaths[news.task] < ATTEMPTS:
                        waiting.append(news.task)
                        yield Update(news.task, "again", reason=news.reason)
                    else:
                        reason = f"it was tried {ATTEMPTS} times; at last {news.reason}. What it had finished is kept."
                        yield Update(news.task, "set aside", reason=reason)
    finally:
        pool.close()


def reports_of(tasks: Sequence[Task], pool: Pool) -> Iterator[Any]:
    """What came of all tasks, as it comes. Raises UserError, with the reason, when one of them had to be set aside."""
    for update in process_all(tasks, pool):
        if update.kind == "set aside":
            raise UserError(f"{update.task} could not be done: {update.reason}")
        if update.kind == "done":
            yield update.report
