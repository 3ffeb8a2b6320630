"""The virtual AX-12A on a pty, as a USB adapter would show it."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import tty

from digital_twin.avr.ax12 import VirtualAX12
from wildgrasp.clocks import Clock, MonotonicClock

STEP_NS = 2_000_000
# Linux' terminal settings with speeds as numbers: 200, 250 and 400 kbaud have no name.
_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("4I B19s 2I")


class ServoPty:
    """A servo behind a serial port (``path``), for programs that let it :meth:`pump` after they have written.

    The speed that the other side sets on the pty is the speed of its bytes, so a wrong one gets no answer. Without a
    thread of its own, its answers never come late, whatever else the computer does. Use as a context manager.
    """

    def __init__(self, servo: VirtualAX12, clock: Clock | None = None) -> None:
        self.servo = servo
        self._clock = clock if clock is not None else MonotonicClock()
        self._start_ns = self._servo_ns = self._clock.now_ns()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def __enter__(self) -> ServoPty:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        os.close(self._slave)

    def pump(self, count: int, timeout_s: float = 5.0) -> None:
        """Let time pass up to now, take ``count`` bytes and answer them."""
        self._advance()
        while count > 0 and select.select([self._master], [], [], timeout_s)[0]:
            data = os.read(self._master, count)
            count -= len(data)
            t_ns, baud = self._servo_ns - self._start_ns, self._baud()
            reply = [r for byte in data for r in self.servo.receive(byte, t_ns, baud)]
            os.write(self._master, bytes(byte for _, byte in reply))

    def _advance(self) -> None:
        now_ns = self._clock.now_ns()
        while self._servo_ns < now_ns:
            self._servo_ns = min(now_ns, self._servo_ns + STEP_NS)
            self.servo.advance(self._servo_ns - self._start_ns)

    def _baud(self) -> float:
        settings = fcntl.ioctl(self._slave, _TCGETS2, bytes(_TERMIOS2.size))
        return float(_TERMIOS2.unpack(settings)[-1])
