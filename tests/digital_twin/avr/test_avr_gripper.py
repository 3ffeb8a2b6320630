"""The firmware's behaviour end to end: the real AVR binary, a virtual servo, the real link, in virtual time."""

from __future__ import annotations

import random

import pytest
from gripper_bench import MS, Bench, Listener, S

from capture_app.gripper.protocol import HelloMessage, Result, StatsMessage
from digital_twin.avr.registers import Register, ServoError


def test_press_closes_contact_holds_release_opens() -> None:
    bench = Bench(obstacle=700)
    bench.run(3 * S)
    pressed = bench.press()
    bench.run(1 * S)
    assert bench.plant.position_ticks == 700
    assert bench.servo.word(Register.GOAL) == 705  # brought back to the fingers
    assert bench.servo.word(Register.TORQUE_LIMIT) <= 1023 / 5
    released = bench.release()
    bench.run(1 * S)
    assert abs(bench.plant.position_ticks - 512) <= 6
    assert bench.kinds() == ["press", "contact", "release"]
    press, contact, release = bench.events
    for event, truth in ((press, pressed), (release, released)):
        assert abs(event.t_ns - truth) < min(event.uncertainty_ns, 500_000)
    assert pressed + 200 * MS < contact.t_ns < pressed + 400 * MS
    assert bench.samples[-1].opening == pytest.approx(1.0, abs=0.03)
    assert bench.board.overruns == bench.board.collisions == 0


def test_bounce_gives_one_event_each_and_short_presses_are_counted() -> None:
    bench = Bench()
    bench.run(3 * S)
    rng = random.Random(5)
    truth = []
    for _ in range(10):
        for action in (bench.press, bench.release):
            bounce = sorted(rng.sample(range(20_000, 10 * MS), 2 * rng.randrange(8)))
            truth.append(action(*bounce))
            bench.run(rng.randrange(40, 200) * MS)
    bench.press()
    bench.run(5 * MS)
    bench.release()
    bench.run(1200 * MS)
    events = [e for e in bench.events if e.kind in ("press", "release")]
    assert [e.kind for e in events] == ["press", "release"] * 10
    assert all(abs(e.t_ns - t) < min(e.uncertainty_ns, 500_000) for e, t in zip(events, truth, strict=True))
    assert bench.link.describe()["device_counters"]["short_presses"] == 1
    assert bench.link.describe()["device_counters"]["lost_edges"] == 0


def test_a_grip_of_ten_minutes_neither_heats_nor_overloads() -> None:
    bench = Bench(obstacle=700, polls=False)
    bench.board.run_until(1 * S)
    bench.press()
    bench.board.run_until(3 * S)
    held = bench.servo.state
    # The motor's model is exact in large steps: load is constant while it holds.
    for minute in range(1, 11):
        bench.servo.advance(3 * S + minute * 60 * S)
    assert abs(held.load_fraction) <= 0.2
    assert bench.servo.temperature_c < 30
    assert bench.servo.word(Register.TORQUE_LIMIT) > 0


def test_overload_opens_and_asks_for_a_fresh_press() -> None:
    bench = Bench(obstacle=700)
    bench.run(3 * S)
    bench.press()
    bench.run(1 * S)
    bench.servo._latch(ServoError.OVERLOAD)
    bench.run(1 * S)
    assert bench.details("fault")[0].startswith("overload began")
    assert bench.details("fault")[1].startswith("overload ended")
    assert abs(bench.plant.position_ticks - 512) <= 6
    bench.release()
    bench.run(200 * MS)
    bench.press()
    bench.run(1 * S)
    assert bench.plant.position_ticks == 700
    assert bench.kinds("contact") == ["contact", "contact"]


def test_overheat_opens_switches_off_and_never_retries() -> None:
    bench = Bench(obstacle=700)
    bench.run(3 * S)
    bench.press()
    bench.run(1 * S)
    bench.servo.temperature_c = 66.0
    bench.run(2 * S)
    assert bench.details("fault") == ["overheat began (65)"] or bench.details("fault") == ["overheat began (66)"]
    assert abs(bench.plant.position_ticks - 512) <= 6
    assert not bench.servo.torque_enabled
    bench.release()
    bench.run(100 * MS)
    bench.press()
    bench.run(500 * MS)
    assert not bench.servo.torque_enabled
    bench.servo.temperature_c = 45.0
    bench.run(500 * MS)
    assert not bench.servo.torque_enabled  # it is still pressed
    bench.release()
    bench.run(100 * MS)
    bench.press()
    bench.run(1 * S)
    assert bench.plant.position_ticks == 700


def test_servo_unplugged_in_mid_grip_is_a_fault_and_grips_again_when_back() -> None:
    bench = Bench(obstacle=700)
    bench.run(3 * S)
    bench.press()
    bench.run(1 * S)
    bench.servo.unplug()
    bench.run(500 * MS)
    assert bench.details("fault") == ["servo_missing began (0)"]
    bench.servo.plug()
    bench.run(1 * S)
    assert bench.details("fault")[-1] == "servo_missing ended (0)"
    assert bench.servo.word(Register.GOAL) == 705 and bench.servo.torque_enabled
    bench.release()
    bench.run(1 * S)
    assert abs(bench.plant.position_ticks - 512) <= 6


def test_corrupted_and_lost_replies_are_survived_and_counted() -> None:
    bench = Bench(obstacle=700)
    bench.run(3 * S)
    rng = random.Random(7)

    def disturb(reply: bytes) -> bytes:
        roll = rng.random()
        if roll < 0.1:
            return b""
        if roll < 0.2:
            return bytes(b ^ (rng.random() < 0.2) << rng.randrange(8) for b in reply)
        return reply

    bench.servo.disturb = disturb
    for _ in range(3):
        bench.press()
        bench.run(800 * MS)
        assert bench.plant.position_ticks == 700
        bench.release()
        bench.run(800 * MS)
        assert abs(bench.plant.position_ticks - 512) <= 6
    counters = bench.link.describe()["device_counters"]
    assert counters["servo_timeouts"] > 10 and counters["servo_errors"] > 10
    assert bench.kinds("press", "release") == ["press", "release"] * 3
    assert bench.details("fault") == []


def test_servo_answering_only_garbage_is_a_fault() -> None:
    bench = Bench()
    bench.run(3 * S)
    bench.servo.corrupt_replies = 15
    bench.run(3 * S)
    assert bench.details("fault") == ["servo_garbled began (0)", "servo_garbled ended (0)"]


def test_a_bus_that_echoes_works_too() -> None:
    bench = Bench(obstacle=700)
    bench.board.servo_echo = True
    bench.run(3 * S)
    bench.press()
    bench.run(1 * S)
    assert bench.kinds() == ["press", "contact"]
    assert bench.link.describe()["device_counters"]["servo_errors"] == 0


def test_without_a_host_it_grips_all_the_same() -> None:
    bench = Bench(obstacle=700, polls=False)
    bench.board.host_port.unplug()
    bench.board.run_until(1 * S)
    bench.press()
    bench.board.run_until(2 * S)
    assert bench.plant.position_ticks == 700
    bench.release()
    bench.board.run_until(3 * S)
    assert abs(bench.plant.position_ticks - 512) <= 6


def test_host_overrides_and_gives_back() -> None:
    bench = Bench()
    bench.run(2500 * MS)
    request = bench.link.command("close")
    bench.run(1 * S)
    assert bench.link.result(request) is Result.DONE
    assert abs(bench.plant.position_ticks - 812) <= 6
    bench.link.command("auto")
    bench.run(1 * S)
    assert abs(bench.plant.position_ticks - 512) <= 6


def test_watchdog_restarts_a_hung_firmware_with_a_new_boot_id() -> None:
    bench = Bench(obstacle=700, polls=False)
    listener = Listener(bench.board)
    bench.board.run_until(1 * S)
    [first] = listener.frames(HelloMessage)
    bench.board.hang()
    bench.board.run_until(2 * S)
    [second] = listener.frames(HelloMessage)
    assert second.message.boot_id == first.message.boot_id + 1
    assert second.message.reset_cause == 4  # watchdog
    bench.press()
    bench.board.run_until(3 * S)
    assert bench.plant.position_ticks == 700


def test_settings_and_boot_count_survive_power() -> None:
    first = Bench(polls=False)
    first.board.run_until(200 * MS)
    second = Bench(eeprom=first.board.eeprom)
    second.run(500 * MS)
    assert second.link.describe()["boot_id"] == 2


def test_runs_are_reproducible() -> None:
    def fingerprint() -> list:
        bench = Bench(obstacle=650)
        bench.run(2500 * MS)
        bench.press(1 * MS, 2 * MS)
        bench.run(500 * MS)
        return bench.events + bench.samples

    assert fingerprint() == fingerprint()


def test_main_loop_keeps_its_turn_short() -> None:
    bench = Bench(obstacle=700, polls=False)
    listener = Listener(bench.board)
    bench.board.run_until(1500 * MS)
    bench.press()
    bench.board.run_until(4500 * MS)
    longest = [f.message.loop_max for f in listener.frames(StatsMessage)]
    assert len(longest) == 4 and max(longest[1:]) < 1500
