"""The state of a running cell in shared memory: one process writes it every control cycle, others read it whenever.

A sequence lock keeps readers from seeing a half-written state: the counter is odd while the writer is at work, and a
reader that saw it odd, or changed, reads again. The writer never waits.
"""

from __future__ import annotations

import ctypes
from multiprocessing.context import BaseContext

import numpy as np
from numpy.typing import NDArray


class SharedState:
    """A time stamp and a vector of floats. Hand it to child processes as an argument when they are started."""

    def __init__(self, context: BaseContext, size: int) -> None:
        self._header = context.RawArray(ctypes.c_int64, 2)  # counter, time
        self._values = context.RawArray(ctypes.c_double, size)

    def write(self, t_ns: int, values: NDArray[np.float64]) -> None:
        """Publish a state; only one process may."""
        header = self._header
        header[0] += 1
        header[1] = t_ns
        np.frombuffer(self._values)[:] = values
        header[0] += 1

    def read(self) -> tuple[int, NDArray[np.float64]]:
        """Time and a copy of the vector, consistent with each other. Time 0: nothing was written yet."""
        while True:
            before = self._header[0]
            t_ns, values = self._header[1], np.frombuffer(self._values).copy()
            if before % 2 == 0 and before == self._header[0]:
                return t_ns, values
