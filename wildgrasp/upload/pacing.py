"""How fast and how often: the bandwidth limit, and the waiting between attempts."""

from __future__ import annotations

import random
import threading

from wildgrasp.clocks import Clock

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
SLICE_NS = 250_000_000  # how late a stop may be seen while waiting


class Pacer:
    """Spreads bytes evenly over time. ``limit_mbps`` in Mbit/s; 0: as fast as it goes."""

    def __init__(self, limit_mbps: float, clock: Clock) -> None:
        self._ns_per_byte = 8e3 / limit_mbps if limit_mbps > 0 else 0.0
        self._clock = clock
        self._free_ns = 0

    def pass_bytes(self, amount: int) -> None:
        """Return when these bytes may leave."""
        now = self._clock.now_ns()
        start = max(self._free_ns, now)
        self._free_ns = start + round(amount * self._ns_per_byte)
        if start > now:
            self._clock.sleep_until_ns(start)


class Backoff:
    """Waits longer after each failure, by chance shorter, so that devices do not come back all at once."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._failures = 0
        self._since_ns: int | None = None

    def succeeded(self) -> None:
        self._failures, self._since_ns = 0, None

    def failed(self) -> float:
        """Seconds to wait before the next attempt."""
        if self._since_ns is None:
            self._since_ns = self._clock.now_ns()
        self._failures += 1
        longest = min(FIRST_DELAY_S * 2.0 ** min(self._failures - 1, 30), LONGEST_DELAY_S)
        return longest * self._rng.uniform(0.5, 1.0)

    @property
    def failing_s(self) -> float:
        """Seconds since the first failure after the last success."""
        return 0.0 if self._since_ns is None else (self._clock.now_ns() - self._since_ns) * 1e-9

    def wait(self, seconds: float, stop: threading.Event) -> None:
        end = self._clock.now_ns() + round(seconds * 1e9)
        while not stop.is_set() and (now := self._clock.now_ns()) < end:
            self._clock.sleep_until_ns(min(end, now + SLICE_NS))
