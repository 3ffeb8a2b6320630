"""The RTDE server (TCP 30004): recipes, and packages at each client's own rate.

Protocol: frames of ``>HB`` (size with header, command) and a payload; versions 1 and 2 of Universal Robots' RTDE Guide.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from digital_twin.ur_controller import rtde_fields
from digital_twin.ur_controller.machine import Machine

_FRAME = struct.Struct(">HB")
_MAX_BACKLOG = 65536  # bytes a client may lag behind before packages to it are dropped, as a real controller does


class Command(IntEnum):
    PROTOCOL_VERSION = 86  # V
    URCONTROL_VERSION = 118  # v
    SETUP_OUTPUTS = 79  # O
    SETUP_INPUTS = 73  # I
    START = 83  # S
    PAUSE = 80  # P
    DATA = 85  # U


@dataclass(eq=False)
class _Client:
    writer: asyncio.StreamWriter
    version: int = 1
    started: bool = False
    every: int = 1  # control cycles between two packages
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    layout: struct.Struct = field(default_factory=lambda: struct.Struct(">"))
    inputs: dict[int, tuple[list[str], list[str], struct.Struct]] = field(default_factory=dict)

    later: deque[tuple[float, bytes]] = field(default_factory=deque)  # packages by the time they are sent at

    def release(self, now_s: float) -> None:
        while self.later and self.later[0][0] <= now_s:
            self.send(Command.DATA, self.later.popleft()[1])

    def send(self, command: Command, payload: bytes) -> None:
        self.writer.write(_FRAME.pack(_FRAME.size + len(payload), command) + payload)


class RtdeServer:
    """Serves one machine. Call :meth:`publish` once per control cycle."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._clients: list[_Client] = []
        self._owner: dict[str, _Client] = {}
        self._cycle = 0
        self.nonsense = False  # send joint angles that are no numbers
        self.jitter_s = 0.0  # packages are up to so much late, in order
        self._cut = False
        self._delays = random.Random(0)
        self._link_up = asyncio.Event()
        self._link_up.set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        if self._cut:
            writer.transport.abort()
            return
        client = _Client(writer)
        self._clients.append(client)
        try:
            while True:
                size, command = _FRAME.unpack(await reader.readexactly(_FRAME.size))
                payload = await reader.readexactly(size - _FRAME.size)
                await self._link_up.wait()
                self._answer(client, command, payload)
        except (asyncio.IncompleteReadError, ConnectionError, struct.error, KeyError):
            pass  # the client left, or sent what no client of this protocol sends
        finally:
            self._clients.remove(client)
            self._owner = {name: owner for name, owner in self._owner.items() if owner is not client}
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def freeze_link(self) -> None:
        """Nothing passes any more, in both directions, while the controller goes on: a cable is pulled."""
        self._link_up.clear()

    def thaw_link(self) -> None:
        """What was sent meanwhile arrives now, as TCP has it."""
        self._link_up.set()

    def cut_link(self) -> None:
        """Every connection breaks, and no other comes about until :meth:`join_link`."""
        self._cut = True
        for client in self._clients:
            client.writer.transport.abort()

    def join_link(self) -> None:
        self._cut = False

    def publish(self) -> None:
        """Send this cycle's package to every client that is due one."""
        self._cycle += 1
        if not self._link_up.is_set():
            return
        for client in self._clients:
            client.release(self._machine.time)
        due = [c for c in self._clients if c.started and self._cycle % c.every == 0]
        if not due:
            return
        outputs = rtde_fields.snapshot(self._machine)
        if self.nonsense:
            outputs["actual_q"] = [float("nan")] * 6
        for client in due:
            if client.writer.transport.get_write_buffer_size() > _MAX_BACKLOG:
                continue
            values = rtde_fields.flatten(self._machine, outputs, client.names, client.types)
            recipe = b"\x01" if client.version >= 2 else b""
            late_s = self._delays.uniform(0.0, self.jitter_s)
            client.later.append((self._machine.time + late_s, recipe + client.layout.pack(*values)))
            client.release(self._machine.time)

    def _answer(self, client: _Client, command: int, payload: bytes) -> None:
        if command == Command.PROTOCOL_VERSION:
            client.version = struct.unpack(">H", payload)[0]
            client.send(Command.PROTOCOL_VERSION, bytes([client.version in (1, 2)]))
        elif command == Command.URCONTROL_VERSION:
            client.send(Command.URCONTROL_VERSION, struct.pack(">IIII", *self._machine.model.version))
        elif command == Command.SETUP_OUTPUTS:
            self._setup_outputs(client, payload)
        elif command == Command.SETUP_INPUTS:
            self._setup_inputs(client, payload)
        elif command in (Command.START, Command.PAUSE):
            client.started = command == Command.START
            client.send(Command(command), b"\x01")
        elif command == Command.DATA:
            names, types, layout = client.inputs[payload[0]]
            rtde_fields.apply_input(self._machine, names, types, layout.unpack(payload[1 : 1 + layout.size]))

    def _setup_outputs(self, client: _Client, payload: bytes) -> None:
        full_rate = self._machine.model.frequency_hz
        rate = full_rate
        if client.version >= 2:
            rate, payload = struct.unpack(">d", payload[:8])[0], payload[8:]
        client.every = max(1, round(full_rate / rate))
        client.names = _names(payload)
        client.types = [rtde_fields.OUTPUTS.get(name, "NOT_FOUND") for name in client.names]
        if "NOT_FOUND" not in client.types:
            client.layout = rtde_fields.layout(client.types)
        recipe = b"\x01" if client.version >= 2 else b""
        client.send(Command.SETUP_OUTPUTS, recipe + ",".join(client.types).encode())

    def _setup_inputs(self, client: _Client, payload: bytes) -> None:
        names = _names(payload)
        types = [self._input_type(client, name) for name in names]
        usable = not {"IN_USE", "NOT_FOUND"} & set(types)
        recipe = len(client.inputs) + 1 if usable else 0
        if usable:
            self._owner.update(dict.fromkeys(names, client))
            client.inputs[recipe] = (names, types, rtde_fields.layout(types))
        client.send(Command.SETUP_INPUTS, bytes([recipe]) + ",".join(types).encode())

    def _input_type(self, client: _Client, name: str) -> str:
        if name not in rtde_fields.INPUTS:
            return "NOT_FOUND"
        return rtde_fields.INPUTS[name] if self._owner.get(name, client) is client else "IN_USE"


def _names(payload: bytes) -> list[str]:
    return [name for name in payload.decode("ascii", "replace").split(",") if name]
