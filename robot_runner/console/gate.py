"""An arm that can be stopped at any moment from another thread than the one that moves it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import Arm, MotionLimits
from wildgrasp.errors import RobotError


class StopGate:
    """Wraps an ``Arm``: after :meth:`shut` nothing moves until :meth:`open_again`, whatever a run still asks for.

    A move and the shutting exclude each other, so no goal can slip through behind a stop.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._lock = threading.Lock()
        self._shut = False

    def shut(self) -> None:
        """Stop now, from any thread."""
        with self._lock:
            self._shut = True
            self._arm.stop()

    def open_again(self) -> None:
        with self._lock:
            self._shut = False

    def move_to(self, T_base_tool: NDArray[np.float64], limits: MotionLimits) -> None:
        with self._lock:
            self._raise_if_shut()
            self._arm.move_to(T_base_tool, limits)

    def move_joints(self, q: NDArray[np.float64], limits: MotionLimits) -> None:
        with self._lock:
            self._raise_if_shut()
            self._arm.move_joints(q, limits)

    def stop(self) -> None:
        with self._lock:
            self._arm.stop()

    def _raise_if_shut(self) -> None:
        if self._shut:
            raise RobotError("The operator stopped the run. The arm did not move on.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._arm, name)
