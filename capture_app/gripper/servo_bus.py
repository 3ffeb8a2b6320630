"""A Dynamixel Protocol 1.0 bus on a USB adapter: ROBOTIS' SDK with typed errors."""

from __future__ import annotations

import serial
from dynamixel_sdk import COMM_SUCCESS, Protocol1PacketHandler
from dynamixel_sdk.port_handler import PortHandler

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


class _PatientPort(PortHandler):
    """The SDK's port at any speed (it knows no 200, 250 and 400 kbaud) and with patience on a busy computer."""

    patience_ms = 0.0

    def setPacketTimeout(self, packet_length: int) -> None:
        super().setPacketTimeout(packet_length)
        self.packet_timeout += self.patience_ms

    def getCFlagBaud(self, baudrate: int) -> int:
        return baudrate


class ServoBus:
    """One open port. Every method raises GripperLinkError when the servo or the port does not answer."""

    def __init__(self, device: str, baud: int = 1_000_000) -> None:
        self._device = device
        self._port = _PatientPort(device)
        self._packets = Protocol1PacketHandler()
        self.set_baud(baud)

    def set_baud(self, baud: int) -> None:
        """Speed of this side of the wire."""
        try:
            self._port.setBaudRate(baud)
        except (serial.SerialException, ValueError) as error:
            raise GripperLinkError(
                f"{self._device} cannot be opened at {baud} baud ({error}). Check the adapter's cable and its name."
            ) from error

    def ping(self, servo_id: int) -> bool:
        """Whether a servo answers at this id, at the port's speed. Soon: most pings of a search are in vain."""
        self._port.patience_ms = 0.0
        return self._packets.ping(self._port, servo_id)[1] == COMM_SUCCESS

    def read(self, servo_id: int, register: int, size: int = 1) -> int:
        """A register of one or two bytes."""
        self._port.patience_ms = PATIENCE_MS
        call = self._packets.read1ByteTxRx if size == 1 else self._packets.read2ByteTxRx
        for _ in range(RETRIES):
            try:
                value, result, _error = call(self._port, servo_id, register)
            except IndexError:  # the SDK trips over an answer without data
                continue
            if result == COMM_SUCCESS:
                return value
        raise self._lost(servo_id, "read")

    def write(self, servo_id: int, register: int, value: int, size: int = 1) -> None:
        """Write a register of one or two bytes; an answer that refuses it is an error too."""
        self._port.patience_ms = PATIENCE_MS
        call = self._packets.write1ByteTxRx if size == 1 else self._packets.write2ByteTxRx
        for _ in range(RETRIES):
            result, error = call(self._port, servo_id, register, value)
            if result == COMM_SUCCESS and not error & 0b1001010:  # instruction, range, angle
                return
            if result == COMM_SUCCESS:
                raise GripperLinkError(
                    f"Servo {servo_id} refused {value} in register {register} (error bits {error:#04x}). What was "
                    "written before is kept; run the set-up again after checking the numbers."
                )
        raise self._lost(servo_id, "write to")

    def close(self) -> None:
        self._port.closePort()

    def _lost(self, servo_id: int, verb: str) -> GripperLinkError:
        return GripperLinkError(
            f"Could not {verb} servo {servo_id} on {self._device}. What was written before is kept: check the cable "
            "and the servo's supply, then run the set-up again."
        )
