"""The RG2 driver against the simulated Compute Box: widths, forces, objects, silence, the safety switch."""

import pytest

from robot_runner.gripper.rg2_modbus import Rg2Modbus
from wildgrasp.errors import RobotError


@pytest.fixture
def gripper(cb3):
    gripper = Rg2Modbus(cb3.address, cb3.rg2_port)
    gripper.connect()
    yield gripper
    gripper.close()


def test_it_goes_to_the_width_it_is_told(gripper, cb3):
    gripper.move_to(0.04, 20.0)
    reading = gripper.wait(5.0)
    assert reading.width_m == pytest.approx(0.04, abs=1e-4)
    assert not reading.grip_detected
    assert cb3.report()["gripper_width_m"] == pytest.approx(0.04, abs=1e-4)


def test_closing_ends_on_an_object_and_says_so(gripper, cb3):
    cb3.say("object 32")
    gripper.move_to(0.0, 20.0)
    reading = gripper.wait(5.0)
    assert reading.grip_detected
    assert reading.width_m == pytest.approx(0.032, abs=1e-4)


def test_a_command_during_a_motion_is_not_lost(gripper):
    gripper.move_to(0.02, 20.0)
    gripper.move_to(0.09, 20.0)
    assert gripper.wait(5.0).width_m == pytest.approx(0.09, abs=1e-4)


def test_silence_is_reported_in_time(gripper, cb3):
    cb3.say("gripper-silent")
    with pytest.raises(RobotError, match="does not answer"):
        gripper.state()


def test_a_triggered_safety_switch_is_named(gripper, cb3):
    cb3.say("gripper-trip")
    with pytest.raises(RobotError, match="safety switch"):
        gripper.wait(1.0)


@pytest.mark.parametrize(("width_m", "force_n"), [(-0.01, 20), (0.2, 20), (0.05, 0), (0.05, 400), (float("nan"), 20)])
def test_what_it_cannot_do_is_refused(gripper, width_m, force_n):
    with pytest.raises(RobotError, match="Nothing moved"):
        gripper.move_to(width_m, force_n)


def test_no_compute_box():
    with pytest.raises(RobotError, match="No gripper answers"):
        Rg2Modbus("127.0.0.250", 1502).connect()
