"""Work that would make the screen stutter: done on threads, its result handed back on the screen's own thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from wildgrasp.errors import UserError

log = logging.getLogger(__name__)


class Background(QObject):
    """A few threads. Make it on the screen's thread."""

    _finished = Signal(object)

    def __init__(self, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="background")
        self._pending: set[Future] = set()
        self._lock = threading.Lock()
        self._finished.connect(lambda call: call(), Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] = lambda _: None,
        failed: Callable[[UserError], None] = lambda _: None,
    ) -> None:
        """Do ``work`` on a thread, then call ``then`` with its result, or ``failed`` with the UserError that it raised,
        on this object's thread. Any other exception is a bug and is logged."""

        def finish(future: Future) -> None:
            with self._lock:
                self._pending.discard(future)
            error = future.exception()
            if error is None:
                self._finished.emit(lambda: then(future.result()))
            elif isinstance(error, UserError):
                self._finished.emit(lambda: failed(error))
            else:
                log.error("a job in the background failed", exc_info=error)
                self._finished.emit(lambda: failed(UserError(f"Something went wrong ({error}). Nothing was deleted.")))

        future = self._pool.submit(work)
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(finish)

    @property
    def busy(self) -> bool:
        with self._lock:
            return bool(self._pending)

    def close(self) -> None:
        """Wait for what was begun."""
        self._pool.shutdown(wait=True)
