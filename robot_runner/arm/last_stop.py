"""A process that does nothing but wait for the link's end, and then stops the arm.

A link that is killed cannot say stop, and a ``servoj`` whose stream ends runs on to its last target: lookahead times
speed, 7.5 mm at 0.25 m/s. This process holds an open connection to a script port of the controller and the reading end
of a pipe whose writing end only the link holds. The kernel closes that end with the link, however it dies; then a
program of one line replaces the running one and brakes the tool along its path. It imports the standard library only,
so that it starts at once and stays small.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import subprocess
import sys

SCRIPT_PORT = 30002
BRAKE_M_S2 = 10.0  # what UR's clients stop with by default
BRAKE_RAD_S2 = 30.0
FAREWELL = b"q"
_LINGER_S = 1.0
_STOP = f"def last_stop():\n  stopl({BRAKE_M_S2}, {BRAKE_RAD_S2})\nend\n".encode()


class LastStop:
    """The link's end of it. Raises OSError when the process does not come up or the script port does not answer."""

    def __init__(self, host: str, timeout_s: float = 10.0) -> None:
        command = [sys.executable, "-m", "robot_runner.arm.last_stop", host]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready or self._process.stdout.read(1) != b"r":
            self.dismiss()
            raise ConnectionError("its script port does not answer")

    @property
    def watching(self) -> bool:
        return self._process.poll() is None

    def dismiss(self) -> None:
        """The link leaves in order: nothing is to be stopped."""
        with contextlib.suppress(OSError):
            self._process.stdin.write(FAREWELL)
            self._process.stdin.flush()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(host: str) -> int:
    """Wait at standard input; 0 after a farewell, 1 after a stop was sent, 2 without a controller."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner
    try:
        controller = socket.create_connection((host, SCRIPT_PORT), 5.0)
    except OSError:
        return 2
    with controller:
        controller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sys.stdout.buffer.write(b"r")
        sys.stdout.buffer.flush()
        link = sys.stdin.buffer.raw
        while True:
            readable, _, _ = select.select([controller, link], [], [])
            if link in readable:
                if link.read(1) == FAREWELL:
                    return 0
                controller.sendall(_STOP)
                controller.settimeout(_LINGER_S)
                with contextlib.suppress(OSError):  # closing with unread data would reset the connection, and the stop
                    while controller.recv(65536):
                        pass
                return 1
            if not controller.recv(65536):  # the controller tells its state here; nobody listens, but it must be read
                return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
