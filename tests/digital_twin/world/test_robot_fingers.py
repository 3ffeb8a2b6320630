"""The RG2's finger control, with ideal fingers that obey at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.world.robot_fingers import MAX_FORCE_N, MIN_FORCE_N, FingerDrive, FingerSettings
from wildgrasp.rig import MAX_OPENING_M

DT = 0.002
SETTINGS = FingerSettings()
FORCE_MARGIN_M = 25.0 / SETTINGS.stiffness_n_m


def run(drive, width_m, object_m=None, limit_s=5.0):
    """Step until it is no longer busy; fingers stop at an object. Returns the width, last set-point and seconds."""
    seconds = 0.0
    setpoint = width_m
    while drive.state.busy and seconds < limit_s:
        setpoint = drive.step(width_m, DT)
        width_m = min(max(setpoint, object_m if object_m is not None else 0.0, 0.0), MAX_OPENING_M)
        seconds += DT
    return width_m, setpoint, seconds


@given(st.floats(0.0, MAX_OPENING_M), st.floats(0.0, MAX_OPENING_M))
def test_reaches_any_width_at_its_speed(start, goal):
    drive = FingerDrive(width_m=start)
    drive.command(goal, 25.0)
    width, _, seconds = run(drive, start)
    assert width == pytest.approx(goal, abs=2 * SETTINGS.tolerance_m)
    assert seconds >= abs(goal - start) / SETTINGS.speed_m_s
    assert not drive.state.grip_detected


@given(st.floats(0.001, 0.1))
def test_pushes_with_full_force_on_what_it_meets(object_m):
    drive = FingerDrive()
    drive.command(0.0, 25.0)
    width, setpoint, _ = run(drive, MAX_OPENING_M, object_m)
    assert width == pytest.approx(object_m, abs=1e-3)
    assert width - setpoint >= FORCE_MARGIN_M
    if object_m > 2 * SETTINGS.tolerance_m:
        assert drive.state.grip_detected


@given(st.floats(-1.0, 1.0), st.floats(-10.0, 100.0))
def test_commands_out_of_range_are_clamped(width, force):
    drive = FingerDrive()
    drive.command(width, force)
    assert MIN_FORCE_N <= drive.force_n <= MAX_FORCE_N
    final, _, _ = run(drive, MAX_OPENING_M)
    assert 0.0 <= final <= MAX_OPENING_M


def test_stop_holds_where_the_fingers_are():
    drive = FingerDrive()
    drive.command(0.0, 25.0)
    width = MAX_OPENING_M
    for _ in range(200):
        width = max(drive.step(width, DT), 0.0)
    drive.stop()
    assert 0.03 < width < 0.1
    assert run(drive, width)[0] == pytest.approx(width, abs=1e-3)
