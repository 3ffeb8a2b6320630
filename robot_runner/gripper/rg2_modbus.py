"""An OnRobot RG2 through its Compute Box, by Modbus TCP.

Registers of unit 65. Written in one request from 0: force (0.1 N), width (0.1 mm), control (16: grip, counting the
fingertips' offset). Read from 267: width (0.1 mm), status bits (0 busy, 1 grip detected, 2–6 safety). They come from a
public MIT-licensed driver; check them against the manual of the Compute Box at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from robot_runner.gripper.rg2 import Rg2, raise_if_unsafe
from wildgrasp.errors import RobotError

UNIT = 65
_FORCE, _WIDTH_READ = 0, 267
_GRIP_WITH_OFFSET = 16
_TIMEOUT_S = 1.0


@dataclass
class Rg2Modbus(Rg2):
    """An RG2 at a Compute Box. Implements the ``Gripper`` seam."""

    host: str
    port: int = 502
    _client: Any = field(default=None, init=False, repr=False)

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
        raise_if_unsafe(self.state())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _reading(self) -> tuple[float, int]:
        answer = self._request(lambda c: c.read_holding_registers(_WIDTH_READ, count=2, device_id=UNIT))
        width, status = answer.registers
        return width * 1e-4, status

    def _grip(self, width_m: float, force_n: float) -> None:
        values = [round(force_n * 10), round(width_m * 1e4), _GRIP_WITH_OFFSET]
        self._request(lambda c: c.write_registers(_FORCE, values, device_id=UNIT))

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
