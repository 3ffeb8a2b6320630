"""What every way to an OnRobot RG2 shares: its limits, its status bits, waiting. Subclasses know how to ask."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from robot_runner.gripper.base import GripperState
from wildgrasp.errors import RobotError
from wildgrasp.rig import MAX_OPENING_M

MAX_FORCE_N = 40.0
_BUSY, _GRIP_DETECTED = 1 << 0, 1 << 1
_ALARMS = {
    1 << 2: "safety switch 1 is pushed",
    1 << 3: "safety switch 1 was triggered",
    1 << 4: "safety switch 2 is pushed",
    1 << 5: "safety switch 2 was triggered",
    1 << 6: "safety error",
}
_POLL_S = 0.01
_START_S = 0.15  # within which a commanded motion shows as busy


class Rg2(ABC):
    """An RG2. Implements the ``Gripper`` seam but for its connection."""

    _commanded_s = 0.0  # when a motion was commanded last

    @abstractmethod
    def _reading(self) -> tuple[float, int]:
        """Width in metres and status bits. Raises RobotError when it does not answer."""

    @abstractmethod
    def _grip(self, width_m: float, force_n: float) -> None:
        """Command a motion. Raises RobotError when it does not answer."""

    def state(self) -> GripperState:
        width_m, status = self._reading()
        alarms = tuple(text for bit, text in _ALARMS.items() if status & bit)
        return GripperState(time.monotonic_ns(), width_m, bool(status & _BUSY), bool(status & _GRIP_DETECTED), alarms)

    def move_to(self, width_m: float, force_n: float) -> None:
        """Open or close towards a width. Waits for a motion under way: a busy RG2 ignores commands."""
        if not 0.0 <= width_m <= MAX_OPENING_M or not 0.0 < force_n <= MAX_FORCE_N:
            raise RobotError(
                f"The gripper was asked for {width_m * 1e3:.0f} mm at {force_n:.0f} N; it can do "
                f"0–{MAX_OPENING_M * 1e3:.0f} mm at up to {MAX_FORCE_N:.0f} N. Nothing moved."
            )
        self.wait(5.0)
        self._grip(width_m, force_n)
        self._commanded_s = time.monotonic()

    def wait(self, timeout_s: float) -> GripperState:
        deadline_s = time.monotonic() + timeout_s
        while True:
            reading = self.state()
            raise_if_unsafe(reading)
            now_s = time.monotonic()
            if not reading.busy and now_s - self._commanded_s > _START_S:
                return reading
            if now_s > deadline_s:
                raise RobotError(
                    f"The gripper still moves after {timeout_s:.0f} s. Look at what it holds, then start again."
                )
            time.sleep(_POLL_S)


def raise_if_unsafe(reading: GripperState) -> None:
    """Raises RobotError while one of the gripper's safety functions is active."""
    if reading.alarms:
        raise RobotError(
            f"The gripper does not move: {', '.join(reading.alarms)}. Free its fingers, switch its power off and on, "
            "then start again."
        )
