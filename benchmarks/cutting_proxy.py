"""A TCP proxy on loopback that does something at a chosen byte, or when a chosen answer begins: cut the line, say."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

BLOCK = 16 * 1024
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s


class CuttingProxy:
    """Forwards connections to a port; counts, and cuts all of them where it was told to."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.fired = threading.Event()
        self._arm(None, None, lambda: None)
        self.bytes_up = self.bytes_both = self.answers = 0
        self._last_up = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at_byte(self, number: int, action: Callable[[], None] = lambda: None) -> None:
        """Cut after this many more bytes, of both directions; ``action`` comes first."""
        self._arm(self.bytes_both + number, None, action)

    def cut_at_answer(self, number: int, action: Callable[[], None] = lambda: None) -> None:
        """Cut when the number-th answer from now (from 0) begins, so that it never arrives."""
        self._arm(None, self.answers + number, action)

    def cut(self) -> None:
        """Cut what is open now."""
        with self._lock:
            self._close_all()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _arm(self, byte: int | None, answer: int | None, action: Callable[[], None]) -> None:
        with self._lock:
            self._at_byte, self._at_answer, self._action = byte, answer, action
            self.fired.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream_port))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for source, sink, up in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(source, sink, up), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                allowed = self._allowed(len(data), up)
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    break
        with self._lock:
            for end in {source, sink} & self._sockets:
                self._sockets.discard(end)
                end.close()

    def _allowed(self, length: int, up: bool) -> int:
        """How many of these bytes pass; at the chosen place everything is cut."""
        with self._lock:
            answer_begins = self._last_up and not up
            self._last_up = up
            allowed = length
            if self._at_byte is not None and self.bytes_both + length > self._at_byte:
                allowed = self._at_byte - self.bytes_both
            elif self._at_answer is not None and answer_begins and self.answers == self._at_answer:
                allowed = 0
            self.answers += answer_begins
            self.bytes_both += allowed
            self.bytes_up += allowed * up
            if allowed == length:
                return length
            self._at_byte = self._at_answer = None
            self._action()
            self._close_all(except_for_now=allowed > 0)
            self.fired.set()
            return allowed

    def _close_all(self, except_for_now: bool = False) -> None:
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                if not except_for_now:
                    end.shutdown(socket.SHUT_RDWR)
