"""From a device's time stamps to the host's monotonic clock."""

from __future__ import annotations

from collections import deque

WINDOW_NS = 10_000_000_000  # long enough to meet a fast transfer, short enough to follow the drift of a crystal
JUMP_NS = 500_000_000  # a disagreement like this means that the device's clock was set anew


class DeviceClock:
    """Times of frames on the host's clock, without the jitter of their transfer.

    A transfer can only be late, so the smallest difference (arrival − stamp) of the last seconds is nearest to the
    true offset of the clocks. Times never go backwards, also when the device starts anew.
    """

    def __init__(self) -> None:
        # (arrival, difference) with rising differences: the minimum over the window stands first.
        self._differences: deque[tuple[int, int]] = deque()
        self._last_ns: int | None = None

    def host_ns(self, t_device_ns: int, t_arrival_ns: int) -> int:
        """Host time of a frame that was stamped ``t_device_ns`` and arrived at ``t_arrival_ns``; at most the latter,
        unless that would go backwards."""
        difference = t_arrival_ns - t_device_ns
        kept = self._differences
        if kept and abs(difference - kept[0][1]) > JUMP_NS:
            kept.clear()
        while kept and kept[-1][1] >= difference:
            kept.pop()
        kept.append((t_arrival_ns, difference))
        while kept[0][0] < t_arrival_ns - WINDOW_NS:
            kept.popleft()
        t_ns = t_device_ns + kept[0][1]
        if self._last_ns is not None and t_ns <= self._last_ns:
            t_ns = self._last_ns + 1
        self._last_ns = t_ns
        return t_ns
