"""Control table, instructions and error bits of the AX-12A (ROBOTIS e-Manual, Protocol 1.0)."""

from __future__ import annotations

from enum import IntEnum, IntFlag

TICKS_S_PER_SPEED_UNIT = 0.111 * 360 / 60 / (300 / 1023)  # register unit 0.111 rpm
BROADCAST = 0xFE


class Register(IntEnum):
    """Addresses of the control table that this model gives a meaning."""

    MODEL = 0
    VERSION = 2
    ID = 3
    BAUD = 4
    RETURN_DELAY = 5
    CW_LIMIT = 6
    CCW_LIMIT = 8
    TEMPERATURE_LIMIT = 11
    MIN_VOLTAGE = 12
    MAX_VOLTAGE = 13
    MAX_TORQUE = 14
    STATUS_RETURN = 16
    ALARM_LED = 17
    SHUTDOWN = 18
    TORQUE_ENABLE = 24
    GOAL = 30
    SPEED = 32
    TORQUE_LIMIT = 34
    PRESENT_POSITION = 36
    PRESENT_SPEED = 38
    PRESENT_LOAD = 40
    PRESENT_VOLTAGE = 42
    PRESENT_TEMPERATURE = 43
    MOVING = 46
    LOCK = 47
    PUNCH = 48


class Instruction(IntEnum):
    PING = 1
    READ = 2
    WRITE = 3
    REG_WRITE = 4
    ACTION = 5
    RESET = 6


class ServoError(IntFlag):
    """Bits of a status packet's error byte."""

    VOLTAGE = 1
    ANGLE = 2
    OVERHEAT = 4
    RANGE = 8
    CHECKSUM = 16
    OVERLOAD = 32
    INSTRUCTION = 64


TABLE_SIZE = 50
EEPROM_SIZE = 24
WRITABLE = frozenset({*range(3, 10), *range(11, 19), *range(24, 36), 44, 47, 48, 49})
FACTORY_EEPROM = bytes([12, 0, 24, 1, 1, 250, 0, 0, 255, 3, 0, 70, 60, 140, 255, 3, 2, 36, 36, 0, 0, 0, 0, 0])


def signed_word(value: float) -> int:
    """Bit 10 is the direction: 0 counter-clockwise (increasing ticks), 1 clockwise."""
    magnitude = min(1023, round(abs(value)))
    return magnitude | 0x400 if value < 0 and magnitude else magnitude
