"""The servo set-up tool, through ROBOTIS' SDK and a pty, against the virtual servo; and the virtual servo itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial import SerialException

from capture_app.gripper.servo_bus import BAUD_REGISTERS, ServoBus
from capture_app.gripper.servo_setup import (
    ServoSettings,
    StopSearch,
    configure,
    find_servo,
    load_stops,
    measure_stops,
    plan,
    save_stops,
)
from capture_app.gripper.stops import ServoStops
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.motor import MotorModel
from digital_twin.avr.plant import FreePlant
from digital_twin.avr.registers import BROADCAST, Register, ServoError
from digital_twin.avr.servo_pty import ServoPty
from wildgrasp.cli import main
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


def quiet(_: str) -> None:
    """Nothing is said in tests."""


def test_set_up_from_another_id_and_speed_writes_only_what_differs() -> None:
    servo = VirtualAX12(FreePlant(obstacle_ticks=800))
    servo.table[Register.ID], servo.table[Register.BAUD] = 137, 34
    clock = VirtualClock()
    with ServoPty(servo, clock) as adapter:
        bus = PumpedBus(adapter)
        found = find_servo(bus, quiet)
        assert (found.servo_id, found.baud_register, found.model) == (137, 34, "AX-12A")
        changes = plan(bus, found, ServoSettings())
        assert [str(c) for c in changes] == ["id: 137 → 1", "return delay: 250 → 25", "speed: 57600 → 1000000"]
        assert servo.eeprom_writes == 0
        configure(bus, found, changes)
        assert plan(bus, find_servo(bus, quiet), ServoSettings()) == []
        assert servo.eeprom_writes == 3
        stops = measure_stops(bus, 1, clock, 1, FAST)
        assert stops.open_ticks == 512 and stops.closed_ticks == pytest.approx(792, abs=2)
        assert not servo.torque_enabled
        with pytest.raises(GripperLinkError, match=r"closing direction|Nothing stopped"):
            measure_stops(bus, 1, clock, -1, StopSearch(speed=500, period_s=0.02, timeout_s=1.0))
        assert not servo.torque_enabled
        bus.close()


@pytest.mark.parametrize("register", BAUD_REGISTERS)
def test_it_is_found_at_every_speed(register: int) -> None:
    servo = VirtualAX12()
    servo.table[Register.ID], servo.table[Register.BAUD] = register, register
    with ServoPty(servo) as adapter:
        bus = PumpedBus(adapter)
        found = find_servo(bus, quiet)
        assert (found.servo_id, found.baud_register) == (register, register)
        bus.close()


class SharedWire:
    """Several servos on one wire, as one to the adapter: answers at the same time spoil each other."""

    def __init__(self, *servos: VirtualAX12) -> None:
        self._servos = servos

    @property
    def baud(self) -> float:
        return self._servos[0].baud

    def advance(self, t_ns: int) -> None:
        for servo in self._servos:
            servo.advance(t_ns)

    def receive(self, byte: int, t_ns: int, baud: float) -> list[tuple[int, int]]:
        wire: dict[int, int] = {}
        for servo in self._servos:
            for end_ns, value in servo.receive(byte, t_ns, baud):
                wire[end_ns] = wire.get(end_ns, 0xFF) & value
        return sorted(wire.items())


@pytest.mark.parametrize(
    ("delays", "bauds", "message"),
    [
        ((250, 250), (1, 1), "cannot be understood"),  # at once
        ((25, 250), (1, 1), "id 1 at 1000000 baud, id 3 at 1000000 baud"),  # one after the other
        ((250, 250), (1, 34), "id 1 at 1000000 baud, id 3 at 57600 baud"),
    ],
)
def test_several_servos_are_refused_before_anything_is_written(
    delays: tuple[int, int], bauds: tuple[int, int], message: str
) -> None:
    servos = [VirtualAX12(), VirtualAX12()]
    for servo, servo_id, delay, baud in zip(servos, (1, 3), delays, bauds, strict=True):
        servo.table[Register.ID], servo.table[Register.RETURN_DELAY], servo.table[Register.BAUD] = servo_id, delay, baud
    with ServoPty(SharedWire(*servos)) as adapter:
        bus = PumpedBus(adapter)
        with pytest.raises(GripperLinkError, match=message):
            find_servo(bus, quiet)
        bus.close()
    assert all(servo.eeprom_writes == 0 for servo in servos)


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [(Register.MODEL, 29, "model 29"), (Register.LOCK, 1, "take its supply away"), (None, 7.4, "only 7.4 V")],
)
def test_a_wrong_locked_or_weak_servo_is_refused_before_anything_is_written(
    register: Register | None, value: float, message: str
) -> None:
    servo = VirtualAX12()
    if register is None:
        servo.voltage_v = value
    else:
        servo.table[register] = int(value)
    with ServoPty(servo) as adapter:
        bus = PumpedBus(adapter)
        with pytest.raises(GripperLinkError, match=message):
            plan(bus, find_servo(bus, quiet), ServoSettings())
        bus.close()
    assert servo.eeprom_writes == 0


def test_the_command_asks_before_it_writes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    servo = VirtualAX12()

    def setup(answer: str | None, *flags: str) -> int:
        def ask(_: str) -> str:
            if answer is None:
                raise EOFError
            return answer

        monkeypatch.setattr("builtins.input", ask)
        with ServoPty(servo) as adapter:
            monkeypatch.setattr("capture_app.gripper.servo_bus.ServoBus", lambda _: PumpedBus(adapter))
            return main(["servo", "setup", "--port", adapter.path, "--no-measure", *flags])

    assert setup("n") == 0 and servo.eeprom_writes == 0
    assert "return delay: 250 → 25" in capsys.readouterr().out
    assert setup(None) == 2 and servo.eeprom_writes == 0
    assert "--yes" in capsys.readouterr().err
    assert setup("y") == 0 and servo.eeprom_writes == 1
    assert setup(None) == 0 and servo.eeprom_writes == 1  # nothing to do, nothing to ask
    servo.table[Register.RETURN_DELAY] = 250
    assert setup(None, "--yes") == 0 and servo.table[Register.RETURN_DELAY] == 25


def test_no_servo_says_what_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capture_app.gripper.servo_setup.MAX_ID", 1)
    servo = VirtualAX12()
    servo.unplug()
    with ServoPty(servo) as adapter:
        bus = PumpedBus(adapter)
        with pytest.raises(GripperLinkError, match="only one servo"):
            find_servo(bus, quiet)
        bus.close()


def test_a_servo_that_answers_only_to_its_id_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capture_app.gripper.servo_setup.MAX_ID", 2)
    servo = VirtualAX12()
    servo.table[Register.ID] = 2
    handle = servo._handle
    servo._handle = lambda packet: b"" if packet[2] == BROADCAST else handle(packet)
    with ServoPty(servo) as adapter:
        bus = PumpedBus(adapter)
        assert find_servo(bus, quiet).servo_id == 2
        bus.close()


def test_an_adapter_pulled_out_says_so() -> None:
    with ServoPty(VirtualAX12()) as adapter:
        bus = PumpedBus(adapter)
        bus._port.writePort = lambda _: (_ for _ in ()).throw(SerialException("device disconnected"))
        with pytest.raises(GripperLinkError, match="adapter failed"):
            bus.read(1, 0, 2)


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
