"""The RG2 as OnRobot's URCap shows it: an XML-RPC server on the controller, in the controller's own asyncio loop."""

from __future__ import annotations

import asyncio
import xmlrpc.client
from collections.abc import Callable
from typing import Any

from digital_twin.ur_controller.rg2 import Rg2

_MAX_REQUEST = 64 * 1024


class UrCapServer:
    """Answers one request per connection."""

    def __init__(self, rg2: Rg2) -> None:
        self._rg2 = rg2

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            body = await _request_body(reader)
            if not self._rg2.silent:
                answer = self._answer(body)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(answer)}\r\n"
                writer.write(head.encode() + b"Connection: close\r\n\r\n" + answer)
                await writer.drain()
            else:
                await reader.read()  # until the client gives up
        except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # not a request
        finally:
            writer.close()

    def _answer(self, body: bytes) -> bytes:
        try:
            arguments, name = xmlrpc.client.loads(body)
            result = self._functions()[name or ""](*arguments[1:])  # the first is the gripper's id
        except Exception as error:  # whatever a client sends, it gets a fault
            return xmlrpc.client.dumps(xmlrpc.client.Fault(1, str(error))).encode()
        return xmlrpc.client.dumps((result,), methodresponse=True).encode()

    def _functions(self) -> dict[str, Callable[..., Any]]:
        rg2 = self._rg2
        return {
            "rg_grip": self._grip,
            "rg_get_width": lambda: rg2.fingers.read()[0] * 1e3,
            "rg_get_busy": lambda: rg2.fingers.read()[1],
            "rg_get_grip_detected": lambda: rg2.fingers.read()[2],
            "rg_get_status": rg2.status,
        }

    def _grip(self, width_mm: float, force_n: float) -> bool:
        self._rg2.grip(width_mm * 1e-3, force_n)
        return True


async def _request_body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and 0 <= int(value) <= _MAX_REQUEST:
            return await reader.readexactly(int(value))
    raise ValueError("no length")
