"""The link against the simulated device: clock, losses, reboots, unplugging, threads."""

from __future__ import annotations

import json
import random

import pytest
from gripper_bench import MS, Bench, S

from capture_app.gripper.link import GripperLink
from capture_app.gripper.protocol import Command, Result
from capture_app.gripper.stops import ServoStops
from digital_twin.avr.board import Board
from digital_twin.avr.host_port import UsbLatency
from digital_twin.avr.realtime import RealTimeBoard
from digital_twin.avr.simulator import BoardNotBuiltError
from wildgrasp.clocks import MonotonicClock
from wildgrasp.errors import GripperLinkError
from wildgrasp.sessions.events import GripperEvent


@pytest.mark.parametrize("ppm", [-6000.0, 6000.0])
def test_edges_are_dated_under_jitter_and_a_wrong_resonator(ppm: float) -> None:
    bench = Bench(resonator_ppm=ppm, start_ns=10 * S)
    bench.board.host_port.latency = UsbLatency((1, 5), (1, 5), seed=1)
    rng = random.Random(2)
    truth = []
    bench.run(20 * MS)  # before its start the device sees nothing
    while bench.now_ns < 20 * S:
        truth.append(bench.press() if len(truth) % 2 == 0 else bench.release())
        bench.run(rng.randrange(100, 900) * MS, 700_000)
    bench.run(100 * MS)
    edges = [e for e in bench.events if e.kind in ("press", "release")]
    assert len(edges) == len(truth)
    errors = sorted(abs(e.t_ns - t) for e, t in zip(edges, truth, strict=True))
    assert errors[-1] < 2 * MS and errors[len(errors) // 2] < 0.5 * MS
    assert all(abs(e.t_ns - t) < e.uncertainty_ns for e, t in zip(edges, truth, strict=True))
    fit = bench.link.describe()["clock_fit"]
    assert fit["drift_ppm"] == pytest.approx(-ppm, abs=150)


def test_events_before_the_fit_is_good_are_held_back_and_kept_in_order() -> None:
    bench = Bench()
    bench.run(100 * MS)
    truth = [bench.press()]
    bench.run(300 * MS)
    truth.append(bench.release())
    bench.run(500 * MS)
    assert bench.events == []
    bench.run(2 * S)
    assert bench.kinds() == ["press", "release"]
    assert all(abs(e.t_ns - t) < e.uncertainty_ns for e, t in zip(bench.events, truth, strict=True))
    assert [s.t_ns for s in bench.samples] == sorted(s.t_ns for s in bench.samples)


def test_unplugging_is_an_event_and_ends_by_itself() -> None:
    bench = Bench()
    bench.run(3 * S)
    bench.board.host_port.unplug()
    bench.run(1 * S)
    with pytest.raises(GripperLinkError, match="Check its USB cable"):
        bench.link.command("open")
    bench.board.host_port.plug()
    bench.run(2 * S)
    pressed = bench.press()
    bench.run(500 * MS)
    assert bench.kinds("link_lost", "link_back", "press") == ["link_lost", "link_back", "press"]
    assert abs(bench.events[-1].t_ns - pressed) < MS
    assert bench.link.describe()["reconnects"] == 1


def test_a_restart_begins_a_new_clock_and_is_told() -> None:
    bench = Bench(obstacle=700)
    bench.run(5 * S)
    bench.board.reset()
    bench.run(4 * S)
    pressed = bench.press()
    bench.run(500 * MS)
    assert bench.details("fault") == ["the gripper restarted (external)"]
    described = bench.link.describe()
    assert described["boot_id"] == 2 and described["restarts"] == 1
    assert [e.kind for e in bench.events[-2:]] == ["press", "contact"]
    assert abs(bench.events[-2].t_ns - pressed) < MS


def test_a_restart_whose_hello_is_lost_is_noticed() -> None:
    bench = Bench()
    bench.run(5 * S)
    bench.board.reset()
    bench.board.host_port.disturb = lambda data: b""
    bench.run(50 * MS)
    bench.board.host_port.disturb = None
    bench.run(4 * S)
    pressed = bench.press()
    bench.run(300 * MS)
    assert bench.link.describe()["restarts"] == 1
    assert abs(bench.events[-1].t_ns - pressed) < MS


def test_damage_on_the_way_is_counted_and_loses_no_press() -> None:
    bench = Bench()
    bench.run(3 * S)
    rng = random.Random(9)
    bench.board.host_port.disturb = lambda data: bytes([data[0] ^ 4]) if rng.random() < 0.002 else data
    for _ in range(10):
        bench.press()
        bench.run(150 * MS)
        bench.release()
        bench.run(150 * MS)
    assert bench.kinds("press", "release") == ["press", "release"] * 10
    received = bench.link.describe()["received"]
    assert received["bad_frames"] > 0 and received["lost_frames"] > 0


def test_silence_is_a_lost_link() -> None:
    bench = Bench()
    bench.run(3 * S)
    bench.board.host_port.disturb = lambda data: b""
    bench.run(1500 * MS)
    bench.board.host_port.disturb = None
    bench.run(500 * MS)
    assert bench.kinds("link_lost", "link_back") == ["link_lost", "link_back"]


def test_stops_are_set_in_the_device_and_reported() -> None:
    bench = Bench()
    bench.run(500 * MS)
    first = bench.link.send(Command.SET_CLOSED_STOP, 700)
    second = bench.link.send(Command.SET_OPEN_STOP, 695)
    bench.run(200 * MS)
    assert bench.link.result(first) is Result.DONE
    assert bench.link.result(second) is Result.OUT_OF_RANGE
    again = Bench(eeprom=bench.board.eeprom)
    again.run(500 * MS)
    assert again.link.stops == ServoStops(512, 700)


def test_description_is_json() -> None:
    bench = Bench()
    bench.run(3 * S)
    described = json.loads(json.dumps(bench.link.describe()))
    assert described["connected"] and described["protocol"] == 1
    assert described["clock_fit"]["uncertainty_ns"] < MS


def test_what_cannot_be_dated_yet_is_there_at_the_end_of_a_recording() -> None:
    bench = Bench()
    bench.run(S // 2)  # the clock fit needs two seconds
    pressed_ns = bench.press()
    bench.run(S // 4)
    assert bench.kinds("press") == []
    rest = [item for item in bench.link.take(rest=True) if isinstance(item, GripperEvent)]
    (press,) = [event for event in rest if event.kind == "press"]
    assert abs(press.t_ns - pressed_ns) <= press.uncertainty_ns
    bench.run(4 * S)
    assert bench.kinds("press") == []  # once
    bench.release()
    bench.run(S // 4)
    assert bench.kinds("release") == ["release"]  # the fit went on meanwhile


def test_a_thread_reads_a_pty_in_real_time() -> None:
    Bench(polls=False)  # builds
    board = Board()
    path = board.attach_pty()
    clock = MonotonicClock()
    with RealTimeBoard(board) as running:
        link = GripperLink.find(path, clock)
        link.start()
        running.set_button(True)
        items: list = []
        deadline = clock.now_ns() + 30 * S
        while clock.now_ns() < deadline and not any(isinstance(i, GripperEvent) and i.kind == "press" for i in items):
            clock.sleep_until_ns(clock.now_ns() + 50 * MS)
            items += link.take()
        link.close()
    board.close()
    assert any(isinstance(i, GripperEvent) and i.kind == "press" for i in items)
    assert link.describe()["boot_id"] == 1


def test_a_missing_build_says_what_to_do(tmp_path) -> None:
    with pytest.raises(BoardNotBuiltError, match="make firmware"):
        Board(tmp_path / "none.elf")
