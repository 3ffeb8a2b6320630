"""An OnRobot RG2 behind a Compute Box, as far as Modbus TCP shows it (``rg2_xmlrpc`` shows the same one as a URCap).

Registers (unit 65): write 0 force in 0.1 N, 1 width in 0.1 mm, 2 control (1 grip, 8 stop, 16 grip with fingertip
offset); read 258 fingertip offset, 267 width, 268 status, 275 width with offset. Status bits: 0 busy, 1 grip detected,
2 and 4 a safety switch pushed, 3 and 5 triggered until a power cycle, 6 safety error.
"""

from __future__ import annotations

from dataclasses import dataclass

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from digital_twin.ur_controller.plant import FingerPlant

UNIT = 65
_FORCE, _WIDTH, _CONTROL = 0, 1, 2
_OFFSET_READ, _WIDTH_READ, _STATUS_READ, _WIDTH_WITH_OFFSET_READ = 258, 267, 268, 275
_GRIP, _STOP, _GRIP_WITH_OFFSET = 1, 8, 16
_SAFETY_TRIGGERED = 1 << 3


@dataclass
class Rg2:
    """The gripper's registers over its fingers. ``silent`` makes it swallow requests, ``tripped`` its safety switch."""

    fingers: FingerPlant
    fingertip_offset_m: float = 0.0
    silent: bool = False
    tripped: bool = False

    def __post_init__(self) -> None:
        self._force_n, self._width_m = 40.0, 0.11

    def write(self, address: int, values: list[int]) -> None:
        """Registers from an address on, in one request."""
        registers = {address + i: value for i, value in enumerate(values)}
        self._force_n = registers.get(_FORCE, self._force_n * 10) / 10
        self._width_m = registers.get(_WIDTH, self._width_m * 1e4) / 1e4
        control = registers.get(_CONTROL)
        if control == _STOP:
            self.fingers.command(self.fingers.read()[0], self._force_n)
        elif control in (_GRIP, _GRIP_WITH_OFFSET):
            offset = self.fingertip_offset_m if control == _GRIP_WITH_OFFSET else 0.0
            self.grip(self._width_m + offset, self._force_n)

    def grip(self, width_m: float, force_n: float) -> None:
        """Move the fingers, unless they move already or the safety switch was triggered."""
        if not self.fingers.read()[1] and not self.tripped:
            self.fingers.command(width_m, force_n)

    def status(self) -> int:
        """Status bits."""
        _, busy, grip = self.fingers.read()
        return int(busy) | int(grip) << 1 | (_SAFETY_TRIGGERED if self.tripped else 0)

    def read(self) -> dict[int, int]:
        """Values of the readable registers."""
        width_m = self.fingers.read()[0]
        return {
            _OFFSET_READ: round(self.fingertip_offset_m * 1e4),
            _WIDTH_READ: round(width_m * 1e4),
            _STATUS_READ: self.status(),
            _WIDTH_WITH_OFFSET_READ: round((width_m - self.fingertip_offset_m) * 1e4),
        }

    async def on_request(
        self, function: int, start: int, address: int, count: int, registers: list[int], written: list[int] | None
    ) -> None:
        """pymodbus' hook: called before a read is answered and when registers are written."""
        if written is not None:
            self.write(address, list(written))
            return
        for register, value in self.read().items():
            if start <= register < start + len(registers):
                registers[register - start] = value & 0xFFFF


def modbus_server(rg2: Rg2, address: str, port: int) -> ModbusTcpServer:
    """A server to be started with ``await server.listen()`` and ended with ``await server.shutdown()``."""
    device = SimDevice(
        UNIT, simdata=[SimData(0, count=300, values=0, datatype=DataType.REGISTERS)], action=rg2.on_request
    )
    return ModbusTcpServer(
        [device], address=(address, port), trace_packet=lambda sending, data: b"" if rg2.silent else data
    )
