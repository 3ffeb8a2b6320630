"""A Dynamixel Protocol 1.0 bus on a USB adapter: ROBOTIS' SDK with typed errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dynamixel_sdk import BROADCAST_ID, COMM_SUCCESS, INST_PING, Protocol1PacketHandler
from dynamixel_sdk.port_handler import PortHandler

from capture_app.gripper.ports import explain
from wildgrasp.errors import GripperLinkError

RETRIES = 3
MAX_ID = 252
BAUD_REGISTERS = {
    1: 1_000_000,
    3: 500_000,
    4: 400_000,
    7: 250_000,
    9: 200_000,
    16: 115_200,
    34: 57_600,
    103: 19_200,
    207: 9_600,
}
PATIENCE_MS = 300.0
CALL_MS = 60.0  # a USB adapter's latency twice, the longest return delay, and an answer at the slowest speed
REFUSED = 0b1001010  # error bits instruction, range and angle


class _PatientPort(PortHandler):
    """The SDK's port at any speed (it knows no 200, 250 and 400 kbaud) and with patience on a busy computer."""

    patience_ms = 0.0

    def setPacketTimeout(self, packet_length: int) -> None:
        super().setPacketTimeout(packet_length)
        self.packet_timeout += self.patience_ms

    def getCFlagBaud(self, baudrate: int) -> int:
        return baudrate


def answers_to_all(data: bytes) -> tuple[list[int], bool]:
    """What came back from a ping to all: the ids that answered, and whether there was anything else (a collision)."""
    ids, rest = [], data
    while len(rest) >= 6 and rest[:2] == b"\xff\xff" and rest[3] == 2 and ~sum(rest[2:5]) & 0xFF == rest[5]:
        ids.append(rest[2])
        rest = rest[6:]
    return ids, bool(rest)


class ServoBus:
    """One open port. Every method raises GripperLinkError when the servo or the port does not answer."""

    def __init__(self, device: str, baud: int = 1_000_000) -> None:
        self._device = device
        self._port = _PatientPort(device)
        self._packets = Protocol1PacketHandler()
        self.set_baud(baud)

    def set_baud(self, baud: int) -> None:
        """Speed of this side of the wire."""
        with self._explained():
            self._port.setBaudRate(baud)

    def ping(self, servo_id: int) -> bool:
        """Whether a servo answers at this id, at the port's speed. Soon: most pings of a search are in vain."""
        self._port.patience_ms = 0.0
        with self._explained():
            return self._packets.ping(self._port, servo_id)[1] == COMM_SUCCESS

    def ping_all(self) -> tuple[list[int], bool]:
        """Ids of all that answer at the port's speed, and whether somebody answered who could not be understood."""
        with self._explained():
            self._packets.txPacket(self._port, [0, 0, BROADCAST_ID, 2, INST_PING, 0])
            data = bytearray()
            self._port.setPacketTimeoutMillis(CALL_MS)
            while not self._port.isPacketTimeout():
                data += bytes(self._port.readPort(64))
            self._port.is_using = False  # the SDK knows no answers to all
        return answers_to_all(bytes(data))

    def read(self, servo_id: int, register: int, size: int = 1) -> int:
        """A register of one or two bytes."""
        call = self._packets.read1ByteTxRx if size == 1 else self._packets.read2ByteTxRx
        (value,), _ = self._ask("read", call, servo_id, register)
        return value

    def write(self, servo_id: int, register: int, value: int, size: int = 1) -> None:
        """Write a register of one or two bytes; an answer that refuses it is an error too."""
        call = self._packets.write1ByteTxRx if size == 1 else self._packets.write2ByteTxRx
        _, error = self._ask("write to", call, servo_id, register, value)
        if error & REFUSED:
            raise GripperLinkError(
                f"Servo {servo_id} refused {value} in register {register} (error bits {error:#04x}). What was "
                "written before is kept; run the set-up again after checking the numbers."
            )

    def close(self) -> None:
        self._port.closePort()

    def _ask(self, verb: str, call: Callable[..., tuple], servo_id: int, *what: int) -> tuple[list[int], int]:
        """The SDK's call, again when its answer was lost: its values and the servo's error bits."""
        self._port.patience_ms = PATIENCE_MS
        for _ in range(RETRIES):
            with self._explained():
                try:
                    *values, result, error = call(self._port, servo_id, *what)
                except IndexError:  # the SDK trips over an answer without data
                    continue
            if result == COMM_SUCCESS:
                return values, error
        raise GripperLinkError(
            f"Could not {verb} servo {servo_id} on {self._device}. What was written before is kept: check the cable "
            "and the servo's supply, then run the set-up again."
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            raise GripperLinkError(f"The adapter failed. {explain(self._device, error)}") from error
