"""How near the firmware comes to the chip's limits: stack, interrupts, floods, and the clock's wrap."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise

from gripper_bench import MS, ROOT, Bench, Listener, S, make

from capture_app.gripper.protocol import (
    ButtonMessage,
    FrameError,
    HelloMessage,
    PingMessage,
    PongMessage,
    decode,
    encode,
)
from digital_twin.avr.board import DEFAULT_ELF, Board
from digital_twin.avr.host_port import UsbLatency

RAM_BYTES = 8192
RECEIVER_HOLDS_US = 30.0  # two bytes and one in the shift register, 10 µs each


def busy_bench() -> tuple[Bench, list[int]]:
    """Bouncing presses, servo traffic, a host that talks all the time and nonsense too; and when it was pressed."""
    bench = Bench(obstacle=700)
    rng = random.Random(4)
    bench.run(1 * S)
    truth = []
    for number in range(8):
        bounce = sorted(rng.sample(range(5_000, 10 * MS), 18))
        truth.append((bench.release if number % 2 else bench.press)(*bounce))
        bench.board.host_port.write(rng.randbytes(150) + b"\x00")
        bench.run(300 * MS)
    return bench, truth


def test_stack_and_variables_leave_half_the_memory_free() -> None:
    bench, _ = busy_bench()
    sizes = dict(line.split()[:2] for line in (DEFAULT_ELF.parent / "size.txt").read_text().splitlines())
    assert bench.board.stack_bytes + int(sizes["ram_bytes"]) <= RAM_BYTES / 2
    assert bench.board.stack_bytes < 400


def test_no_interrupt_keeps_the_servo_waiting_and_no_press_is_misdated() -> None:
    bench, truth = busy_bench()
    longest = bench.board.longest_isr_us
    assert {"host receive", "servo receive", "button edge"} <= set(longest)
    assert max(longest.values()) < RECEIVER_HOLDS_US
    # Where several meet, a byte of the servo may be lost all the same: that reading is repeated.
    edges = [e for e in bench.events if e.kind in ("press", "release")]
    assert [e.kind for e in edges] == ["press", "release"] * 4
    assert all(abs(e.t_ns - t) < e.uncertainty_ns < MS for e, t in zip(edges, truth, strict=True))
    assert bench.details("fault") == []


def test_a_line_that_chatters_without_end_is_no_press_and_stops_nothing() -> None:
    bench = Bench(obstacle=700)
    bench.run(2500 * MS)
    for _ in range(10):  # half a second of a loose contact at 10 kHz
        bench.press(*(100_000 * n for n in range(1, 499)))
        bench.run(50 * MS)
        bench.release()
    bench.run(100 * MS)
    assert bench.kinds("press", "release") == []
    assert bench.link.describe()["restarts"] == 0
    bench.press()
    bench.run(500 * MS)
    bench.release()
    bench.run(100 * MS)
    assert bench.kinds("press", "contact", "release") == ["press", "contact", "release"]


def test_events_are_dated_right_across_the_wrap_of_the_devices_clock() -> None:
    bench = Bench(obstacle=700, device_us=2**32 - 4_000_000, resonator_ppm=3000.0)
    bench.board.host_port.latency = UsbLatency((1, 3), (1, 3), seed=3)
    bench.run(2500 * MS)
    truth = []
    while bench.now_ns < 6 * S:
        truth.append(bench.press() if len(truth) % 2 == 0 else bench.release())
        bench.run(400 * MS)
    edges = [e for e in bench.events if e.kind in ("press", "release")]
    assert [e.kind for e in edges] == ["press", "release"] * (len(truth) // 2) + ["press"] * (len(truth) % 2)
    assert all(abs(e.t_ns - t) < min(e.uncertainty_ns, MS) for e, t in zip(edges, truth, strict=True))
    times = [s.t_ns for s in bench.samples]
    assert times == sorted(times) and max(b - a for a, b in pairwise(times)) < 25 * MS
    assert bench.link.describe()["restarts"] == 0


def test_an_answer_to_a_ping_says_when_it_leaves() -> None:
    bench = Bench(obstacle=700, polls=False)
    board = bench.board
    wire: list[tuple[int, int]] = []  # (end of the byte on the wire ns, byte)
    passed_on = board.host_port.from_firmware

    def watch(byte: int, t_ns: int) -> None:
        wire.append((t_ns, byte))
        passed_on(byte, t_ns)

    board.host_port.from_firmware = watch
    board.run_until(500 * MS)
    rng = random.Random(1)
    byte_ns = board._byte_ns(0)
    arrival = {}
    for token in range(1, 101):
        board.run_until(board.now_ns + rng.randrange(20 * MS, 40 * MS))
        ping = encode(PingMessage(token, 0), token)
        arrival[token] = board.now_ns + len(ping) * byte_ns
        board.host_port.write(ping)
    board.run_until(board.now_ns + 50 * MS)
    errors_us, begun = [], 0
    for index, (_, byte) in enumerate(wire):
        if byte:
            continue
        raw, start_ns = bytes(b for _, b in wire[begun:index]), wire[begun][0] - byte_ns
        begun = index + 1
        try:
            message = decode(raw).message
        except FrameError:
            continue
        if isinstance(message, PongMessage):
            errors_us.append(message.wait - (start_ns - arrival[message.token]) / 1000)
    assert len(errors_us) == 100
    assert abs(statistics.median(errors_us)) < 5
    assert max(map(abs, errors_us)) < 100


def test_what_the_arduino_ide_builds_runs() -> None:
    make("firmware", "ide")
    board = Board(ROOT / "firmware" / "build" / "ide" / "sketch.elf")
    listener = Listener(board)
    board.run_until(50 * MS)
    board.set_button(True)
    board.run_until(200 * MS)
    frames = listener.frames(HelloMessage | ButtonMessage)
    assert [type(f.message) for f in frames] == [HelloMessage, ButtonMessage, ButtonMessage]
    assert frames[0].message.firmware == 0  # it does not know its own hash
    board.close()
