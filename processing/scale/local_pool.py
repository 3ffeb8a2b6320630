"""Tasks on this machine: a few processes that live on, so that a session does not pay for starting one.

A session that crashes its process costs only itself: another process takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from processing.pipeline import ProcessConfig
from processing.scale.pool import News
from processing.scale.tasks import Task, run_task
from wildgrasp.errors import UserError
from wildgrasp.one_core import ONE_THREAD, environment

PROGRESS_EVERY_S = 0.2


class _Worker:
    """A process that does one task after another."""

    def __init__(self, config: ProcessConfig, scratch: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, config, scratch), daemon=True)
        with environment(ONE_THREAD):
            self.process.start()
        theirs.close()
        self.task: Task | None = None

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.connection.close()


class LocalPool:
    """Up to ``workers`` processes, one task at a time each."""

    def __init__(self, workers: int, config: ProcessConfig, scratch: Path) -> None:
        self._size, self._config, self._scratch = max(workers, 1), config, scratch
        self._workers: list[_Worker] = []

    def free(self) -> int:
        return self._size - sum(w.task is not None for w in self._workers)

    def start(self, task: Task) -> None:
        worker = next((w for w in self._workers if w.task is None), None)
        if worker is None:
            worker = _Worker(self._config, self._scratch)
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


def _work(connection: Connection, config: ProcessConfig, scratch: Path) -> None:
    """Do what is asked for until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task: Task = connection.recv()
            connection.send(do_task(task, config, scratch, connection.send))


def do_task(task: Task, config: ProcessConfig, scratch: Path, send=lambda news: None) -> News:
    """Do a task; whatever happens becomes news. ``send`` is told how it goes on, a few times a second."""
    told = 0.0

    def tell(step: str, fraction: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > PROGRESS_EVERY_S:
            told = now
            send(News(task, "progress", step, fraction))

    try:
        return News(task, "done", report=run_task(task, config, scratch, tell))
    except UserError as error:
        return News(task, "failed", reason=str(error))
    except Exception:
        return News(task, "failed", reason=f"a bug in processing:\n{traceback.format_exc()}")
