"""A gripper whose last reading can be looked at without asking it: its connection belongs to one thread at a time."""

from __future__ import annotations

from robot_runner.gripper.base import Gripper, GripperState


class WatchedGripper:
    """The ``Gripper`` seam, passed through."""

    def __init__(self, gripper: Gripper) -> None:
        self._gripper = gripper
        self.last: GripperState | None = None

    def connect(self) -> None:
        self._gripper.connect()
        self.state()

    def state(self) -> GripperState:
        self.last = self._gripper.state()
        return self.last

    def move_to(self, width_m: float, force_n: float) -> None:
        self._gripper.move_to(width_m, force_n)

    def wait(self, timeout_s: float) -> GripperState:
        self.last = self._gripper.wait(timeout_s)
        return self.last

    def close(self) -> None:
        self._gripper.close()
