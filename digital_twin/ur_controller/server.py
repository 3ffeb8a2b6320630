"""Serving a simulated controller and its gripper on a loopback address, in real time, in one asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np

from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.rg2 import Rg2, modbus_server
from digital_twin.ur_controller.rg2_xmlrpc import UrCapServer
from digital_twin.ur_controller.rtde_server import RtdeServer
from digital_twin.ur_controller.text_servers import DashboardServer, ScriptServer
from wildgrasp.errors import RobotError

DASHBOARD_PORT = 29999
SCRIPT_PORTS = (30001, 30002, 30003)
RTDE_PORT = 30004
URCAP_PORT = 41414
RG2_PORT = 1502  # a Compute Box listens on 502, which ordinary users may not open

_REANCHOR_S = 0.2  # after a stall longer than this, time is not caught up


@dataclass
class CycleTimes:
    """How punctual the simulated controller is itself: lateness of recent cycles in seconds."""

    late_s: deque[float] = field(default_factory=lambda: deque(maxlen=20000))

    def p99_ms(self) -> float:
        return float(np.percentile(self.late_s, 99) * 1e3) if self.late_s else 0.0


@contextlib.asynccontextmanager
async def serving(
    machine: Machine, rg2: Rg2 | None, address: str = "127.0.0.1", rg2_port: int = RG2_PORT
) -> AsyncIterator[RtdeServer]:
    """All servers listening while inside. Raises RobotError when the address is not loopback or a port is taken."""
    if not ipaddress.ip_address(address).is_loopback:
        raise RobotError(f"{address} is not a loopback address. The simulated controller serves 127.x.x.x only.")
    rtde = RtdeServer(machine)
    handlers: list[tuple[Callable, int]] = [(rtde.handle, RTDE_PORT), (DashboardServer(machine).handle, DASHBOARD_PORT)]
    handlers += [(ScriptServer(machine).handle, port) for port in SCRIPT_PORTS]
    if rg2 is not None:
        handlers.append((UrCapServer(rg2).handle, URCAP_PORT))
    servers: list[asyncio.Server] = []
    modbus = None
    try:
        for handler, port in handlers:
            servers.append(await _listen(handler, address, port))
        if rg2 is not None:
            modbus = modbus_server(rg2, address, rg2_port)
            if not await modbus.listen():
                raise RobotError(
                    f"{address}:{rg2_port} is in use. Stop the program that uses it, or give another port."
                )
        yield rtde
    finally:
        for server in servers:
            server.close()
        if modbus is not None:
            await modbus.shutdown()


async def run_cycles(machine: Machine, rtde: RtdeServer, times: CycleTimes | None = None) -> None:
    """Advance the machine in real time, for ever."""
    next_s = time.perf_counter()
    while True:
        next_s += machine.dt
        delay = next_s - time.perf_counter()
        if delay < -_REANCHOR_S:
            next_s = time.perf_counter()
        await asyncio.sleep(max(0.0, delay))
        if times is not None:
            times.late_s.append(time.perf_counter() - next_s)
        machine.tick()
        rtde.publish()


async def serve(machine: Machine, rg2: Rg2 | None, address: str = "127.0.0.1", rg2_port: int = RG2_PORT) -> None:
    """Serve a controller (RTDE, dashboard, script ports) and an RG2 on a loopback address until cancelled."""
    async with serving(machine, rg2, address, rg2_port) as rtde:
        await run_cycles(machine, rtde)


async def _listen(handler: Callable, address: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(handler, address, port)
    except OSError as error:
        raise RobotError(
            f"{address}:{port} cannot be opened ({error.strerror}). Another controller runs there; give another "
            "loopback address, for example 127.0.0.2."
        ) from error
