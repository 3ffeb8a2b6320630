"""Setting up a new AX-12A on a USB adapter: find it, say what would change, change it, measure its stops.

Registers and units: ROBOTIS e-Manual, AX-12A control table. EEPROM is written only where it differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from capture_app.gripper.protocol import MAX_TICKS
from capture_app.gripper.servo_bus import BAUD_REGISTERS, MAX_ID
from capture_app.gripper.stops import ServoStops
from wildgrasp.clocks import Clock
from wildgrasp.errors import GripperLinkError

MODEL, ID, BAUD, TORQUE_ENABLE, GOAL, SPEED, TORQUE_LIMIT, POSITION, LOAD = 0, 3, 4, 24, 30, 32, 34, 36, 40
VOLTAGE, TEMPERATURE, LOCK = 42, 43, 47
MODELS = {12: "AX-12A", 18: "AX-18A"}  # the same registers; the latter is stronger
MIN_VOLTAGE = 9.0
MIN_STROKE_TICKS = 20


class Bus(Protocol):
    """What the set-up needs of a bus; see :class:`~capture_app.gripper.servo_bus.ServoBus`."""

    def set_baud(self, baud: int) -> None: ...

    def ping(self, servo_id: int) -> bool: ...

    def ping_all(self) -> tuple[list[int], bool]: ...

    def read(self, servo_id: int, register: int, size: int = 1) -> int: ...

    def write(self, servo_id: int, register: int, value: int, size: int = 1) -> None: ...


@dataclass(frozen=True)
class ServoSettings:
    """What the firmware expects of its servo."""

    servo_id: int = 1
    baud_register: int = 1  # 1 Mbaud
    return_delay_us: int = 50
    min_ticks: int = 0
    max_ticks: int = MAX_TICKS
    temperature_limit_c: int = 70
    max_torque: int = 1023  # 1/1023 of stall torque; the firmware limits each motion itself
    shutdown_mask: int = 36  # overload and overheat

    def registers(self) -> list[tuple[str, int, int, int]]:
        """(name, register, bytes, value) of all but id and speed."""
        return [
            ("return delay", 5, 1, self.return_delay_us // 2),
            ("lower angle limit", 6, 2, self.min_ticks),
            ("upper angle limit", 8, 2, self.max_ticks),
            ("temperature limit", 11, 1, self.temperature_limit_c),
            ("maximum torque", 14, 2, self.max_torque),
            ("status return", 16, 1, 2),
            ("alarm LED", 17, 1, self.shutdown_mask),
            ("shutdown", 18, 1, self.shutdown_mask),
        ]


@dataclass(frozen=True)
class StopSearch:
    """How the closed stop is felt for: slowly, weakly."""

    speed: int = 60  # 0.111 rpm
    torque: int = 350  # 1/1023 of stall torque
    stall_load: int = 180
    still_ticks: int = 2  # between two readings
    readings: int = 3
    period_s: float = 0.05
    timeout_s: float = 15.0
    margin_ticks: int = 8  # the stop in use is this much before the mechanical one


@dataclass(frozen=True)
class Found:
    """The servo that answered."""

    servo_id: int
    baud_register: int
    model: str
    voltage: float
    temperature_c: int

    def __str__(self) -> str:
        baud = BAUD_REGISTERS[self.baud_register]
        return f"{self.model}, id {self.servo_id} at {baud} baud, {self.voltage:.1f} V, {self.temperature_c} °C"


@dataclass(frozen=True)
class Change:
    """A register of the servo's EEPROM that is not as it should be."""

    name: str
    register: int
    size: int
    before: int
    after: int

    def __str__(self) -> str:
        shown = BAUD_REGISTERS if self.register == BAUD else {}
        return f"{self.name}: {shown.get(self.before, self.before)} → {shown.get(self.after, self.after)}"


def find_servo(bus: Bus, say: Callable[[str], None] = print) -> Found:
    """Look for the one servo at every speed. Raises GripperLinkError when there is none, several, or another model."""
    # Twice: an answer may come too late on a busy computer. At last one by one, for servos that ignore calls to all.
    for search in (_call_all, _call_all, _call_each):
        found = search(bus, say)
        if len(found) > 1:
            which = ", ".join(f"id {i} at {BAUD_REGISTERS[r]} baud" for r, i in found)
            raise GripperLinkError(f"Several servos answer ({which}). Nothing was changed: leave only one on the bus.")
        if found:
            return _meet(bus, *found[0])
    raise GripperLinkError(
        "No servo answered at any speed. Nothing was changed: check that it has 9–12 V, that only one servo is on the "
        "bus, and that the adapter is set to TTL."
    )


def _call_all(bus: Bus, say: Callable[[str], None]) -> list[tuple[int, int]]:
    """(baud register, id) of all that answer a call to everybody."""
    found, garbled = [], []
    for register, baud in BAUD_REGISTERS.items():
        bus.set_baud(baud)
        ids, collided = bus.ping_all()
        found += [(register, servo_id) for servo_id in ids]
        garbled += [baud] if collided else []
    if garbled:
        raise GripperLinkError(
            f"Something answers at {garbled[0]} baud that cannot be understood: several servos at once, or a bad "
            "cable. Nothing was changed: leave only one servo on the bus and try again."
        )
    return found


def _call_each(bus: Bus, say: Callable[[str], None]) -> list[tuple[int, int]]:
    """(baud register, id) of the first that answers when it is called by its id."""
    for register, baud in BAUD_REGISTERS.items():
        bus.set_baud(baud)
        say(f"nobody answered a call to all; asking each id at {baud} baud")
        for servo_id in range(MAX_ID + 1):
            if bus.ping(servo_id):
                return [(register, servo_id)]
    return []


def _meet(bus: Bus, baud_register: int, servo_id: int) -> Found:
    bus.set_baud(BAUD_REGISTERS[baud_register])
    model = bus.read(servo_id, MODEL, 2)
    if model not in MODELS:
        raise GripperLinkError(
            f"Servo {servo_id} is no AX-12A (it says model {model}), and its registers mean other things. Nothing was "
            "changed: connect an AX-12A."
        )
    found = Found(
        servo_id, baud_register, MODELS[model], bus.read(servo_id, VOLTAGE) / 10, bus.read(servo_id, TEMPERATURE)
    )
    if found.voltage < MIN_VOLTAGE:
        raise GripperLinkError(f"The servo has only {found.voltage:.1f} V. Nothing was changed: give it 9 to 12 V.")
    return found


def plan(bus: Bus, found: Found, settings: ServoSettings) -> list[Change]:
    """What differs from the settings, in the order in which it is to be written. Writes nothing."""
    wanted = [("id", ID, 1, settings.servo_id), *settings.registers(), ("speed", BAUD, 1, settings.baud_register)]
    changes = []
    for name, register, size, value in wanted:
        before = bus.read(found.servo_id, register, size)
        if before != value:
            changes.append(Change(name, register, size, before, value))
    if changes and bus.read(found.servo_id, LOCK):
        raise GripperLinkError(
            "The servo's settings are locked until it is switched off. Nothing was changed: take its supply away for a "
            "moment and try again."
        )
    return changes


def configure(bus: Bus, found: Found, changes: Iterable[Change]) -> None:
    """Write the changes and read them back. Torque is off afterwards."""
    servo_id = found.servo_id
    bus.write(servo_id, TORQUE_ENABLE, 0)
    for change in changes:
        bus.write(servo_id, change.register, change.after, change.size)
        if change.register == ID:
            servo_id = change.after
        if change.register == BAUD:  # it answers at the old speed
            bus.set_baud(BAUD_REGISTERS[change.after])
        if bus.read(servo_id, change.register, change.size) != change.after:
            raise GripperLinkError(
                f"The servo did not keep its {change.name}. Power it off and on, and run the set-up again."
            )


def measure_stops(bus: Bus, servo_id: int, clock: Clock, closing_sign: int, search: StopSearch) -> ServoStops:
    """The open stop is where the fingers are now (cable just slack); the closed one is felt for. Ends open, torque off.

    Raises GripperLinkError when nothing stops the servo, or right away.
    """
    open_ticks = bus.read(servo_id, POSITION, 2)
    bus.write(servo_id, TORQUE_LIMIT, search.torque, 2)
    bus.write(servo_id, SPEED, search.speed, 2)
    bus.write(servo_id, GOAL, MAX_TICKS if closing_sign > 0 else 0, 2)
    try:
        stop = _drive_until_stalled(bus, servo_id, clock, search)
        bus.write(servo_id, GOAL, open_ticks, 2)
        _wait_until_there(bus, servo_id, clock, open_ticks, search)
    finally:
        bus.write(servo_id, TORQUE_ENABLE, 0)
    closed_ticks = stop - closing_sign * search.margin_ticks
    if (closed_ticks - open_ticks) * closing_sign < MIN_STROKE_TICKS:
        raise GripperLinkError(
            f"The fingers stopped after {abs(stop - open_ticks)} ticks. Open them fully (cable just slack), check the "
            "closing direction, and run the set-up again; the servo is off."
        )
    return ServoStops(open_ticks, closed_ticks)


def _drive_until_stalled(bus: Bus, servo_id: int, clock: Clock, search: StopSearch) -> int:
    last, still = -1000, 0
    for _ in range(round(search.timeout_s / search.period_s)):
        clock.sleep_until_ns(clock.now_ns() + round(search.period_s * 1e9))
        position = bus.read(servo_id, POSITION, 2)
        load = bus.read(servo_id, LOAD, 2) & 0x3FF
        stalled = abs(position - last) <= search.still_ticks and load >= search.stall_load
        still = still + 1 if stalled else 0
        if still >= search.readings:
            return position
        last = position
    raise GripperLinkError(
        "Nothing stopped the servo: is the cable attached? Its closed stop is not known; the servo is off."
    )


def _wait_until_there(bus: Bus, servo_id: int, clock: Clock, ticks: int, search: StopSearch) -> None:
    for _ in range(round(search.timeout_s / search.period_s)):
        if abs(bus.read(servo_id, POSITION, 2) - ticks) <= 6:
            return
        clock.sleep_until_ns(clock.now_ns() + round(search.period_s * 1e9))


def save_stops(stops: ServoStops, path: Path) -> None:
    """Keep the stops as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(stops), indent=2) + "\n", encoding="utf-8")


def load_stops(path: Path) -> ServoStops:
    """Inverse of :func:`save_stops`. Raises GripperLinkError."""
    try:
        return ServoStops(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise GripperLinkError(f"{path} holds no servo stops ({error}). Run `wildgrasp servo setup` first.") from error
