"""The simulated board against the host's real clock, for programs that open its pty."""

from __future__ import annotations

import threading

from digital_twin.avr.board import Board
from wildgrasp.clocks import Clock, MonotonicClock

STEP_NS = 1_000_000
GIVE_UP_NS = 500_000_000  # further behind than this, time is let go instead of being caught up


class RealTimeBoard:
    """Runs a board in a thread so that its time follows the clock. Use as a context manager.

    The board belongs to the thread: press its button through :meth:`set_button`. When the computer is too busy, the
    board falls behind and catches up; after half a second it skips ahead instead (``skipped_ns``).
    """

    def __init__(self, board: Board, clock: Clock | None = None) -> None:
        self._board = board
        self._clock = clock if clock is not None else MonotonicClock()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-board", daemon=True)
        self.skipped_ns = 0

    def __enter__(self) -> RealTimeBoard:
        self._ahead_ns = self._board.now_ns - self._clock.now_ns()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def set_button(self, pressed: bool, bounce_ns: tuple[int, ...] = ()) -> int:
        """Press or let go now; the host's time of it."""
        with self._lock:
            self._board.set_button(pressed, bounce_ns)
            return self._board.now_ns - self._ahead_ns

    def _run(self) -> None:
        while not self._stopping.is_set():
            target = self._clock.now_ns() + self._ahead_ns
            behind = target - self._board.now_ns
            if behind > GIVE_UP_NS:
                self._ahead_ns -= behind
                self.skipped_ns += behind
                continue
            if behind < STEP_NS:
                self._clock.sleep_until_ns(self._clock.now_ns() + STEP_NS - behind)
                continue
            with self._lock:
                self._board.run_until(self._board.now_ns + STEP_NS)
