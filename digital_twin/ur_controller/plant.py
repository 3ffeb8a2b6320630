"""What moves when the controller commands: the seam between the simulated controller and a physical world."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wildgrasp.clocks import Clock
from wildgrasp.rig import MAX_OPENING_M

Array = NDArray[np.float64]


class JointPlant(Protocol):
    """The arm's mechanics under its joint position servos."""

    def step(self, q_target: Array, dt: float) -> tuple[Array, Array]:
        """Let dt seconds pass while the servos hold q_target [6] rad; returns the angles [6] and speeds [6] reached."""
        ...


class FingerPlant(Protocol):
    """The fingers' mechanics."""

    def command(self, width_m: float, force_n: float) -> None:
        """Move the fingers towards a width between them with at most a force. Returns at once."""
        ...

    def read(self) -> tuple[float, bool, bool]:
        """Width in metres, whether the fingers still move, whether they hold something."""
        ...


class IdealPlant:
    """An arm that is where it should be."""

    def __init__(self) -> None:
        self._q: Array | None = None

    def step(self, q_target: Array, dt: float) -> tuple[Array, Array]:
        q = np.array(q_target, dtype=np.float64)
        qd = np.zeros(6) if self._q is None else (q - self._q) / dt
        self._q = q
        return q.copy(), qd


class IdealFingers:
    """Fingers that travel at a constant speed and stop at an object of a given width, if there is one."""

    SPEED_M_S = 0.11

    def __init__(self, clock: Clock, object_width_m: float | None = None) -> None:
        self.object_width_m = object_width_m
        self._clock = clock
        self._from_m = self._to_m = MAX_OPENING_M
        self._t_command_ns = clock.now_ns()
        self._closing_on_object = False

    def command(self, width_m: float, force_n: float) -> None:
        self._from_m = self.read()[0]
        self._t_command_ns = self._clock.now_ns()
        stop = self.object_width_m
        self._closing_on_object = stop is not None and width_m < stop <= self._from_m
        self._to_m = float(stop if self._closing_on_object else np.clip(width_m, 0.0, MAX_OPENING_M))

    def read(self) -> tuple[float, bool, bool]:
        travelled = self.SPEED_M_S * (self._clock.now_ns() - self._t_command_ns) * 1e-9
        distance = self._to_m - self._from_m
        if travelled >= abs(distance):
            return self._to_m, False, self._closing_on_object
        return self._from_m + float(np.sign(distance)) * travelled, True, False
