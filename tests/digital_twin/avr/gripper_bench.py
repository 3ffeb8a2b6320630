"""A simulated gripper with a host in virtual time, shared by the tests of this folder."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from capture_app.gripper.frames import FrameStream
from capture_app.gripper.link import GripperLink
from capture_app.gripper.protocol import Frame
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.board import Board, BoardClock
from digital_twin.avr.plant import FreePlant
from wildgrasp.sessions.events import GripperEvent, ServoSample

ROOT = Path(__file__).parents[3]
MS = 1_000_000
S = 1_000_000_000


@cache
def make(folder: str, target: str = "all") -> None:
    """Build what is not built yet."""
    subprocess.run(["make", "-s", "-C", str(ROOT / folder), target], check=True, capture_output=True)


class Bench:
    """Board and link together; ``events`` and ``samples`` collect what the link delivers."""

    def __init__(self, obstacle: float | None = None, *, polls: bool = True, **board: object) -> None:
        make("firmware")
        make("digital_twin/avr")
        self.plant = FreePlant(obstacle_ticks=obstacle)
        self.servo = VirtualAX12(self.plant)
        self.board = Board(servo=self.servo, **board)
        self.clock = BoardClock(self.board)
        self.link = GripperLink(self.board.host_port, self.clock) if polls else None
        self.events: list[GripperEvent] = []
        self.samples: list[ServoSample] = []

    @property
    def now_ns(self) -> int:
        return self.board.now_ns

    def run(self, duration_ns: int, step_ns: int = MS) -> None:
        end = self.now_ns + duration_ns
        while self.now_ns < end:
            self.board.run_until(min(end, self.now_ns + step_ns))
            if self.link is not None:
                self.link.poll()
                self.collect()

    def collect(self) -> None:
        for item in self.link.take():
            (self.events if isinstance(item, GripperEvent) else self.samples).append(item)

    def press(self, *bounce_ns: int) -> int:
        """Press now; the true time of the first edge."""
        self.board.set_button(True, bounce_ns)
        return self.now_ns

    def release(self, *bounce_ns: int) -> int:
        self.board.set_button(False, bounce_ns)
        return self.now_ns

    def kinds(self, *of: str) -> list[str]:
        return [e.kind for e in self.events if not of or e.kind in of]

    def details(self, kind: str) -> list[str]:
        return [e.detail for e in self.events if e.kind == kind]


class Listener:
    """Reads the port's frames without a link."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._stream = FrameStream()

    def frames(self, kind: type) -> list[Frame]:
        """Frames of a kind that arrived since the last call; the others are dropped."""
        port = self._board.host_port
        return [f for f in self._stream.feed(port.read(port.in_waiting)) if isinstance(f.message, kind)]
