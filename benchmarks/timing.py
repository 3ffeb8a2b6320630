"""Timing for benchmarks whose peers run in the same process: all take turns, so that a busy machine slows all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def median_ms(
    calls: Mapping[str, Callable[[], object]],
    rounds: int = 30,
    warm_up: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median milliseconds of each call; round by round, every call once."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(warm_up + rounds):
        for name, call in calls.items():
            started = clock()
            call()
            elapsed = clock() - started
            if n >= warm_up:
                times[name].append(1e3 * elapsed)
    return {name: statistics.median(values) for name, values in times.items()}
