"""From servo ticks to how far the fingers are open."""

from __future__ import annotations

from dataclasses import dataclass

from capture_app.gripper.protocol import CLOSED_STOP_TICKS, OPEN_STOP_TICKS


@dataclass(frozen=True)
class ServoStops:
    """Servo positions at which the fingers are fully open and fully closed; the defaults are the firmware's."""

    open_ticks: int = OPEN_STOP_TICKS
    closed_ticks: int = CLOSED_STOP_TICKS

    def __post_init__(self) -> None:
        if self.open_ticks == self.closed_ticks:
            raise ValueError("the open and the closed stop of the servo are the same")

    def opening(self, position_ticks: float) -> float:
        """0 fully closed … 1 fully open; a little beyond where the fingers give way."""
        return (position_ticks - self.closed_ticks) / (self.open_ticks - self.closed_ticks)

    def opening_per_s(self, ticks_per_s: float) -> float:
        return ticks_per_s / (self.open_ticks - self.closed_ticks) + 0.0  # never -0.0, whose sign an index forgets

    def ticks(self, opening: float) -> float:
        """Inverse of :meth:`opening`."""
        return self.closed_ticks + opening * (self.open_ticks - self.closed_ticks)

    @property
    def closing_sign(self) -> int:
        """1 when closing increases the ticks, else -1."""
        return 1 if self.closed_ticks > self.open_ticks else -1
