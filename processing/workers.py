"""Many sessions side by side, one process each: a session that crashes its process costs only itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from processing.pipeline import ProcessConfig, ProcessReport, process_session
from wildgrasp.errors import UserError

PROGRESS_EVERY_S = 0.2


@dataclass(frozen=True)
class Update:
    """News of one session: it goes on, is done, or was set aside with a reason."""

    path: Path
    kind: Literal["progress", "done", "set aside"]
    step: str = ""
    fraction: float = 0.0  # of the step
    report: ProcessReport | None = None
    reason: str = ""


def process_all(paths: Sequence[Path], config: ProcessConfig | None = None, workers: int = 1) -> Iterator[Update]:
    """Process sessions with up to ``workers`` processes at a time; yields news as it comes.

    A session that cannot be processed, and one whose process dies, is set aside with its reason; the others go on.
    When the caller stops iterating (Ctrl-C), the running processes are ended; what they had finished is kept.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(paths)
    running: dict[Connection, tuple[Path, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max(workers, 1):
                path = waiting.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(path, config, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = (path, process)
            for receiver in wait(list(running)):
                path, process = running[receiver]
                update = _receive(receiver, path, process)
                if update.kind != "progress":
                    del running[receiver]
                    receiver.close()
                    process.join()
                yield update
    finally:
        for path_process in running.values():
            path_process[1].terminate()
        for receiver, (_, process) in running.items():
            process.join()
            receiver.close()


def _receive(receiver: Connection, path: Path, process: BaseProcess) -> Update:
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        reason = f"its process {how}; what it had finished is kept. Process it again, perhaps with fewer workers."
        return Update(path, "set aside", reason=reason)


def _work(path: Path, config: ProcessConfig | None, sender: Connection) -> None:
    """Process one session in a process of its own and tell about it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    told = 0.0

    def tell(step: str, fraction: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > PROGRESS_EVERY_S:
            told = now
            sender.send(Update(path, "progress", step, fraction))

    with contextlib.suppress(BrokenPipeError):
        try:
            sender.send(Update(path, "done", report=process_session(path, config, tell)))
        except UserError as error:
            sender.send(Update(path, "set aside", reason=str(error)))
        except Exception:
            sender.send(Update(path, "set aside", reason=f"a bug in processing:\n{traceback.format_exc()}"))
        finally:
            sender.close()
