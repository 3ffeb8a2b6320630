"""A virtual Dynamixel AX-12A: Protocol 1.0 on its wire, heat and overload in its motor, faults on request.

Source of registers, timing and errors: ROBOTIS e-Manual, AX-12A control table and Protocol 1.0.
The motor's mechanics are a :class:`~digital_twin.avr.plant.ServoPlant`.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable, Iterable

from digital_twin.avr.motor import MotorModel
from digital_twin.avr.plant import MAX_SPEED_TICKS_S, FreePlant, PlantState, ServoPlant
from digital_twin.avr.registers import (
    BROADCAST,
    EEPROM_SIZE,
    FACTORY_EEPROM,
    TABLE_SIZE,
    TICKS_S_PER_SPEED_UNIT,
    WRITABLE,
    Instruction,
    Register,
    ServoError,
    signed_word,
)

NS = 1_000_000_000
SHORTEST_PACKET = 6
_PRESENT = struct.Struct("<HHHBB")  # position, speed, load, voltage, temperature


class VirtualAX12:
    """One servo on a bus. Time is true time in ns; bytes carry the time at which their stop bit ends.

    Faults: ``lose_replies`` / ``corrupt_replies`` (the next n), ``disturb`` (any function of a reply), ``unplug`` /
    ``plug`` (plugging is a power cycle: RAM registers return to their defaults), ``temperature_c`` (may be set), and
    the plant's stall.
    """

    def __init__(self, plant: ServoPlant | None = None, motor: MotorModel | None = None) -> None:
        self.plant: ServoPlant = plant if plant is not None else FreePlant()
        self.motor = motor if motor is not None else MotorModel()
        self.table = bytearray(TABLE_SIZE)
        self.table[:EEPROM_SIZE] = FACTORY_EEPROM
        self.temperature_c = self.motor.ambient_c
        self.voltage_v = self.motor.voltage_v
        self.plugged = True
        self.lose_replies = 0
        self.corrupt_replies = 0
        self.disturb: Callable[[bytes], bytes] | None = None
        self.packets: deque[tuple[int, bytes]] = deque(maxlen=4096)  # what reached it: end of packet, bytes
        self.eeprom_writes = 0
        self._input = bytearray()
        self._registered = b""
        self._latched = ServoError(0)
        self._stalled_since_ns: int | None = None
        self._t_ns = 0
        self._state = PlantState(512.0, 0.0, 0.0)
        self._power_up()

    # --- registers ---

    def word(self, register: int) -> int:
        """16-bit value of a register, little endian."""
        return self.table[register] | self.table[register + 1] << 8

    def set_word(self, register: int, value: int) -> None:
        self.table[register : register + 2] = int(value).to_bytes(2, "little")

    @property
    def baud(self) -> float:
        """Speed of its wire: 2 Mbaud / (register + 1)."""
        return 2_000_000 / (self.table[Register.BAUD] + 1)

    @property
    def state(self) -> PlantState:
        return self._state

    @property
    def torque_enabled(self) -> bool:
        return self.plugged and bool(self.table[Register.TORQUE_ENABLE])

    # --- faults ---

    def unplug(self) -> None:
        """The cable is out: no power, no answers."""
        self.plugged = False
        self._input.clear()

    def plug(self) -> None:
        """The cable is back in: the servo boots with its EEPROM and default RAM."""
        self.plugged = True
        self._power_up()

    # --- time ---

    def advance(self, t_ns: int) -> None:
        """Bring motor, plant and present-value registers to true time ``t_ns``."""
        dt = max(0.0, (t_ns - self._t_ns) / NS)
        self._t_ns = max(t_ns, self._t_ns)
        enabled = self.torque_enabled
        speed_units = self.word(Register.SPEED) & 0x3FF
        speed = min(speed_units * TICKS_S_PER_SPEED_UNIT or MAX_SPEED_TICKS_S, MAX_SPEED_TICKS_S)
        torque = min(self.word(Register.TORQUE_LIMIT), 1023) / 1023
        self._state = self.plant.update(self._t_ns, float(self.word(Register.GOAL)), speed, torque, enabled)
        self._heat(dt, enabled)
        self._watch_overload(enabled)
        self._refresh_present_values()

    # --- the wire ---

    def receive(self, byte: int, t_ns: int, baud: float) -> list[tuple[int, int]]:
        """Take one byte whose stop bit ended at ``t_ns``; the reply, if any, as (end of stop bit ns, byte).

        A byte sent at a speed more than 3 % off its own is noise to it and ends the packet.
        """
        if not self.plugged:
            return []
        if abs(baud / self.baud - 1) > 0.03:
            self._input.clear()
            return []
        self._input.append(byte)
        packet = self._next_packet() if len(self._input) >= SHORTEST_PACKET else None
        if packet is None:
            return []
        self.advance(t_ns)
        self.packets.append((t_ns, packet))
        baud = self.baud
        delay_ns = self.table[Register.RETURN_DELAY] * 2_000
        reply = self._spoil(self._handle(packet))
        byte_ns = 10 * NS / baud
        return [(round(t_ns + delay_ns + (i + 1) * byte_ns), b) for i, b in enumerate(reply)]

    def _next_packet(self) -> bytes | None:
        buffer = self._input
        while buffer:
            start = buffer.find(b"\xff\xff")
            if start < 0:
                del buffer[: len(buffer) - (buffer[-1] == 0xFF)]
                return None
            del buffer[:start]
            if len(buffer) >= 3 and buffer[2] == 0xFF:
                del buffer[0]
                continue
            if len(buffer) < 4 or len(buffer) < buffer[3] + 4:
                return None
            packet = bytes(buffer[: buffer[3] + 4])
            del buffer[: len(packet)]
            if len(packet) >= SHORTEST_PACKET:
                return packet
        return None

    def _spoil(self, reply: bytes) -> bytes:
        if not reply:
            return reply
        if self.lose_replies > 0:
            self.lose_replies -= 1
            return b""
        if self.corrupt_replies > 0:
            self.corrupt_replies -= 1
            return reply[:-2] + bytes([reply[-2] ^ 0x10]) + reply[-1:]
        return self.disturb(reply) if self.disturb is not None else reply

    # --- instructions ---

    def _handle(self, packet: bytes) -> bytes:
        target, instruction, parameters = packet[2], packet[4], packet[5:-1]
        if target not in (self.table[Register.ID], BROADCAST):
            return b""
        own_id = self.table[Register.ID]
        if ~sum(packet[2:-1]) & 0xFF != packet[-1]:
            return self._status(own_id, b"", ServoError.CHECKSUM, instruction, target)
        data, error = self._execute(instruction, parameters)
        return self._status(own_id, data, error, instruction, target)

    def _execute(self, instruction: int, parameters: bytes) -> tuple[bytes, ServoError]:
        if instruction == Instruction.PING:
            return b"", ServoError(0)
        if instruction == Instruction.READ and len(parameters) == 2:
            start, count = parameters
            if start + count > TABLE_SIZE:
                return b"", ServoError.RANGE
            return bytes(self.table[start : start + count]), ServoError(0)
        if instruction == Instruction.WRITE and len(parameters) >= 2:
            return b"", self._write(parameters[0], parameters[1:])
        if instruction == Instruction.REG_WRITE and len(parameters) >= 2:
            self._registered = parameters
            self.table[44] = 1
            return b"", ServoError(0)
        if instruction == Instruction.ACTION:
            registered, self._registered, self.table[44] = self._registered, b"", 0
            return b"", self._write(registered[0], registered[1:]) if registered else ServoError(0)
        if instruction == Instruction.RESET:
            self.table[:EEPROM_SIZE] = FACTORY_EEPROM
            return b"", ServoError(0)
        return b"", ServoError.INSTRUCTION

    def _status(self, own_id: int, data: bytes, error: ServoError, instruction: int, target: int) -> bytes:
        level = self.table[Register.STATUS_RETURN]
        wanted = level == 2 or instruction == Instruction.PING or (level == 1 and instruction == Instruction.READ)
        if not wanted or (target == BROADCAST and instruction != Instruction.PING):
            return b""
        body = bytes([own_id, len(data) + 2, int(error | self._errors())]) + data
        return b"\xff\xff" + body + bytes([~sum(body) & 0xFF])

    def _write(self, start: int, values: bytes) -> ServoError:
        addresses = range(start, start + len(values))
        if not set(addresses) <= WRITABLE:
            return ServoError.RANGE
        if start < EEPROM_SIZE and self.table[Register.LOCK]:
            return ServoError.RANGE
        before = bytes(self.table)
        self.table[start : start + len(values)] = values
        error = self._check_written(addresses)
        if error:
            self.table[:] = before
            return error
        self.eeprom_writes += sum(1 for a in addresses if a < EEPROM_SIZE)
        if addresses.start <= Register.GOAL < addresses.stop:
            self.table[Register.TORQUE_ENABLE] = 1  # writing a goal switches torque on
        if addresses.start <= Register.TORQUE_LIMIT < addresses.stop:
            self._rearm()
        return ServoError(0)

    def _check_written(self, addresses: Iterable[int]) -> ServoError:
        touched = set(addresses)
        if Register.GOAL in touched:
            goal = self.word(Register.GOAL)
            if not self.word(Register.CW_LIMIT) <= goal <= self.word(Register.CCW_LIMIT):
                return ServoError.ANGLE
        words = (Register.SPEED, Register.TORQUE_LIMIT, Register.MAX_TORQUE, Register.CW_LIMIT, Register.CCW_LIMIT)
        if any(r in touched and self.word(r) > 1023 for r in words):
            return ServoError.RANGE
        if Register.ID in touched and self.table[Register.ID] > 253:
            return ServoError.RANGE
        return ServoError(0)

    def _rearm(self) -> None:
        """Rewriting the torque limit ends an overload shutdown; a hot motor stays shut down."""
        self._stalled_since_ns = None
        self._latched &= ~ServoError.OVERLOAD
        if self._latched & ServoError.OVERHEAT:
            self.set_word(Register.TORQUE_LIMIT, 0)

    # --- the motor ---

    def _power_up(self) -> None:
        self.table[EEPROM_SIZE:] = bytes(TABLE_SIZE - EEPROM_SIZE)
        self.table[26:30] = bytes([1, 1, 32, 32])  # compliance margins and slopes
        self.set_word(Register.TORQUE_LIMIT, self.word(Register.MAX_TORQUE))
        self.set_word(Register.PUNCH, 32)
        self._latched = ServoError(0)
        self._stalled_since_ns = None
        self._registered = b""
        self._state = self.plant.update(self._t_ns, 0.0, 0.0, 0.0, False)
        self.set_word(Register.GOAL, self._position())
        self._refresh_present_values()

    def _heat(self, dt: float, enabled: bool) -> None:
        load = self._state.load_fraction if enabled else 0.0
        steady = self.motor.ambient_c + self.motor.full_load_rise_c * load * load
        self.temperature_c = steady + (self.temperature_c - steady) * math.exp(-dt / self.motor.time_constant_s)
        limit = self.table[Register.TEMPERATURE_LIMIT]
        if self.temperature_c >= limit:
            self._latch(ServoError.OVERHEAT)
        elif self._latched and self.temperature_c < limit - 5:
            self._latched &= ~ServoError.OVERHEAT

    def _watch_overload(self, enabled: bool) -> None:
        hard = abs(self._state.load_fraction) >= self.motor.overload_fraction
        if not (enabled and hard and abs(self._state.speed_ticks_s) < 20):
            self._stalled_since_ns = None
        elif self._stalled_since_ns is None:
            self._stalled_since_ns = self._t_ns
        elif self._t_ns - self._stalled_since_ns >= self.motor.overload_s * NS:
            self._latch(ServoError.OVERLOAD)

    def _latch(self, error: ServoError) -> None:
        self._latched |= error
        if self.table[Register.SHUTDOWN] & error:
            self.set_word(Register.TORQUE_LIMIT, 0)

    def _errors(self) -> ServoError:
        error = self._latched
        if not self.table[Register.MIN_VOLTAGE] <= self.voltage_v * 10 <= self.table[Register.MAX_VOLTAGE]:
            error |= ServoError.VOLTAGE
        return error

    def _position(self) -> int:
        return max(0, min(1023, round(self._state.position_ticks)))

    def _refresh_present_values(self) -> None:
        state = self._state
        _PRESENT.pack_into(
            self.table,
            Register.PRESENT_POSITION,
            self._position(),
            signed_word(state.speed_ticks_s / TICKS_S_PER_SPEED_UNIT),
            signed_word(state.load_fraction * 1023),
            round(self.voltage_v * 10),
            min(255, max(0, int(self.temperature_c))),
        )
        off_goal = abs(self.word(Register.GOAL) - state.position_ticks) > 2
        self.table[Register.MOVING] = int(self.torque_enabled and off_goal and abs(state.speed_ticks_s) > 1)
