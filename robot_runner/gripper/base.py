"""The robot gripper seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class GripperState:
    """One reading of the gripper."""

    t_ns: int
    width_m: float  # between the fingertips
    busy: bool
    grip_detected: bool
    alarms: tuple[str, ...] = ()  # what its safety functions report, in words; it does not move while there is one


class Gripper(Protocol):
    """A parallel gripper. Motion is non-blocking; waiting is explicit."""

    def connect(self) -> None:
        """Raises RobotError with what to do when it does not answer."""
        ...

    def state(self) -> GripperState: ...

    def move_to(self, width_m: float, force_n: float) -> None:
        """Open or close towards a width; closing ends at the width or on an object."""
        ...

    def wait(self, timeout_s: float) -> GripperState:
        """Block until it is no longer busy; the last reading. Raises RobotError on a timeout or a safety stop."""
        ...

    def close(self) -> None:
        """End the connection (the fingers stay as they are)."""
        ...
