"""Clocks: the host's monotonic clock, and a virtual one, so that tests and the twin run deterministically and fast."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time in integer nanoseconds; sleeping is a method, so that virtual time can pass without waiting."""

    def now_ns(self) -> int: ...

    def sleep_until_ns(self, t_ns: int) -> None: ...


class MonotonicClock:
    """The host's monotonic clock: never jumps when somebody sets the wall clock."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until_ns(self, t_ns: int) -> None:
        delay = (t_ns - time.monotonic_ns()) * 1e-9
        if delay > 0:
            time.sleep(delay)


class VirtualClock:
    """Time that passes only when told to."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def sleep_until_ns(self, t_ns: int) -> None:
        self._now_ns = max(self._now_ns, t_ns)
