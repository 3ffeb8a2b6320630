"""The RG2's own control of its fingers: move at a set speed, stop at the width or on an object, hold with the force.

Source: OnRobot RG2 data sheet (stroke 0–110 mm, force 3–40 N, gripping speed 55–184 mm/s).
"""

from __future__ import annotations

from dataclasses import dataclass

from wildgrasp.rig import MAX_OPENING_M

MIN_FORCE_N, MAX_FORCE_N = 3.0, 40.0


@dataclass(frozen=True)
class FingerSettings:
    speed_m_s: float = 0.11
    stiffness_n_m: float = 2000.0  # of the position actuator that moves the fingers
    tolerance_m: float = 0.001  # at the width
    blocked_m: float = 0.004  # the command runs this far ahead of the fingers before they count as blocked
    settle_s: float = 0.1  # of standing still, after which a motion counts as finished
    patience_s: float = 1.0  # beyond the time of travel, after which it counts as finished whatever the fingers do


@dataclass(frozen=True)
class FingerState:
    """What the RG2 reports."""

    width_m: float
    busy: bool
    grip_detected: bool


class FingerDrive:
    """Turns width and force commands into the width set-point of the actuator, one control cycle at a time."""

    def __init__(self, settings: FingerSettings | None = None, width_m: float = MAX_OPENING_M) -> None:
        self._settings = settings or FingerSettings()
        self._goal = self._setpoint = width_m
        self._width_m = width_m
        self.force_n = MAX_FORCE_N
        self._closing = False
        self._still_s, self._left_s = self._settings.settle_s, 0.0
        self.state = FingerState(width_m, busy=False, grip_detected=False)

    def command(self, width_m: float, force_n: float) -> None:
        """Start moving towards a width; out-of-range values are clamped as the RG2 does."""
        self._goal = min(max(width_m, 0.0), MAX_OPENING_M)
        self.force_n = min(max(force_n, MIN_FORCE_N), MAX_FORCE_N)
        self._closing = self._goal < self._width_m
        self._setpoint = self._width_m
        self._still_s = 0.0
        self._left_s = abs(self._goal - self._width_m) / self._settings.speed_m_s + self._settings.patience_s
        self.state = FingerState(self.state.width_m, busy=True, grip_detected=False)

    def stop(self) -> None:
        """Hold where the fingers are."""
        self.command(self._width_m, self.force_n)

    def step(self, width_m: float, dt: float) -> float:
        """Advance by dt seconds with the fingers at width_m; returns the set-point of the width for the actuator."""
        s = self._settings
        moved = abs(width_m - self._width_m)
        self._width_m = width_m
        arrived = abs(width_m - self._goal) < s.tolerance_m
        blocked = self._closing and width_m - self._setpoint > s.blocked_m
        if not blocked:
            step = s.speed_m_s * dt
            self._setpoint += min(max(self._goal - self._setpoint, -step), step)
        settled = moved < 0.1 * s.speed_m_s * dt and (arrived or blocked or self._setpoint == self._goal)
        self._still_s = self._still_s + dt if settled else 0.0
        self._left_s -= dt
        busy = self._still_s < s.settle_s and self._left_s > 0
        gripping = self._closing and not busy and not arrived
        self.state = FingerState(max(width_m, 0.0), busy, gripping)
        if blocked or (self._closing and self._goal == 0.0 and self._setpoint == 0.0):
            # The set-point stands so far inside that the actuator pushes with its full force even on a sheet of paper.
            return width_m - 2 * self.force_n / s.stiffness_n_m
        return self._setpoint
