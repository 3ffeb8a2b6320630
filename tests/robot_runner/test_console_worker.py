"""The console's runner in a process of its own, on a simulated controller: nothing moves but by Start."""

from __future__ import annotations

import time

import numpy as np
import pytest
from console_bench import Bench

from robot_runner.console import messages as m
from robot_runner.keep_out import KeepOutBox, load_keep_out
from wildgrasp.sessions.session import Session


@pytest.fixture
def bench(cb3, tmp_path):
    with Bench(cb3, tmp_path) as bench:
        bench.until_phase(m.Phase.READY)
        yield bench


def rest(controller):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        report = controller.report()
        if report["fastest_joint_rad_s"] < 1e-4:
            return report
    raise AssertionError("still moving")


def test_stop_protective_stop_and_a_silent_window_end_the_motion_and_only_start_begins_another(bench, cb3):
    bench.start_and_be_in_motion()
    bench.say(m.StopNow())
    bench.until(lambda x: isinstance(x, m.RunEnded) and x.text == "stopped by the operator")
    bench.until_phase(m.Phase.READY)
    stopped = rest(cb3)["q"]
    assert stopped[0] < 1.1  # on its way

    bench.start_and_be_in_motion()
    cb3.say("protective-stop")
    status = bench.until_phase(m.Phase.ATTENTION)
    assert status.cause is m.Cause.PROTECTIVE_STOP
    assert "protective stop" in status.text
    q = rest(cb3)["q"]
    bench.say(m.Start("straight-down", "table", 1))  # refused: nobody has confirmed anything
    bench.say(m.Recover())
    bench.until_phase(m.Phase.READY)
    np.testing.assert_allclose(rest(cb3)["q"], q, atol=1e-5)

    bench.start_and_be_in_motion()
    status = bench.until_phase(m.Phase.ATTENTION, alive=False)
    assert status.cause is m.Cause.FAULT
    assert "window did not answer" in status.text
    assert rest(cb3)["q"][0] < 1.15

    runs = sorted((bench.folder / "runs").iterdir())
    outcomes = []
    for run in runs:
        with Session(run) as session:
            assert session.closed
            outcomes += [row["outcome"] for row in session.db.query("SELECT outcome FROM episodes")]
    assert outcomes == ["stopped", "fault", "stopped"]


def test_a_window_that_is_gone_leaves_the_arm_still(bench, cb3):
    bench.start_and_be_in_motion()
    bench.pipe.close()
    bench.process.join(30.0)
    assert bench.process.exitcode == 0
    report = rest(cb3)
    assert not report["running"]
    assert report["q"][0] < 1.15


def test_pausing_boxes_and_an_emergency_stop_at_rest(bench, cb3):
    boxes = (KeepOutBox((0.2, 0.2, 0.0), (0.3, 0.3, 0.2), "lamp"),)
    bench.say(m.SaveBoxes("table", boxes))
    bench.until(lambda x: isinstance(x, m.Choices) and x.scenes[0].boxes == boxes)
    assert load_keep_out(bench.folder / "boxes.json") == boxes
    picture = bench.until(lambda x: isinstance(x, m.Picture))
    assert picture.color.shape == (360, 480, 3)
    status = bench.until_phase(m.Phase.READY)
    assert status.width_m == pytest.approx(0.11, abs=1e-3)
    assert len(status.joints) == 7
    assert len(status.workspace) == 4

    bench.start_and_be_in_motion()
    bench.say(m.Pause(True))
    bench.until_phase(m.Phase.PAUSED)
    bench.until(lambda x: isinstance(x, m.Progress) and x.state == "paused")
    rest(cb3)
    bench.say(m.StopNow())
    bench.until_phase(m.Phase.READY)

    cb3.say("emergency-stop")
    assert bench.until_phase(m.Phase.ATTENTION).cause is m.Cause.EMERGENCY_STOP
    bench.say(m.Recover())
    assert "released" in bench.until(
        lambda x: isinstance(x, m.Status) and x.phase is m.Phase.ATTENTION and "elease" in x.text
    ).text.replace("Release it", "released")
    cb3.say("release-emergency-stop")
    bench.say(m.Recover())
    bench.until_phase(m.Phase.READY)
