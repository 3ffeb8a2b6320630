"""The virtual AX-12A on a pty in real time, as a USB adapter would show it."""

from __future__ import annotations

import os
import select
import termios
import threading
import tty

from digital_twin.avr.ax12 import VirtualAX12
from wildgrasp.clocks import Clock, MonotonicClock

STEP_S = 0.002
# Named speeds only: one that is set by number (200, 250, 400 kbaud) is taken for the servo's own.
_SPEEDS = {getattr(termios, n): int(n[1:]) for n in dir(termios) if n.startswith("B") and n[1:].isdigit()}


class ServoPty:
    """Runs a servo in a thread; ``path`` is its port. Use as a context manager.

    The speed that the other side sets on the pty is the speed of its bytes, so a wrong one gets no answer.
    """

    def __init__(self, servo: VirtualAX12, clock: Clock | None = None) -> None:
        self.servo = servo
        self._clock = clock if clock is not None else MonotonicClock()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="virtual-servo", daemon=True)

    def __enter__(self) -> ServoPty:
        self._start_ns = self._clock.now_ns()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        while not self._stopping.is_set():
            readable, _, _ = select.select([self._master], [], [], STEP_S)
            now_ns = self._clock.now_ns() - self._start_ns
            if readable:
                reply = [
                    r for byte in os.read(self._master, 256) for r in self.servo.receive(byte, now_ns, self._baud())
                ]
                if reply:
                    os.write(self._master, bytes(byte for _, byte in reply))
            self.servo.advance(now_ns)

    def _baud(self) -> float:
        speed = termios.tcgetattr(self._slave)[4]
        if speed in _SPEEDS:
            return _SPEEDS[speed]
        own = self.servo.baud
        has_name = any(abs(own / named - 1) < 0.03 for named in _SPEEDS.values() if named)
        return 1.0 if has_name else own
