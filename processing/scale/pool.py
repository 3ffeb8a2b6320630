"""What runs tasks: processes of this machine (local_pool.py) or a Ray cluster (ray_pool.py)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from wildgrasp.errors import UserError


class Task(Protocol):
    """Something to do that a pool can be given: hashable, and picklable, since another process does it."""

    @property
    def bytes(self) -> int:
        """How much there is to do, against other tasks; alike for all unless it says otherwise."""
        return 0


@dataclass(frozen=True)
class News:
    """What a pool tells of a task.

    progress: it goes on. done: here is its report. failed: it cannot be done, and trying again would not help.
    died: its process or node went away; it may be innocent.
    """

    task: Task
    kind: Literal["progress", "done", "failed", "died"]
    step: str = ""
    fraction: float = 0.0  # of the step
    report: Any = None
    reason: str = ""


class Pool(Protocol):
    def free(self) -> int:
        """How many tasks may be started now."""
        ...

    def start(self, task: Task) -> None: ...

    def wait(self) -> list[News]:
        """Block until a running task has something to tell."""
        ...

    def close(self) -> None:
        """End what runs. What it had finished is kept in its session."""
        ...


def news_of(task: Task, do: Callable[[Any], Any], send: Callable[[News], None] = lambda news: None) -> News:
    """What came of ``do(task)``; whatever happens becomes news. A pool can be given it for tasks that have nothing to
    tell, by ``send``, until they are done: ``LocalPool(workers, news_of, do)``."""
    try:
        return News(task, "done", report=do(task))
    except UserError as error:
        return News(task, "failed", reason=str(error))
    except Exception:
        return News(task, "failed", reason=f"a bug:\n{traceback.format_exc()}")
