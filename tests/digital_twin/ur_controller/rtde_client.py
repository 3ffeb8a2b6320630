"""A second RTDE client, written from UR's guide and sharing no code with the server or with ur_rtde."""

from __future__ import annotations

import socket
import struct

SIZES = {"DOUBLE": ">d", "UINT32": ">I", "INT32": ">i", "VECTOR6D": ">6d"}


class RtdeClient:
    def __init__(self, host: str) -> None:
        self._socket = socket.create_connection((host, 30004), 5.0)
        self._types: list[str] = []

    def version(self, number: int) -> bool:
        return self._ask(b"V", struct.pack(">H", number)) == b"\x01"

    def controller_version(self) -> tuple[int, ...]:
        return struct.unpack(">IIII", self._ask(b"v", b""))

    def outputs(self, names: list[str], hz: float) -> list[str]:
        answer = self._ask(b"O", struct.pack(">d", hz) + ",".join(names).encode())
        self._types = answer[1:].decode().split(",")
        return self._types

    def inputs(self, names: list[str]) -> tuple[int, list[str]]:
        answer = self._ask(b"I", ",".join(names).encode())
        return answer[0], answer[1:].decode().split(",")

    def start(self) -> bool:
        return self._ask(b"S", b"") == b"\x01"

    def send(self, recipe: int, form: str, *values: object) -> None:
        self._send(b"U", bytes([recipe]) + struct.pack(form, *values))

    def package(self) -> list:
        kind, payload = self._receive()
        assert kind == b"U"
        position, values = 1, []
        for name in self._types:
            found = struct.unpack_from(SIZES[name], payload, position)
            position += struct.calcsize(SIZES[name])
            values.append(found if len(found) > 1 else found[0])
        assert position == len(payload)
        return values

    def close(self) -> None:
        self._socket.close()

    def _ask(self, kind: bytes, payload: bytes) -> bytes:
        self._send(kind, payload)
        while True:
            answer, content = self._receive()
            if answer == kind:
                return content

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._socket.sendall(struct.pack(">H", 3 + len(payload)) + kind + payload)

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._exactly(3)
        return head[2:3], self._exactly(struct.unpack(">H", head[:2])[0] - 3)

    def _exactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            more = self._socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data
