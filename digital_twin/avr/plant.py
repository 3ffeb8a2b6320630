"""What a servo's horn turns: the mechanics behind the virtual AX-12A.

Positions are servo ticks (1023 ticks = 300°), torques are fractions of the stall torque, signs follow increasing ticks.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

MAX_SPEED_TICKS_S = 1207.0  # 59 rpm without load at 12 V (AX-12A datasheet)


class PlantState(NamedTuple):
    """What the servo's own sensors see."""

    position_ticks: float
    speed_ticks_s: float
    load_fraction: float  # -1 … 1, torque the motor applies, positive towards increasing ticks


class ServoPlant(Protocol):
    """Mechanics that a servo drives. Implemented by :class:`FreePlant` and by simulated worlds."""

    def update(
        self, t_ns: int, goal_ticks: float, speed_ticks_s: float, torque_fraction: float, enabled: bool
    ) -> PlantState:
        """Advance to true time ``t_ns`` (never decreasing; at most 2 ms after the call before) under these commands.

        ``speed_ticks_s`` limits the speed, ``torque_fraction`` (0 … 1) the torque; the motor is off unless ``enabled``.
        """
        ...


def servo_torque(goal_ticks: float, position_ticks: float, torque_fraction: float) -> float:
    """Torque fraction of the AX-12A's position loop with its default compliance (margin 1, slope 32, punch 32).

    Nothing inside the margin; outside it the punch, growing linearly to full torque at ``slope`` ticks, then clipped to
    the limit.
    """
    error = goal_ticks - position_ticks
    beyond = abs(error) - 1.0
    if beyond <= 0:
        return 0.0
    punch = 32 / 1023
    magnitude = min(punch + (1 - punch) * beyond / 32.0, torque_fraction)
    return magnitude if error > 0 else -magnitude


class FreePlant:
    """Fingers that move freely between two ends, and stall on an obstacle when there is one.

    ``obstacle_ticks`` may be set and cleared at any time: it blocks motion from the side on which the horn then is.
    """

    def __init__(
        self,
        position_ticks: float = 512.0,
        obstacle_ticks: float | None = None,
        friction_fraction: float = 0.05,
        acceleration_ticks_s2: float = 30_000.0,
    ) -> None:
        self.position_ticks = position_ticks
        self.obstacle_ticks = obstacle_ticks
        self.friction_fraction = friction_fraction
        self.acceleration_ticks_s2 = acceleration_ticks_s2
        self._speed = 0.0
        self._blocks_towards = 1.0
        self._t_ns: int | None = None

    def update(
        self, t_ns: int, goal_ticks: float, speed_ticks_s: float, torque_fraction: float, enabled: bool
    ) -> PlantState:
        dt = 0.0 if self._t_ns is None else (t_ns - self._t_ns) * 1e-9
        self._t_ns = t_ns
        torque = servo_torque(goal_ticks, self.position_ticks, torque_fraction) if enabled else 0.0
        if abs(torque) <= self.friction_fraction:
            self._speed = 0.0
            return PlantState(self.position_ticks, 0.0, torque)
        target = self.position_ticks + self._limited_speed(goal_ticks, speed_ticks_s, dt) * dt
        stop = self._blocked_at(target, torque)
        if stop is not None:
            self.position_ticks, self._speed = stop, 0.0
            return PlantState(stop, 0.0, torque)
        self.position_ticks = target
        return PlantState(target, self._speed, self.friction_fraction if torque > 0 else -self.friction_fraction)

    def _limited_speed(self, goal_ticks: float, speed_ticks_s: float, dt: float) -> float:
        """Towards the goal, no faster than the limit, no jump in speed, no overshoot."""
        error = goal_ticks - self.position_ticks
        wanted = max(-speed_ticks_s, min(speed_ticks_s, error / max(dt, 0.01)))
        step = self.acceleration_ticks_s2 * dt
        self._speed = max(self._speed - step, min(self._speed + step, wanted))
        return self._speed

    def _blocked_at(self, target: float, torque: float) -> float | None:
        """Where the obstacle holds the horn, if it does: met on the way, or pressed against."""
        obstacle = self.obstacle_ticks
        if obstacle is None:
            return None
        if self.position_ticks != obstacle:
            self._blocks_towards = 1.0 if obstacle > self.position_ticks else -1.0
        met = min(self.position_ticks, target) <= obstacle <= max(self.position_ticks, target)
        return obstacle if met and torque * self._blocks_towards > 0 else None
