"""The gripper's firmware in the simulator: latency, time stamps, lost events, size.

    python -m benchmarks.firmware [--presses 2500] [--seed 0] [--json FILE]

Random presses and releases, among them bursts as fast as the debounce time allows, each with up to 10 ms of bouncing:
in quiet, with a host that floods the line, with a servo that loses and damages answers, and across the wrap of the
device's clock. The truth is the simulator's: when the contact first moved, and when the servo's wire carried the new
goal. The figures are the worst of all.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

from capture_app.gripper.frames import FrameStream
from capture_app.gripper.protocol import ButtonMessage, Command, CommandMessage, HelloMessage, PingMessage, encode
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.board import DEFAULT_ELF, Board
from digital_twin.avr.plant import FreePlant
from digital_twin.avr.registers import Instruction, Register

MS = 1_000_000
DEBOUNCE_NS = 12 * MS
STOPS = {True: 812, False: 512}
# As much as the line takes: pings, commands to introduce itself, nonsense.
FLOOD = encode(PingMessage(1, 0)) * 3 + encode(CommandMessage(Command.IDENTIFY, 0)) + bytes(range(1, 40)) + b"\x00"
FLOOD_NS = len(FLOOD) * 85_000


@dataclass(frozen=True)
class Case:
    """Circumstances, and their share of the presses."""

    name: str
    share: float
    host_floods: bool = False
    servo_fails: float = 0.0  # part of its answers that are lost, and that are damaged
    device_us: int = 0


CASES = (
    Case("quiet", 0.4),
    Case("host floods", 0.2, host_floods=True),
    Case("servo fails", 0.2, servo_fails=0.03),
    Case("clock wraps", 0.2, device_us=2**32 - 15_000_000),
)


@dataclass
class Press:
    """One change of the button: first and last edge."""

    pressed: bool
    first_ns: int
    last_ns: int


@dataclass
class Run:
    presses: list[Press] = field(default_factory=list)
    reported: dict[int, tuple[bool, int]] = field(default_factory=dict)  # count → pressed, device µs
    commands: list[tuple[int, int]] = field(default_factory=list)  # (start of packet on the wire ns, goal)
    stack_bytes: int = 0
    isr_us: float = 0.0


def drive(case: Case, count: int, seed: int) -> Run:
    """Press at random, and collect what the firmware says and does."""
    rng = random.Random(seed)
    board = Board(servo=VirtualAX12(FreePlant(obstacle_ticks=700)), device_us=case.device_us)
    board.servo.table[Register.RETURN_DELAY] = 25  # as `wildgrasp servo setup` leaves it
    if case.servo_fails:
        board.servo.disturb = lambda reply: spoil(reply, case.servo_fails, rng)
    stream, run = FrameStream(), Run()
    board.run_until(1000 * MS)
    pressed, flood_ns = False, board.now_ns
    for number in range(count):
        pressed = not pressed
        bounce = tuple(sorted(rng.sample(range(20_000, 10 * MS), 2 * rng.choice((0, 0, 1, 2, 5)))))
        start = board.now_ns
        board.set_button(pressed, bounce)
        last = start + (bounce[-1] if bounce else 0)
        run.presses.append(Press(pressed, start, last))
        burst = number % 50 < 20
        hold_ns = DEBOUNCE_NS + (rng.randrange(1, 8) if burst else rng.randrange(1, 400)) * MS
        end_ns = last + hold_ns + rng.randrange(MS)
        while case.host_floods and flood_ns < end_ns:
            board.run_until(flood_ns)
            board.host_port.write(FLOOD)
            flood_ns += FLOOD_NS
        board.run_until(end_ns)
        collect(board, stream, run)
    board.run_until(board.now_ns + 200 * MS)
    collect(board, stream, run)
    run.stack_bytes, run.isr_us = board.stack_bytes, max(board.longest_isr_us.values())
    return run


def spoil(reply: bytes, part: float, rng: random.Random) -> bytes:
    """Lose some answers, damage others."""
    roll = rng.random()
    if roll < part:
        return b""
    return reply[:-1] + bytes([reply[-1] ^ 0x20]) if roll < 2 * part else reply


def collect(board: Board, stream: FrameStream, run: Run) -> None:
    for frame in stream.feed(board.host_port.read(1 << 20)):
        if isinstance(frame.message, ButtonMessage):
            run.reported[frame.message.count] = (bool(frame.message.pressed), frame.t_us)
        elif isinstance(frame.message, HelloMessage) and frame.message.boot_id != 1:
            raise RuntimeError("the firmware restarted during the benchmark")
    while board.servo.packets:
        end_ns, packet = board.servo.packets.popleft()
        if packet[4] == Instruction.WRITE and packet[5] == Register.TORQUE_ENABLE and len(packet) > 14:
            goal_at = 6 + Register.GOAL - Register.TORQUE_ENABLE
            run.commands.append((end_ns - 10_000 * len(packet), packet[goal_at] | packet[goal_at + 1] << 8))


def evaluate(run: Run) -> dict[str, float]:
    """The benchmark's figures."""
    truth = {i + 1: press for i, press in enumerate(run.presses)}
    lost = sum(1 for i, press in truth.items() if run.reported.get(i, (None, 0))[0] != press.pressed)
    invented = sum(1 for i in run.reported if i not in truth)
    # The device's clock starts a little after power: that offset is no error. The median of all differences is it.
    first_us = run.reported[min(run.reported)][1]
    device_ns = {i: ((t_us - first_us) % 2**32) * 1000 for i, (_, t_us) in run.reported.items()}
    differences = sorted(device_ns[i] - press.first_ns for i, press in truth.items() if i in device_ns)
    offset = differences[len(differences) // 2]
    error_us = max(abs(d - offset) for d in differences) / 1000
    latencies = []
    commands = iter(run.commands)
    for press in run.presses:
        settled = press.last_ns + DEBOUNCE_NS
        start = next((t for t, goal in commands if t >= settled and goal == STOPS[press.pressed]), None)
        latencies.append(float("inf") if start is None else (start - settled) / MS)
    return {
        "button_to_command_ms_max": round(max(latencies), 3),
        "event_time_error_us_max": round(error_us, 2),
        "lost_events": lost + invented,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=2500, help="changes of the button, over all cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here")
    arguments = parser.parse_args()
    runs = [
        drive(case, round(arguments.presses * case.share), arguments.seed + number) for number, case in enumerate(CASES)
    ]
    rows = [evaluate(run) for run in runs]
    for case, row in zip(CASES, rows, strict=True):
        print(f"{case.name:12} " + "  ".join(f"{name} {value}" for name, value in row.items()))
    sizes = dict(line.split()[:2] for line in (DEFAULT_ELF.parent / "size.txt").read_text().splitlines())
    figures = {
        "button_to_command_ms_max": max(row["button_to_command_ms_max"] for row in rows),
        "event_time_error_us_max": max(row["event_time_error_us_max"] for row in rows),
        "lost_events": sum(row["lost_events"] for row in rows),
        "flash_bytes": int(sizes["flash_bytes"]),
        "ram_bytes": int(sizes["ram_bytes"]),
    }
    stack_bytes, isr_us = max(run.stack_bytes for run in runs), max(run.isr_us for run in runs)
    print(f"deepest stack {stack_bytes} bytes, longest interrupt {isr_us:.1f} us")
    for name, value in figures.items():
        print(f"{name:28} {value}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
