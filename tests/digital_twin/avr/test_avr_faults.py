"""What the firmware does in trouble: load, heat, resets and power cuts at the worst moment, hosts that vanish."""

from __future__ import annotations

from itertools import pairwise

import pytest
from gripper_bench import MS, Bench, Listener, S

from capture_app.gripper.protocol import HelloMessage
from capture_app.gripper.stops import ServoStops
from digital_twin.avr.board import Board
from digital_twin.avr.motor import MotorModel
from digital_twin.avr.registers import Instruction, Register

OPEN, CLOSED = 512, 812
STEP = 5 * MS


def goals(bench: Bench) -> list[int]:
    """Goals that were written to the servo since the last call."""
    written = [p for _, p in bench.servo.packets if p[4] == Instruction.WRITE and len(p) > 14]
    bench.servo.packets.clear()
    at = 6 + Register.GOAL - Register.TORQUE_ENABLE
    return [packet[at] | packet[at + 1] << 8 for packet in written]


def gripping(motor: MotorModel | None = None, **options: object) -> Bench:
    bench = Bench(obstacle=700, **options)
    if motor is not None:
        bench.servo.motor = motor
    bench.run(2500 * MS, STEP)
    bench.press()
    bench.run(600 * MS, STEP)
    assert bench.plant.position_ticks == 700
    return bench


def test_a_long_grip_neither_overheats_nor_overloads() -> None:
    # Ten time constants of heat: as hot as it will ever be, with the firmware holding all the while.
    bench = gripping(MotorModel(time_constant_s=0.8))
    bench.run(8 * S, STEP)
    assert bench.plant.position_ticks == 700
    assert 0.1 < bench.servo.state.load_fraction <= 0.2
    assert bench.servo.temperature_c < 30
    assert bench.details("fault") == []


def test_a_hold_that_is_too_hard_for_the_motor_ends_open_and_is_not_repeated() -> None:
    bench = gripping(MotorModel(overload_fraction=0.12, overload_s=1.0))
    bench.run(4 * S, STEP)
    assert bench.details("fault") == ["overload began (32)", "overload ended (0)"]
    assert abs(bench.plant.position_ticks - OPEN) <= 6
    goals(bench)
    bench.run(3 * S, STEP)  # still pressed
    assert CLOSED not in goals(bench)


def test_a_motor_that_heats_in_a_grip_opens_before_it_shuts_itself_down() -> None:
    bench = gripping(MotorModel(full_load_rise_c=2500.0, time_constant_s=3.0, overload_s=1e9))
    bench.run(5 * S, STEP)
    assert bench.details("fault")[0] == "overheat began (65)"
    assert abs(bench.plant.position_ticks - OPEN) <= 6
    assert not bench.servo.torque_enabled


def test_a_servo_replugged_while_hot_closes_nothing_until_a_fresh_press() -> None:
    bench = gripping()
    bench.servo.temperature_c = 66.0
    bench.run(2 * S, STEP)
    goals(bench)
    bench.servo.unplug()
    bench.run(500 * MS, STEP)
    bench.servo.temperature_c = 40.0
    bench.servo.plug()
    bench.run(2 * S, STEP)
    assert CLOSED not in goals(bench)
    bench.release()
    bench.run(100 * MS)
    bench.press()
    bench.run(1 * S, STEP)
    assert bench.plant.position_ticks == 700


@pytest.mark.parametrize("cause", ["watchdog", "brown_out", "external"])
def test_a_reset_in_mid_grip_drops_nothing(cause: str) -> None:
    bench = gripping()
    goals(bench)
    if cause == "watchdog":
        bench.board.hang()
    else:
        bench.board.reset(brown_out=cause == "brown_out")
    for _ in range(100):
        bench.run(20 * MS, STEP)
        assert bench.plant.position_ticks == 700
    assert set(goals(bench)) == {CLOSED, 705}  # felt for anew, never let go
    assert bench.details("fault") == [f"the gripper restarted ({cause})"]


def test_an_override_whose_host_vanished_gives_the_button_back() -> None:
    bench = Bench()
    bench.run(2500 * MS, STEP)
    bench.link.command("close")
    bench.run(3 * S, STEP)
    assert abs(bench.plant.position_ticks - CLOSED) <= 6  # as long as the host speaks
    bench.board.host_port.unplug()
    bench.board.run_until(bench.now_ns + 3 * S)
    assert abs(bench.plant.position_ticks - OPEN) <= 6


def test_a_power_cut_at_any_moment_of_a_start_never_repeats_a_boot_number_and_keeps_the_stops() -> None:
    first = Bench()
    first.run(100 * MS)
    for command, ticks in ((4, 500), (5, 790)):
        first.link.send(command, ticks)
        first.run(100 * MS)
    images = [first.board.eeprom]
    known = 1
    for _ in range(3):
        board = Board(eeprom=images[-1])
        while board.now_ns < 1 * MS:  # the simulator writes EEPROM at once: everything is written in this time
            board.run_until(board.now_ns + 1000)
            if board.eeprom != images[-1]:
                images.append(board.eeprom)
        board.close()
    assert len(images) > 9  # some are torn
    for image in images:
        bench = Bench(eeprom=image, polls=False)
        listener = Listener(bench.board)
        bench.board.run_until(20 * MS)
        [hello] = listener.frames(HelloMessage)
        assert known <= hello.message.boot_id <= known + 2
        known = max(known, hello.message.boot_id - 1)
        assert ServoStops(hello.message.open_stop, hello.message.closed_stop) == ServoStops(500, 790)
        bench.board.close()


def test_a_start_wears_each_cell_of_the_eeprom_at_most_every_second_time() -> None:
    images = [bytes([0xFF]) * 4096]
    for _ in range(6):
        board = Board(eeprom=images[-1])
        board.run_until(20 * MS)
        images.append(board.eeprom)
        board.close()
    changed = [{i for i in range(4096) if a[i] != b[i]} for a, b in pairwise(images)]
    assert all(0 < len(cells) <= 6 for cells in changed)
    assert all(not a & b for a, b in pairwise(changed))
