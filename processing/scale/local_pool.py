"""Tasks on this machine: a few processes that live on, so that a task does not pay for starting one.

A task that crashes its process costs only itself: another process takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from processing.scale.pool import News, Task
from wildgrasp.one_core import ONE_THREAD, environment


class _Worker:
    """A process that does one task after another."""

    def __init__(self, do: Callable[..., News], shared: tuple[Any, ...], variables: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")  # an OpenGL context does not survive a fork
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, do, shared), daemon=True)
        with environment(variables):
            self.process.start()
        theirs.close()
        self.task: Task | None = None

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.connection.close()


class LocalPool:
    """Up to ``workers`` processes, one task at a time each.

    A process does ``do(task, *shared, send=…)``, which tells by its News what came of it, and by what it sends how it
    goes on. ``variables`` are those of its environment.
    """

    def __init__(
        self, workers: int, do: Callable[..., News], *shared: Any, variables: Mapping[str, str] = ONE_THREAD
    ) -> None:
        self._size, self._do, self._shared, self._variables = max(workers, 1), do, shared, variables
        self._workers: list[_Worker] = []

    def free(self) -> int:
        return self._size - sum(w.task is not None for w in self._workers)

    def start(self, task: Task) -> None:
        worker = next((w for w in self._workers if w.task is None), None)
        if worker is None:
            worker = _Worker(self._do, self._shared, self._variables)
            self._workers.append(worker)
        worker.task = task
        with contextlib.suppress(OSError):  # it died while idle: wait() tells
            worker.connection.send(task)

    def wait(self) -> list[News]:
        busy = {w.connection: w for w in self._workers if w.task is not None}
        return [self._receive(busy[connection]) for connection in wait(list(busy))]

    def process_of(self, task: Task) -> int | None:
        """Process id of the worker that does a task now."""
        return next((w.process.pid for w in self._workers if w.task == task), None)

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _receive(self, worker: _Worker) -> News:
        task = worker.task
        try:
            news: News = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            worker.end()
            return News(task, "died", reason=f"its process {_how_it_ended(worker.process.exitcode)}")
        if news.kind != "progress":
            worker.task = None
        return news


def _how_it_ended(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed (signal 9; perhaps the memory ran out: use fewer workers)"
    return f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"


def _work(connection: Connection, do: Callable[..., News], shared: tuple[Any, ...]) -> None:
    """Do what is asked for until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task: Task = connection.recv()
            connection.send(do(task, *shared, send=connection.send))
