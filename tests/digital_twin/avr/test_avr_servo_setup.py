"""The servo set-up tool, through ROBOTIS' SDK and a pty, against the virtual servo; and the virtual servo itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture_app.gripper.servo_bus import ServoBus
from capture_app.gripper.servo_setup import (
    ServoSettings,
    StopSearch,
    configure,
    find_servo,
    load_stops,
    measure_stops,
    save_stops,
)
from capture_app.gripper.stops import ServoStops
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.motor import MotorModel
from digital_twin.avr.plant import FreePlant
from digital_twin.avr.registers import Register, ServoError
from digital_twin.avr.servo_pty import ServoPty
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import GripperLinkError


class PumpedBus(ServoBus):
    """The product's bus; the virtual servo is served right after every write."""

    def __init__(self, adapter: ServoPty) -> None:
        super().__init__(adapter.path)
        write = self._port.writePort

        def write_and_pump(packet: list[int]) -> int:
            count = write(packet)
            adapter.pump(count)
            return count

        self._port.writePort = write_and_pump


FAST = StopSearch(speed=300, period_s=0.02)


def packet(servo_id: int, instruction: int, *parameters: int) -> bytes:
    body = bytes([servo_id, len(parameters) + 2, instruction, *parameters])
    return b"\xff\xff" + body + bytes([~sum(body) & 0xFF])


def ask(servo: VirtualAX12, data: bytes, t_ns: int = 0) -> bytes:
    return bytes(b for byte in data for _, b in servo.receive(byte, t_ns, servo.baud))


def test_set_up_from_another_id_and_speed_writes_only_what_differs() -> None:
    servo = VirtualAX12(FreePlant(obstacle_ticks=800))
    servo.table[Register.ID], servo.table[Register.BAUD] = 3, 34
    clock = VirtualClock()
    with ServoPty(servo, clock) as adapter:
        bus = PumpedBus(adapter)
        found = find_servo(bus, ids=(0, 1, 3), say=lambda _: None)
        assert (found.servo_id, found.baud_register, found.model) == (3, 34, "AX-12A")
        assert configure(bus, found, ServoSettings()) == ["id", "return delay", "speed"]
        written = servo.eeprom_writes
        again = find_servo(bus, ids=(1,), say=lambda _: None)
        assert configure(bus, again, ServoSettings()) == []
        assert servo.eeprom_writes == written == 3
        stops = measure_stops(bus, 1, clock, 1, FAST)
        assert stops.open_ticks == 512 and stops.closed_ticks == pytest.approx(792, abs=2)
        assert not servo.torque_enabled
        with pytest.raises(GripperLinkError, match=r"closing direction|Nothing stopped"):
            measure_stops(bus, 1, clock, -1, StopSearch(speed=500, period_s=0.02, timeout_s=1.0))
        assert not servo.torque_enabled
        bus.close()


def test_no_servo_says_what_to_check() -> None:
    servo = VirtualAX12()
    servo.unplug()
    with ServoPty(servo) as adapter:
        bus = PumpedBus(adapter)
        with pytest.raises(GripperLinkError, match="only one servo"):
            find_servo(bus, ids=(1,), say=lambda _: None)
        bus.close()


def test_a_missing_adapter_says_what_to_check() -> None:
    with pytest.raises(GripperLinkError, match="adapter"):
        ServoBus("/dev/does-not-exist")


def test_stops_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "stops.json"
    save_stops(ServoStops(500, 790), path)
    assert load_stops(path) == ServoStops(500, 790)
    path.write_text("{}broken")
    with pytest.raises(GripperLinkError, match="servo setup"):
        load_stops(path)


def test_virtual_servo_speaks_protocol_1() -> None:
    servo = VirtualAX12()
    assert ask(servo, packet(1, 1)) == bytes([0xFF, 0xFF, 1, 2, 0, 0xFC])
    assert ask(servo, packet(2, 1)) == b""
    assert ask(servo, packet(1, 2, 0, 2))[5:7] == bytes([12, 0])
    assert ask(servo, packet(1, 3, 36, 0))[4] == ServoError.RANGE  # present position is read only
    broken = bytearray(packet(1, 1))
    broken[-1] ^= 1
    assert ask(servo, bytes(broken))[4] == ServoError.CHECKSUM
    assert ask(servo, packet(0xFE, 3, 30, 0, 2)) == b""  # broadcast is obeyed and not answered
    assert servo.word(Register.GOAL) == 512


def test_virtual_servo_overloads_when_stalled_hard_and_recovers() -> None:
    servo = VirtualAX12(FreePlant(obstacle_ticks=600), MotorModel(overload_s=1.0))
    ask(servo, packet(1, 3, 30, 0, 3))
    for ms in range(0, 2000, 2):
        servo.advance(ms * 1_000_000)
    assert ask(servo, packet(1, 1), 2_000_000_000)[4] == ServoError.OVERLOAD
    assert servo.word(Register.TORQUE_LIMIT) == 0
    ask(servo, packet(1, 3, 34, 0, 1), 2_000_000_000)
    assert ask(servo, packet(1, 1), 2_000_000_000)[4] == 0


def test_virtual_servo_heats_by_load_and_shuts_down() -> None:
    servo = VirtualAX12(FreePlant(obstacle_ticks=600), MotorModel(time_constant_s=0.5, overload_s=1e9))
    ask(servo, packet(1, 3, 30, 0, 3))
    ms = 0
    while servo.word(Register.TORQUE_LIMIT) != 0 and ms < 3000:
        servo.advance((ms := ms + 2) * 1_000_000)
    assert ask(servo, packet(1, 1), ms * 1_000_000)[4] & ServoError.OVERHEAT
    assert servo.word(Register.TORQUE_LIMIT) == 0
    ask(servo, packet(1, 3, 34, 255, 3), ms * 1_000_000)
    assert servo.word(Register.TORQUE_LIMIT) == 0  # a hot motor stays off
