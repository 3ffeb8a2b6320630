"""An OnRobot RG2 through its Compute Box, by Modbus TCP.

Registers of unit 65. Written in one request from 0: force (0.1 N), width (0.1 mm), control (16: grip, counting the
fingertips' offset). Read from 267: width (0.1 mm), status bits (0 busy, 1 grip detected, 2–6 safety). They come from a
public MIT-licensed driver; check them against the manual of the Compute Box at hand.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from robot_runner.gripper.base import GripperState
from wildgrasp.errors import RobotError
from wildgrasp.rig import MAX_OPENING_M

UNIT = 65
MAX_FORCE_N = 40.0
_FORCE, _WIDTH_READ = 0, 267
_GRIP_WITH_OFFSET = 16
_BUSY, _GRIP_DETECTED = 1 << 0, 1 << 1
_SAFETY = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6  # switches pushed or triggered, safety error
_POLL_S = 0.01
_START_S = 0.15  # within which a commanded motion shows as busy
_TIMEOUT_S = 1.0


@dataclass
class Rg2Modbus:
    """An RG2 at a Compute Box. Implements the ``Gripper`` seam."""

    host: str
    port: int = 502
    _client: Any = field(default=None, init=False, repr=False)
    _commanded_s: float = field(default=0.0, init=False, repr=False)

    def connect(self) -> None:
        """Raises RobotError when no Compute Box answers, or its gripper does not."""
        from pymodbus.client import ModbusTcpClient

        self.close()
        self._client = ModbusTcpClient(self.host, port=self.port, timeout=_TIMEOUT_S, retries=1)
        if not self._client.connect():
            self._client = None
            raise RobotError(
                f"No gripper answers at {self.host}:{self.port}. Is the Compute Box switched on and on this network?"
            )
        self._raise_if_unsafe(self.state())

    def state(self) -> GripperState:
        width, status = self._read(_WIDTH_READ, 2)
        return GripperState(
            time.monotonic_ns(),
            width * 1e-4,
            bool(status & _BUSY),
            bool(status & _GRIP_DETECTED),
            not status & _SAFETY,
        )

    def move_to(self, width_m: float, force_n: float) -> None:
        """Open or close towards a width. Waits for a motion under way: a busy RG2 ignores commands."""
        if not 0.0 <= width_m <= MAX_OPENING_M or not 0.0 < force_n <= MAX_FORCE_N:
            raise RobotError(
                f"The gripper was asked for {width_m * 1e3:.0f} mm at {force_n:.0f} N; it can do "
                f"0–{MAX_OPENING_M * 1e3:.0f} mm at up to {MAX_FORCE_N:.0f} N. Nothing moved."
            )
        self.wait(5.0)
        self._write(_FORCE, [round(force_n * 10), round(width_m * 1e4), _GRIP_WITH_OFFSET])
        self._commanded_s = time.monotonic()

    def wait(self, timeout_s: float) -> GripperState:
        deadline_s = time.monotonic() + timeout_s
        while True:
            reading = self.state()
            self._raise_if_unsafe(reading)
            now_s = time.monotonic()
            if not reading.busy and now_s - self._commanded_s > _START_S:
                return reading
            if now_s > deadline_s:
                raise RobotError(
                    f"The gripper still moves after {timeout_s:.0f} s. Look at what it holds, then start again."
                )
            time.sleep(_POLL_S)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _raise_if_unsafe(self, reading: GripperState) -> None:
        if not reading.safety_ok:
            raise RobotError(
                "The gripper's safety switch was triggered, so it does not move. Free its fingers, switch its power "
                "off and on, then start again."
            )

    def _read(self, address: int, count: int) -> list[int]:
        return self._request(lambda c: c.read_holding_registers(address, count=count, device_id=UNIT)).registers

    def _write(self, address: int, values: list[int]) -> None:
        self._request(lambda c: c.write_registers(address, values, device_id=UNIT))

    def _request(self, ask: Any) -> Any:
        from pymodbus.exceptions import ModbusException

        if self._client is None:
            raise RobotError("The gripper is not connected.")
        try:
            answer = ask(self._client)
        except (ModbusException, OSError):
            answer = None
        if answer is None or answer.isError():
            raise RobotError(
                f"The gripper at {self.host}:{self.port} does not answer. Look at the Compute Box and its cable, then "
                "start again; the fingers stay as they are."
            )
        return answer
