"""The controller's time on the host's clock."""

from __future__ import annotations

from collections import deque


class ControllerClock:
    """Maps controller times to host times by the fastest of the recent packages: delays vary, but are never negative.

    The window forgets, so that a drifting or restarted controller's clock is followed.
    """

    def __init__(self, window: int) -> None:
        self._offsets: deque[int] = deque(maxlen=window)

    def received(self, controller_ns: int, host_ns: int) -> None:
        """A package stamped controller_ns has arrived at host_ns."""
        self._offsets.append(host_ns - controller_ns)

    def to_host_ns(self, controller_ns: int, now_ns: int) -> int:
        """Host time of a controller time; never later than now_ns."""
        return min(now_ns, controller_ns + min(self._offsets)) if self._offsets else now_ns
