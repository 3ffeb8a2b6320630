"""An OnRobot RG2 on a UR controller through OnRobot's URCap, by XML-RPC (port 41414 of the controller, path ``/``).

Functions: ``rg_grip(id, width in mm, force in N)``, ``rg_get_width(id)`` in mm, ``rg_get_status(id)`` with the bits of
the Compute Box (0 busy, 1 grip detected, 2–6 safety). They come from public programs; check them against the URCap at
hand. Unlike gripper scripts, this does not stop the control program on the controller.
"""

from __future__ import annotations

import http.client
import math
import time
import xmlrpc.client
from dataclasses import dataclass, field
from typing import Any

from robot_runner.gripper.rg2 import Rg2, raise_if_unsafe
from wildgrasp.errors import RobotError

PORT = 41414
_TIMEOUT_S = 1.0
_MAX_ANSWER = 64 * 1024  # bytes; a number takes 150


class _Transport(xmlrpc.client.Transport):
    """HTTP that neither waits for ever nor reads for ever."""

    accept_gzip_encoding = False

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if not self._connection or host != self._connection[0]:
            self._connection = host, http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
        return self._connection[1]

    def parse_response(self, response: http.client.HTTPResponse) -> Any:
        parser, unmarshaller = self.getparser()
        deadline_s, left = time.monotonic() + _TIMEOUT_S, _MAX_ANSWER
        while data := response.read1(4096):
            left -= len(data)
            if left < 0 or time.monotonic() > deadline_s:
                raise OSError("its answer does not end")
            parser.feed(data)
        parser.close()
        return unmarshaller.close()


@dataclass
class Rg2XmlRpc(Rg2):
    """An RG2 whose URCap runs on the controller at ``host``. Implements the ``Gripper`` seam."""

    host: str
    port: int = PORT
    gripper_id: int = 0  # 1 for the second gripper of a dual mount
    _server: Any = field(default=None, init=False, repr=False)

    def connect(self) -> None:
        """Raises RobotError when no URCap answers, or its gripper does not."""
        self._server = xmlrpc.client.ServerProxy(f"http://{self.host}:{self.port}/", transport=_Transport())
        raise_if_unsafe(self.state())

    def close(self) -> None:
        if self._server is not None:
            self._server("close")()
            self._server = None

    def _reading(self) -> tuple[float, int]:
        width_mm, status = self._ask("rg_get_width", self.gripper_id), self._ask("rg_get_status", self.gripper_id)
        if not isinstance(width_mm, int | float) or not math.isfinite(width_mm) or not isinstance(status, int):
            raise self._silent(f"it answers {width_mm!r} and {status!r}")
        return width_mm * 1e-3, status

    def _grip(self, width_m: float, force_n: float) -> None:
        self._ask("rg_grip", self.gripper_id, width_m * 1e3, float(force_n))

    def _ask(self, function: str, *arguments: Any) -> Any:
        if self._server is None:
            raise RobotError("The gripper is not connected.")
        try:
            return getattr(self._server, function)(*arguments)
        except Exception as error:  # a server that is not the URCap can make the XML parser raise nearly anything
            self._server("close")()
            raise self._silent(str(error)) from error

    def _silent(self, why: str) -> RobotError:
        return RobotError(
            f"The gripper at {self.host}:{self.port} does not answer ({why}). Is OnRobot's URCap installed and the "
            "gripper connected to the tool? Then start again; the fingers stay as they are."
        )
