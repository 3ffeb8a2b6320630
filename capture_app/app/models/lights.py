"""The status lights: what a snapshot means for a person who wants to record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from capture_app.app.monitor import Snapshot

CLOCK_GOOD_NS = 2_000_000
LOW_BATTERY, EMPTY_BATTERY = 0.2, 0.05
LOW_SERVO_V, EMPTY_SERVO_V = 10.0, 9.3  # an AX-12A works from 9 to 12 V
LITTLE_MINUTES = 15.0


class Level(IntEnum):
    GOOD = 0
    WAIT = 1  # not known yet
    WARN = 2
    BAD = 3


@dataclass(frozen=True)
class Light:
    """``name``: camera | gripper | power | disk | clock | network; ``value`` in the unit that the name suggests (a
    fraction or volts, minutes, milliseconds), None where there is nothing to say."""

    name: str
    level: Level
    value: float | None = None
    unit: str = ""


def minutes_left(free_bytes: int, reserve_bytes: int, mb_per_s: float) -> float:
    """How long can still be recorded."""
    return max(0.0, (free_bytes - reserve_bytes) / (mb_per_s * 1e6) / 60)


def lights(now: Snapshot, minutes: float) -> tuple[Light, ...]:
    return (
        Light("camera", Level.BAD if now.camera_problem else Level.GOOD),
        Light("gripper", Level.BAD if now.gripper_problem else Level.GOOD),
        _power(now),
        Light("disk", _level(minutes, LITTLE_MINUTES, 1.0), round(minutes)),
        _clock(now),
        Light("network", Level.GOOD if now.network.online else Level.WARN),
    )


def _power(now: Snapshot) -> Light:
    if now.power.battery is not None:
        level = Level.GOOD if now.power.charging else _level(now.power.battery, LOW_BATTERY, EMPTY_BATTERY)
        return Light("power", level, round(now.power.battery, 2), "fraction")
    if now.servo_volts:
        return Light("power", _level(now.servo_volts, LOW_SERVO_V, EMPTY_SERVO_V), round(now.servo_volts, 1), "volts")
    return Light("power", Level.GOOD if now.power.charging else Level.WAIT)


def _clock(now: Snapshot) -> Light:
    if now.clock_uncertainty_ns is None:
        return Light("clock", Level.WAIT)
    level = Level.GOOD if now.clock_uncertainty_ns <= CLOCK_GOOD_NS else Level.WAIT
    return Light("clock", level, max(0.1, round(now.clock_uncertainty_ns * 1e-6, 1)), "ms")


def _level(value: float, little: float, none: float) -> Level:
    return Level.BAD if value < none else Level.WARN if value < little else Level.GOOD
