"""Fusing at camera rate beside the policy's step: a thread of its own that takes what the camera delivers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class AsyncFusion:
    """Hands observations to ``observe`` (a policy's, or a scene's ``integrate``) on a background thread, in order.

    ``submit`` never waits: when ``capacity`` observations are waiting already, the oldest of them is dropped and
    counted, since a newer one shows the scene better. ``observe`` must be safe to call beside the step, as
    ``SceneObserver`` is: a step then waits for one fusion at most, and fusion for one rendering.
    """

    def __init__(self, observe: Callable[..., Any], capacity: int = 3) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity}.")
        self.fused = 0
        self.dropped = 0
        self._observe = observe
        self._capacity = capacity
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._busy = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="fusion", daemon=True)
        self._thread.start()

    def submit(self, *observation: Any) -> None:
        """Queue the arguments of one ``observe`` call. The arrays must not be written to afterwards.

        Raises what an earlier observation raised, and ValueError after ``close``.
        """
        with self._changed:
            self._raise_error()
            if self._closed:
                raise ValueError("This fusion has been closed.")
            if len(self._waiting) == self._capacity:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(observation)
            self._changed.notify_all()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until everything submitted so far is fused; False when that takes longer than ``timeout_s``.

        Raises what an observation raised.
        """
        with self._changed:
            idle = self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)
            self._raise_error()
            return idle

    def clear(self) -> None:
        """Drop what is waiting, uncounted, and wait for the fusion under way: before the scene is reset."""
        with self._changed:
            self._waiting.clear()
        self.flush()

    def close(self) -> None:
        """Fuse what is waiting and end the thread. Raises what an observation raised."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                observation = self._waiting.popleft()
                self._busy = True
            error = None
            try:
                self._observe(*observation)
            except Exception as raised:  # handed to the caller's thread
                error = raised
            with self._changed:
                self._busy = False
                self.fused += error is None
                self._error = self._error or error
                self._changed.notify_all()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error
