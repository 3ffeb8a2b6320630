"""Serial ports: the interface the link needs, and finding the one the gripper answers on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import serial
from serial.tools import list_ports

from capture_app.gripper.frames import FrameStream
from capture_app.gripper.protocol import BAUD, PROTOCOL_VERSION, Command, CommandMessage, HelloMessage, encode
from wildgrasp.clocks import Clock
from wildgrasp.errors import GripperLinkError

ARDUINO_USB_VENDORS = {0x2341, 0x2A03, 0x1A86, 0x10C4, 0x0403}  # Arduino twice, then CH340, CP210x and FTDI of clones
HELLO_TIMEOUT_S = 4.0  # a Mega resets when its port is opened; its bootloader then waits up to two seconds
IDENTIFY_EVERY_S = 0.3
MOST_AT_ONCE = 4096  # bytes; a device that chatters must not keep the others waiting


class SerialPort(Protocol):
    """The part of ``serial.Serial`` that the link uses. Errors are ``OSError`` (``serial.SerialException`` is one)."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int = 1) -> bytes: ...

    def write(self, data: bytes) -> int | None: ...

    def open(self) -> None: ...

    def close(self) -> None: ...


def open_serial(device: str) -> serial.Serial:
    """Open a port for the gripper, for this program alone. Raises OSError."""
    return serial.Serial(device, BAUD, timeout=0.01, write_timeout=0.2, exclusive=True)


def candidates() -> list[str]:
    """Ports that may be an Arduino, by their USB vendor."""
    return sorted(p.device for p in list_ports.comports() if p.vid in ARDUINO_USB_VENDORS)


def identify(ports: dict[str, SerialPort], clock: Clock) -> tuple[str, HelloMessage | OSError] | None:
    """Ask on all ports at once who is there; the first that answers as a gripper, or fails. None after a while."""
    streams = {name: FrameStream() for name in ports}
    start_ns = clock.now_ns()
    asked_ns = start_ns - round(IDENTIFY_EVERY_S * 1e9)
    while (now_ns := clock.now_ns()) - start_ns < HELLO_TIMEOUT_S * 1e9:
        ask = now_ns - asked_ns >= IDENTIFY_EVERY_S * 1e9
        asked_ns = now_ns if ask else asked_ns
        for name, port in ports.items():
            try:
                if ask:
                    port.write(encode(CommandMessage(Command.IDENTIFY, 0)))
                frames = streams[name].feed(port.read(min(port.in_waiting, MOST_AT_ONCE) or 1))
            except OSError as error:
                return name, error
            for frame in frames:
                if isinstance(frame.message, HelloMessage):
                    return name, frame.message
        clock.sleep_until_ns(now_ns + 5_000_000)
    return None


def find_gripper(
    device: str | None,
    clock: Clock,
    list_devices: Callable[[], Iterable[str]] = candidates,
    open_device: Callable[[str], SerialPort] = open_serial,
) -> tuple[SerialPort, HelloMessage]:
    """The open port on which the gripper answered. Raises GripperLinkError that says what to do."""
    devices = [device] if device is not None else list(list_devices())
    if not devices:
        raise GripperLinkError(
            "No gripper was found: no Arduino is connected. Plug in the gripper's USB cable and try again, or name its "
            "port with --port."
        )
    problems: list[str] = []
    ports: dict[str, SerialPort] = {}
    for name in devices:
        try:
            ports[name] = open_device(name)
        except OSError as error:
            problems.append(explain(name, error))
    while ports and (answer := identify(ports, clock)) is not None:
        name, what = answer
        port = ports.pop(name)
        if isinstance(what, HelloMessage) and what.protocol == PROTOCOL_VERSION:
            _close(ports.values())
            return port, what
        _close([port])
        problems.append(_explain_version(name, what) if isinstance(what, HelloMessage) else explain(name, what))
    _close(ports.values())
    problems += [
        f"{name} does not answer as a gripper: flash its firmware (docs/firmware.md) or choose another port."
        for name in ports
    ]
    raise GripperLinkError("No gripper was found. " + " ".join(problems))


def _close(ports: Iterable[SerialPort]) -> None:
    for port in ports:
        port.close()


def explain(name: str, error: Exception) -> str:
    """What is wrong with a port, and what to do."""
    text = str(error)
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return f"{name} may not be opened: add yourself to the group 'dialout' and log in again."
    if "exclusively lock" in text or "busy" in text.lower():
        return f"{name} is in use by another program: close that one."
    if isinstance(error, FileNotFoundError) or "No such file" in text:
        return f"{name} does not exist: check the cable and the name."
    return f"{name} could not be used ({text})."


def _explain_version(name: str, hello: HelloMessage) -> str:
    return (
        f"{name} speaks version {hello.protocol} of the gripper protocol, this program {PROTOCOL_VERSION}: flash the "
        "firmware that came with this program (docs/firmware.md)."
    )
