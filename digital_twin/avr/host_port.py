"""The host's end of the board's USB serial cable: in-process with virtual time, or a pty."""

from __future__ import annotations

import contextlib
import os
import random
import tty
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import serial

MS = 1_000_000


class BoardEnd(Protocol):
    """What a cable needs of the board."""

    @property
    def now_ns(self) -> int: ...

    def send_to_firmware(self, data: bytes, t_ns: int) -> None:
        """Put bytes on the wire to the AVR, the first not before ``t_ns``."""
        ...


@dataclass(frozen=True)
class UsbLatency:
    """Delay between a byte's time on the wire and the host, uniform in [low, high] milliseconds each way.

    It is drawn per transfer: bytes that follow while one is under way share its delay, and order is kept.
    """

    to_host_ms: tuple[float, float] = (0.0, 0.0)
    to_device_ms: tuple[float, float] = (0.0, 0.0)
    seed: int = 0


class HostPort:
    """Looks like ``serial.Serial`` to the product. Reads never block: they return what has arrived by the board's time.

    ``latency`` may be replaced at any time; ``disturb`` (bytes → bytes) damages what the device sends; ``unplug`` makes
    every call raise ``serial.SerialException`` until ``plug``.
    """

    def __init__(self, board: BoardEnd, latency: UsbLatency | None = None) -> None:
        self._board = board
        self._arrived: deque[tuple[int, bytes]] = deque()  # (time at the host, bytes)
        self._buffer = bytearray()
        self._plugged = True
        self._open = True
        self.disturb: Callable[[bytes], bytes] | None = None
        self.name = "twin"
        self.baudrate = 115_200
        self.timeout: float | None = 0.0
        self.write_timeout: float | None = None
        self.latency = latency if latency is not None else UsbLatency()

    @property
    def latency(self) -> UsbLatency:
        return self._latency

    @latency.setter
    def latency(self, value: UsbLatency) -> None:
        self._latency = value
        self._random = random.Random(value.seed)
        self._last_to_device_ns = self._last_to_host_ns = 0

    # --- pyserial's interface ---

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def in_waiting(self) -> int:
        self._check()
        self._collect()
        return len(self._buffer)

    def read(self, size: int = 1) -> bytes:
        self._check()
        self._collect()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def write(self, data: bytes) -> int:
        self._check()
        delay_ns = round(self._random.uniform(*self._latency.to_device_ms) * MS)
        self._last_to_device_ns = max(self._last_to_device_ns, self._board.now_ns + delay_ns)
        self._board.send_to_firmware(bytes(data), self._last_to_device_ns)
        return len(data)

    def flush(self) -> None:
        self._check()

    def reset_input_buffer(self) -> None:
        self._check()
        self._collect()
        self._buffer.clear()

    def cancel_read(self) -> None:
        """Reads never block, so there is nothing to cancel."""

    def open(self) -> None:
        if not self._plugged:
            raise serial.SerialException("the cable is unplugged")
        self._open = True

    def close(self) -> None:
        self._open = False

    # --- the cable ---

    def unplug(self) -> None:
        self._plugged = False
        self._arrived.clear()
        self._buffer.clear()

    def plug(self) -> None:
        self._plugged = True

    def from_firmware(self, byte: int, t_ns: int) -> None:
        """A byte whose stop bit ends at ``t_ns``."""
        if not self._plugged:
            return
        data = bytes([byte])
        if self.disturb is not None:
            data = self.disturb(data)
        if t_ns >= self._last_to_host_ns:
            self._delay_to_host_ns = round(self._random.uniform(*self._latency.to_host_ms) * MS)
        self._last_to_host_ns = max(self._last_to_host_ns, t_ns + self._delay_to_host_ns)
        self._arrived.append((self._last_to_host_ns, data))

    def pump(self) -> None:
        """Nothing to do: the host reads by itself."""

    def _check(self) -> None:
        if not self._plugged:
            raise serial.SerialException("the cable is unplugged")
        if not self._open:
            raise serial.PortNotOpenError()

    def _collect(self) -> None:
        while self._arrived and self._arrived[0][0] <= self._board.now_ns:
            self._buffer += self._arrived.popleft()[1]


class PtyPort:
    """A pseudo-terminal: a real device path for another thread or process, pumped as the board runs."""

    def __init__(self, board: BoardEnd) -> None:
        self._board = board
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(slave)
        self._slave = slave  # kept open, so that the host may close and open again
        self._pending: deque[tuple[int, int]] = deque()
        self._unwritten = bytearray()

    def from_firmware(self, byte: int, t_ns: int) -> None:
        self._pending.append((t_ns, byte))

    def pump(self) -> None:
        """Move what is due in both directions. Bytes that nobody reads are dropped, as by a closed port."""
        while self._pending and self._pending[0][0] <= self._board.now_ns:
            self._unwritten.append(self._pending.popleft()[1])
        try:
            if self._unwritten:
                del self._unwritten[: os.write(self._master, self._unwritten)]
        except BlockingIOError:
            self._unwritten.clear()
        with contextlib.suppress(BlockingIOError):
            self._board.send_to_firmware(os.read(self._master, 4096), self._board.now_ns)

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)
