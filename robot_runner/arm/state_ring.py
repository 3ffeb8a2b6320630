"""Recent arm readings in memory shared by the link's process (writes) and the runner's (reads).

One writer, any number of readers, no locks: a row is complete before the counter moves past it, and the ring is so much
longer than a read takes that no row changes under a reader.
"""

from __future__ import annotations

import ctypes
from multiprocessing import RawArray
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROW = np.dtype(
    [
        ("t_ns", "<i8"),  # host monotonic clock when the arm was so
        ("received_ns", "<i8"),  # and when the link last heard anything new of it
        ("q", "<f8", 6),
        ("qd", "<f8", 6),
        ("safety", "<i8"),  # index into the link's list of Safety
        ("goal", "<i8"),  # number of the goal that is followed or was reached last
        ("settled", "<i8"),  # nothing is commanded to move
        ("late_us", "<i8"),  # how late the link's cycle was
        ("controller_s", "<f8"),  # the controller's own time
    ]
)
LENGTH = 4096  # 8 s at 500 Hz, 33 s at 125 Hz


class StateRing:
    """Handed to the link's process when it starts; both sides construct it over the same memory."""

    def __init__(self, memory: Any = None) -> None:
        self.memory = RawArray(ctypes.c_byte, 8 + LENGTH * ROW.itemsize) if memory is None else memory
        buffer = np.frombuffer(self.memory, dtype=np.uint8)
        self._count = buffer[:8].view("<i8")
        self._rows = buffer[8:].view(ROW)

    def append(self, row: tuple) -> None:
        count = int(self._count[0])
        self._rows[count % LENGTH] = row
        self._count[0] = count + 1

    def __len__(self) -> int:
        return min(int(self._count[0]), LENGTH)

    @property
    def count(self) -> int:
        """Rows ever written."""
        return int(self._count[0])

    def latest(self) -> np.void | None:
        count = int(self._count[0])
        return self._rows[(count - 1) % LENGTH].copy() if count else None

    def recent(self, n: int) -> NDArray[np.void]:
        """Up to n latest rows, oldest first (a few of the oldest are left to the writer)."""
        count = int(self._count[0])
        n = min(n, count, LENGTH - 64)
        return self._rows[np.arange(count - n, count) % LENGTH]
