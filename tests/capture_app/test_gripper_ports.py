"""Finding the gripper among ports, and saying what to do when there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from serial import SerialTimeoutException

from capture_app.gripper.ports import find_gripper
from capture_app.gripper.protocol import PROTOCOL_VERSION, HelloMessage, encode
from capture_app.gripper.stops import ServoStops
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import GripperLinkError

HELLO = HelloMessage(PROTOCOL_VERSION, 0xABCD, 3, 1, 512, 812)


class FakePort:
    """Answers every write with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._pending = b""
        self.closed = False
        self.timeout = 0.0

    @property
    def in_waiting(self) -> int:
        return len(self._pending)

    def read(self, size: int = 1) -> bytes:
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def write(self, data: bytes) -> int:
        self._pending += self._answer
        return len(data)

    def open(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def opener(ports: dict[str, FakePort | OSError]) -> Callable[[str], FakePort]:
    def open_device(name: str) -> FakePort:
        port = ports[name]
        if isinstance(port, OSError):
            raise port
        return port

    return open_device


def find(ports: dict[str, FakePort | OSError], device: str | None = None):
    return find_gripper(device, VirtualClock(), lambda: ports, opener(ports))


def test_it_is_found_behind_others_that_are_closed_again() -> None:
    other, gripper = FakePort(b"Grbl 1.1\r\n"), FakePort(b"\x00" + encode(HELLO))
    port, hello = find({"a": other, "b": PermissionError("no"), "c": gripper})
    assert port is gripper and hello == HELLO
    assert other.closed and not gripper.closed


class Chatterbox(FakePort):
    """Another device that never stops talking."""

    def __init__(self) -> None:
        super().__init__(b"")

    @property
    def in_waiting(self) -> int:
        return 1_000_000

    def read(self, size: int = 1) -> bytes:
        return b"T=21.5;" * (size // 7 + 1)


class LateGripper(FakePort):
    """Answers when its bootloader has finished."""

    def __init__(self, clock: VirtualClock, ready_ns: int) -> None:
        super().__init__(b"\x00" + encode(HELLO))
        self._clock, self._ready_ns = clock, ready_ns

    def write(self, data: bytes) -> int:
        return super().write(data) if self._clock.now_ns() >= self._ready_ns else len(data)


class Stuck(FakePort):
    """Takes nothing."""

    def write(self, data: bytes) -> int:
        raise SerialTimeoutException("Write timeout")


def test_silent_talking_and_stuck_neighbours_do_not_keep_the_gripper_waiting() -> None:
    clock = VirtualClock()
    gripper = LateGripper(clock, 2_500_000_000)
    ports = {"a": FakePort(b""), "b": Chatterbox(), "c": Stuck(b""), "d": gripper, "e": FakePort(b"")}
    start_ns = clock.now_ns()
    port, _ = find_gripper(None, clock, lambda: ports, opener(ports))
    assert port is gripper and not gripper.closed
    assert all(other.closed for name, other in ports.items() if name != "d")
    assert clock.now_ns() - start_ns < 3_000_000_000


def test_every_port_that_was_tried_is_told_about() -> None:
    with pytest.raises(GripperLinkError, match=r"(?s)a .*does not answer.*b .*does not answer"):
        find({"a": FakePort(b""), "b": Chatterbox()})


@pytest.mark.parametrize(
    ("ports", "device", "advice"),
    [
        ({}, None, "Plug in"),
        ({"x": PermissionError(13, "Permission denied")}, None, "dialout"),
        ({"x": FileNotFoundError(2, "No such file or directory")}, "x", "check the cable"),
        ({"x": OSError("[Errno 11] Could not exclusively lock port x")}, None, "close that one"),
        ({"x": FakePort(b"")}, None, "flash its firmware"),
        ({"x": FakePort(b"\x00" + encode(HelloMessage(9, 0, 1, 1, 512, 812)))}, None, "version 9"),
    ],
)
def test_errors_say_what_to_do(ports: dict, device: str | None, advice: str) -> None:
    with pytest.raises(GripperLinkError, match=advice):
        find(ports, device)


def test_stops_map_both_ways() -> None:
    for stops in (ServoStops(512, 812), ServoStops(700, 300)):
        assert stops.opening(stops.open_ticks) == 1 and stops.opening(stops.closed_ticks) == 0
        assert stops.opening(stops.ticks(0.3)) == pytest.approx(0.3)
        assert stops.opening_per_s(stops.closing_sign * 10) < 0
        assert repr(stops.opening_per_s(0.0)) == "0.0"
    with pytest.raises(ValueError, match="same"):
        ServoStops(500, 500)
