"""How well a button edge is dated on the host: the real firmware and link under USB jitter and a wrong resonator.

    python -m benchmarks.sync [--seconds 60] [--json FILE]

Every byte is delayed 1–5 ms each way, the resonator is off by 0 and ±6000 ppm. Peers, measured in the same run from the
same bytes: stamping on arrival, and the offset of the single latest ping.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from pathlib import Path

from capture_app.gripper.frames import FrameStream
from capture_app.gripper.link import GripperLink
from capture_app.gripper.protocol import ButtonMessage, PingMessage, PongMessage, decode
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.board import Board, BoardClock
from digital_twin.avr.host_port import HostPort, UsbLatency
from digital_twin.avr.plant import FreePlant
from wildgrasp.sessions.events import GripperEvent

MS = 1_000_000
S = 1_000_000_000
PPM = (0.0, 6000.0, -6000.0)
JITTER = UsbLatency((1.0, 5.0), (1.0, 5.0))


class Peers:
    """What simpler hosts would have made of the same bytes: a stamp on arrival, or the offset of the latest ping."""

    def __init__(self, wire: FrameStream) -> None:
        self._stream = wire
        self._sent: dict[int, int] = {}
        self._offset_ns: float | None = None
        self._counts: set[int] = set()
        self.on_arrival: list[float] = []
        self.latest_ping: list[float] = []

    def sent(self, data: bytes, now_ns: int) -> None:
        message = decode(data[:-1]).message
        if isinstance(message, PingMessage):
            self._sent[message.token] = now_ns

    def received(self, data: bytes, now_ns: int) -> None:
        for frame in self._stream.feed(data):
            device_ns = frame.t_us * 1000
            match frame.message:
                case PongMessage(token=token, wait=wait) if token in self._sent:
                    self._offset_ns = (self._sent.pop(token) + now_ns) / 2 - device_ns - wait * 500
                case ButtonMessage(count=count) if count not in self._counts:
                    self._counts.add(count)
                    self.on_arrival.append(now_ns)
                    self.latest_ping.append(device_ns + (self._offset_ns if self._offset_ns is not None else 0.0))


class WatchedPort:
    """The host's port with somebody listening in."""

    def __init__(self, port: HostPort, peers: Peers, clock: BoardClock) -> None:
        self._port, self._peers, self._clock = port, peers, clock
        self.timeout = port.timeout

    @property
    def in_waiting(self) -> int:
        return self._port.in_waiting

    def read(self, size: int = 1) -> bytes:
        data = self._port.read(size)
        self._peers.received(data, self._clock.now_ns())
        return data

    def write(self, data: bytes) -> int:
        self._peers.sent(data, self._clock.now_ns())
        return self._port.write(data)

    def open(self) -> None:
        self._port.open()

    def close(self) -> None:
        self._port.close()


def run(ppm: float, seconds: float, seed: int) -> tuple[list[float], dict[str, list[float]], int]:
    """Errors in ms of the link and of its peers, and events that were lost or invented."""
    board = Board(servo=VirtualAX12(FreePlant(obstacle_ticks=700)), resonator_ppm=ppm, start_ns=1000 * S)
    board.host_port.latency = UsbLatency(JITTER.to_host_ms, JITTER.to_device_ms, seed)
    clock = BoardClock(board)
    peers = Peers(FrameStream())
    link = GripperLink(WatchedPort(board.host_port, peers, clock), clock)
    rng = random.Random(seed)
    truth: list[int] = []
    events: list[GripperEvent] = []
    pressed, next_ns, end_ns = False, board.now_ns + 300 * MS, board.now_ns + round(seconds * S)
    while board.now_ns < end_ns + S:
        board.run_until(board.now_ns + rng.randrange(200_000, 800_000))
        if next_ns <= board.now_ns < end_ns:
            pressed = not pressed
            board.set_button(pressed)
            truth.append(board.now_ns)
            next_ns = board.now_ns + rng.randrange(60, 1000) * MS
        link.poll()
        events += [i for i in link.take() if isinstance(i, GripperEvent) and i.kind in ("press", "release")]
    wrong = abs(len(events) - len(truth))
    errors = [abs(e.t_ns - t) / MS for e, t in zip(events, truth, strict=False)]
    others = {"on arrival": peers.on_arrival, "latest ping": peers.latest_ping}
    theirs = {name: [abs(a - t) / MS for a, t in zip(s, truth, strict=False)] for name, s in others.items()}
    return errors, theirs, wrong


def summary(errors: list[float]) -> str:
    return f"max {max(errors):.3f} median {statistics.median(errors):.3f}"


def peer_summary(theirs: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {summary(errors)}" for name, errors in theirs.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="virtual seconds per resonator error")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here")
    arguments = parser.parse_args()
    errors: list[float] = []
    for number, ppm in enumerate(PPM):
        ours, theirs, wrong = run(ppm, arguments.seconds, arguments.seed + number)
        if wrong:
            raise SystemExit(f"{wrong} events were lost or invented")
        print(f"{ppm:+7.0f} ppm, {len(ours)} events [ms]:  link {summary(ours)}  |  peers: {peer_summary(theirs)}")
        errors += ours
    figures = {
        "event_error_ms_max": round(max(errors), 4),
        "event_error_ms_median": round(statistics.median(errors), 4),
    }
    for name, value in figures.items():
        print(f"{name:28} {value}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
