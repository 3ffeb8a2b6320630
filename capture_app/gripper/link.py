"""The link to the handheld gripper: its events and readings, in the host's time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from capture_app.gripper.ports import SerialPort, find_gripper
from capture_app.gripper.protocol import Command, CommandMessage, Result, encode
from capture_app.gripper.receiver import Item, Receiver
from capture_app.gripper.stops import ServoStops
from wildgrasp.clocks import Clock
from wildgrasp.errors import GripperLinkError

SILENCE_NS = 1_000_000_000
RETRY_NS = 500_000_000
ASK_AGAIN_NS = 300_000_000


class GripperCommand(StrEnum):
    """What :meth:`GripperLink.command` takes: force the fingers, or follow the button again."""

    OPEN = "open"
    CLOSE = "close"
    AUTO = "auto"


_COMMANDS = {
    GripperCommand.OPEN: Command.OPEN,
    GripperCommand.CLOSE: Command.CLOSE,
    GripperCommand.AUTO: Command.FOLLOW_BUTTON,
}


class GripperLink:
    """Events and servo samples of one gripper.

    Either call :meth:`poll` again and again (at least every few milliseconds: it stamps what arrives), or :meth:`start`
    a thread that does. :meth:`take` hands out what has been dated since, in order. Loss of the cable is an event, not
    an error; the link comes back by itself.

    ``stops`` None takes those that the device reports. ``reopen`` finds the port again after it was lost; by default
    the same port is opened again.
    """

    def __init__(
        self,
        port: SerialPort,
        clock: Clock,
        stops: ServoStops | None = None,
        reopen: Callable[[], SerialPort] | None = None,
    ) -> None:
        self._port: SerialPort | None = port
        self._last_port = port
        self._clock = clock
        self._reopen = reopen if reopen is not None else self._open_again
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._receiver = Receiver(stops)
        self._items: list[Item] = []
        self._seq = 0
        self._up = True
        self._reconnects = 0
        self._last_byte_ns = clock.now_ns()
        self._retry_ns = 0
        self._ask_ns = 0

    @classmethod
    def find(cls, port: str | None, clock: Clock, stops: ServoStops | None = None) -> GripperLink:
        """Open ``port``, or look for the gripper on every Arduino. Raises GripperLinkError with what to do."""
        opened, hello = find_gripper(port, clock)
        link = cls(opened, clock, stops, reopen=lambda: find_gripper(port, clock)[0])
        link._receiver.meet(hello, clock.now_ns())
        return link

    @property
    def stops(self) -> ServoStops:
        return self._receiver.stops

    # --- life ---

    def start(self) -> None:
        """Poll from a thread of its own until :meth:`stop`."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="gripper-link", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What was received can still be taken."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Stop and release the port."""
        self.stop()
        if self._port is not None:
            self._port.close()
            self._port = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            port, first = self._port, b""
            if port is None:
                self._stopping.wait(0.05)
            else:
                try:
                    first = port.read(1)  # waits for its timeout, outside the lock
                except (OSError, TypeError) as error:  # TypeError: pyserial, when another thread has closed the port
                    self._lose(str(error))
            self._turn(first)

    # --- receiving ---

    def poll(self) -> None:
        """Read and send what is due, without waiting."""
        self._turn(b"")

    def take(self, rest: bool = False) -> list[Item]:
        """What was dated since the last call, in the order in which the device sent it; with ``rest`` also what still
        waits for the clock fit, dated by its arrival."""
        with self._lock:
            items, self._items = self._items, []
            return items + self._receiver.rest(self._clock.now_ns()) if rest else items

    def _turn(self, first: bytes) -> None:
        if self._port is None:
            self._try_again(self._clock.now_ns())  # takes seconds: without the lock, for which a recorder would wait
        with self._lock:
            now_ns = self._clock.now_ns()
            if self._port is not None:
                try:
                    waiting = self._port.in_waiting
                    self._receive(first + (self._port.read(waiting) if waiting else b""), now_ns)
                    self._ask(now_ns)
                except OSError as error:
                    self._lose(str(error))
            self._items += self._receiver.dated(now_ns)

    def _receive(self, data: bytes, now_ns: int) -> None:
        if data:
            self._last_byte_ns = now_ns
        if self._receiver.feed(data, now_ns) and not self._up:
            self._up = True
            self._reconnects += 1
            self._receiver.add_host_event(now_ns, "link_back")
        elif self._up and now_ns - self._last_byte_ns > SILENCE_NS:
            self._down(now_ns, "the gripper is silent")

    def _ask(self, now_ns: int) -> None:
        """Who is there (until it is known), and what time it is there."""
        if self._receiver.wants_hello and now_ns >= self._ask_ns:
            self._ask_ns = now_ns + ASK_AGAIN_NS
            self._write(CommandMessage(Command.IDENTIFY, 0))
        ping = self._receiver.timeline.ping_due(now_ns)
        if ping is not None:
            self._port.write(ping)

    # --- losing and finding the port ---

    def _lose(self, reason: str) -> None:
        with self._lock:
            now_ns = self._clock.now_ns()
            if self._port is not None:
                self._port.close()
            self._port = None
            self._retry_ns = now_ns + RETRY_NS
            self._receiver.interrupted()
            if self._up:
                self._down(now_ns, reason)

    def _down(self, now_ns: int, reason: str) -> None:
        self._up = False
        self._receiver.add_host_event(now_ns, "link_lost", reason)

    def _try_again(self, now_ns: int) -> None:
        if now_ns < self._retry_ns:
            return
        self._retry_ns = now_ns + RETRY_NS
        try:
            port = self._reopen()
        except (OSError, GripperLinkError):
            return
        with self._lock:
            self._port = self._last_port = port
            self._last_byte_ns = self._clock.now_ns()

    def _open_again(self) -> SerialPort:
        self._last_port.open()
        return self._last_port

    # --- asking ---

    def command(self, command: GripperCommand | str) -> int:
        """Force the fingers ``open`` or ``close``, or let them follow the button again (``auto``).

        Returns the request's number for :meth:`result`. Raises GripperLinkError while the link is down.
        """
        return self.send(_COMMANDS[GripperCommand(command)])

    def send(self, command: Command, argument: int = 0) -> int:
        """Any command of the protocol; its number. Raises GripperLinkError while the link is down."""
        with self._lock:
            if self._port is None:
                raise GripperLinkError("The gripper is not connected: nothing was sent. Check its USB cable.")
            try:
                return self._write(CommandMessage(command, argument))
            except OSError as error:
                self._lose(str(error))
                raise GripperLinkError("The gripper was unplugged: nothing was sent. Check its USB cable.") from error

    def result(self, number: int) -> Result | None:
        """The device's answer to a request, None until it came. It can be read once."""
        with self._lock:
            return self._receiver.acks.pop(number, None)

    def _write(self, message: CommandMessage) -> int:
        self._seq = (self._seq + 1) % 256
        self._receiver.acks.pop(self._seq, None)
        self._port.write(encode(message, self._seq))
        return self._seq

    def describe(self) -> dict[str, Any]:
        """For the session's metadata: who the gripper is, how well its clock is known, what was lost (JSON types)."""
        with self._lock:
            return {"connected": self._up, "reconnects": self._reconnects, **self._receiver.describe()}
