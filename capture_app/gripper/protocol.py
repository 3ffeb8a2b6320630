"""The gripper's serial protocol.

Generated from firmware/protocol.toml by firmware/generate.py: change that file, then run it.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar

from cobs import cobs

PROTOCOL_VERSION = 1
BAUD = 115200
OPEN_STOP_TICKS = 512  # Servo position with the fingers fully open, until set-up measured it.
CLOSED_STOP_TICKS = 812  # Servo position with the fingers fully closed, until set-up measured it.
MAX_TICKS = 1023  # Largest servo position.
SERVO_PERIOD_MS = 10  # Time between two SERVO readings.
STATS_PERIOD_MS = 1000  # Time between two STATS messages.
OVERRIDE_MS = 2000  # `open` and `close` end when the host is silent for this time: the button counts again.
BUTTON_REPEAT_MS = 40  # A BUTTON message is sent again after this time, in case the first was damaged.

_HEADER = struct.Struct("<BBI")


class ResetCause(IntEnum):
    """Why the device started (a bootloader may have cleared the reason: unknown)."""

    UNKNOWN = 0
    POWER = 1
    EXTERNAL = 2
    BROWN_OUT = 3
    WATCHDOG = 4


class State(IntEnum):
    """What the gripper is doing."""

    IDLE = 0
    CLOSING = 1
    HOLDING = 2
    OPENING = 3
    FAULT = 4


class Command(IntEnum):
    """What the host asks for."""

    IDENTIFY = 0
    FOLLOW_BUTTON = 1
    OPEN = 2
    CLOSE = 3
    SET_OPEN_STOP = 4
    SET_CLOSED_STOP = 5


class Result(IntEnum):
    """Answer to a command."""

    DONE = 0
    UNKNOWN = 1
    OUT_OF_RANGE = 2
    REFUSED = 3


class Fault(IntEnum):
    """What is wrong."""

    SERVO_MISSING = 1
    SERVO_GARBLED = 2
    OVERLOAD = 3
    OVERHEAT = 4
    VOLTAGE = 5


@dataclass(frozen=True)
class HelloMessage:
    """Sent after start and on `identify`. A new `boot_id` means the device's clock has started anew.

    Time: when the message was made.
    """

    TYPE: ClassVar[int] = 1
    BODY: ClassVar[struct.Struct] = struct.Struct("<BIIBHH")

    protocol: int  # version of this protocol
    firmware: int  # first 32 bits of the SHA-256 of the firmware's sources
    boot_id: int  # number of starts, kept in EEPROM
    reset_cause: int  # why it started
    open_stop: int  # stop in use, fingers fully open [ticks]
    closed_stop: int  # stop in use, fingers fully closed [ticks]


@dataclass(frozen=True)
class PingMessage:
    """Asks for the device's time. As long as PONG, so that the time on the wire cancels.

    Time: host's choice; comes back unused.
    """

    TYPE: ClassVar[int] = 2
    BODY: ClassVar[struct.Struct] = struct.Struct("<HH")

    token: int  # comes back in PONG
    pad: int  # 0


@dataclass(frozen=True)
class PongMessage:
    """Answers PING.

    Time: arrival of the PING's last byte.
    """

    TYPE: ClassVar[int] = 3
    BODY: ClassVar[struct.Struct] = struct.Struct("<HH")

    token: int  # of the PING
    wait: int  # from `t_us` to the start of this message on the wire [us]


@dataclass(frozen=True)
class ButtonMessage:
    """The button changed and stayed so for the debounce time. Sent twice; `count` tells the copies.

    Time: first raw edge of the change.
    """

    TYPE: ClassVar[int] = 4
    BODY: ClassVar[struct.Struct] = struct.Struct("<BBH")

    pressed: int  # 1 pressed, 0 released
    edges: int  # raw edges until it was quiet (255: or more)
    count: int  # number of changes since start


@dataclass(frozen=True)
class ServoMessage:
    """One reading of the servo.

    Time: start of the reading.
    """

    TYPE: ClassVar[int] = 5
    BODY: ClassVar[struct.Struct] = struct.Struct("<HHhhBBBBB")

    duration: int  # from start to end of the reading [us]
    position: int  # present position (1023 ticks = 300 degrees) [ticks]
    speed: int  # present speed, positive towards increasing ticks [0.111 rpm]
    load: int  # present load, positive towards increasing ticks [1/1023]
    voltage: int  # supply [0.1 V]
    temperature: int  # of the motor [degC]
    moving: int  # 1 while a goal is being approached
    error: int  # error bits of the servo's status packet
    state: int  # what the gripper is doing


@dataclass(frozen=True)
class StateMessage:
    """The gripper's state changed.

    Time: when it changed.
    """

    TYPE: ClassVar[int] = 6
    BODY: ClassVar[struct.Struct] = struct.Struct("<BBBH")

    state: int  # new
    previous: int  # old
    contact: int  # 1: the fingers hold something
    position: int  # present position [ticks]


@dataclass(frozen=True)
class CommandMessage:
    """Asks the device to do something; answered by ACK with the same `seq`.

    Time: unused.
    """

    TYPE: ClassVar[int] = 7
    BODY: ClassVar[struct.Struct] = struct.Struct("<BH")

    command: int  # what
    argument: int  # ticks for the stops, else 0


@dataclass(frozen=True)
class AckMessage:
    """Answers COMMAND.

    Time: when the command was carried out.
    """

    TYPE: ClassVar[int] = 8
    BODY: ClassVar[struct.Struct] = struct.Struct("<BBB")

    command_seq: int  # `seq` of the COMMAND
    command: int  # what was asked
    result: int  # what became of it


@dataclass(frozen=True)
class FaultMessage:
    """A fault began or ended.

    Time: when it was noticed.
    """

    TYPE: ClassVar[int] = 9
    BODY: ClassVar[struct.Struct] = struct.Struct("<BBB")

    fault: int  # what
    active: int  # 1 began, 0 ended
    detail: int  # error bits, or the temperature in degC for overheat


@dataclass(frozen=True)
class StatsMessage:
    """Counters since start (each stops at its largest value).

    Time: when the message was made.
    """

    TYPE: ClassVar[int] = 10
    BODY: ClassVar[struct.Struct] = struct.Struct("<HHHHHHH")

    host_drops: int  # messages to the host for which there was no room
    host_errors: int  # damaged messages from the host
    servo_timeouts: int  # readings and commands the servo did not answer
    servo_errors: int  # damaged answers of the servo
    short_presses: int  # contacts shorter than the debounce time
    lost_edges: int  # button edges for which there was no room
    loop_max: int  # longest turn of the main loop since the last STATS [us]


Message = (
    HelloMessage
    | PingMessage
    | PongMessage
    | ButtonMessage
    | ServoMessage
    | StateMessage
    | CommandMessage
    | AckMessage
    | FaultMessage
    | StatsMessage
)
MESSAGES: dict[int, type[Message]] = {
    m.TYPE: m
    for m in (
        HelloMessage,
        PingMessage,
        PongMessage,
        ButtonMessage,
        ServoMessage,
        StateMessage,
        CommandMessage,
        AckMessage,
        FaultMessage,
        StatsMessage,
    )
}


@dataclass(frozen=True)
class Frame:
    """A message with its header."""

    seq: int
    t_us: int  # device clock, wraps after 2**32 µs (71.6 min)
    message: Message


class FrameError(ValueError):
    """Bytes between two delimiters that are no message."""


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF; 0x29B1 for b"123456789"."""
    return binascii.crc_hqx(data, 0xFFFF)


def encode(message: Message, seq: int = 0, t_us: int = 0) -> bytes:
    """A message as bytes on the wire, with its delimiter."""
    values = [getattr(message, field.name) for field in fields(message)]
    raw = _HEADER.pack(message.TYPE, seq & 0xFF, t_us & 0xFFFFFFFF) + message.BODY.pack(*values)
    return cobs.encode(raw + crc16(raw).to_bytes(2, "little")) + b"\x00"


def decode(data: bytes) -> Frame:
    """Inverse of :func:`encode`, for the bytes between two delimiters. Raises FrameError.

    A body longer than known is from a newer firmware: what it adds is ignored.
    """
    try:
        raw = cobs.decode(data)
    except cobs.DecodeError as error:
        raise FrameError(f"not COBS ({error})") from None
    if len(raw) < _HEADER.size + 2:
        raise FrameError(f"{len(raw)} bytes are too short for a message")
    if crc16(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        raise FrameError("wrong checksum")
    kind, seq, t_us = _HEADER.unpack_from(raw)
    message_class = MESSAGES.get(kind)
    if message_class is None:
        raise FrameError(f"unknown message type {kind}")
    body = raw[_HEADER.size : -2]
    if len(body) < message_class.BODY.size:
        raise FrameError(f"{message_class.__name__} is too short ({len(body)} bytes)")
    return Frame(seq, t_us, message_class(*message_class.BODY.unpack_from(body)))
