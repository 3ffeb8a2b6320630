"""A recording process that is killed: every frame that it had taken survives, and so does every session closed
before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session

ROOT = Path(__file__).parents[2]

# Records a short session and closes it, then one without end; says each id after the recording took the frame.
CHILD = """
import sys
from itertools import count
from pathlib import Path
import numpy as np
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.geometry import PinholeCamera
from wildgrasp.sessions.events import GripperEvent
from wildgrasp.sessions.recording import Recording

folder = Path(sys.argv[1])
info = CameraInfo("test", "42", "1.0", PinholeCamera(32, 24, 30.0, 30.0, 15.5, 11.5), 0.001, 30.0)

def record(name, frames):
    recording = Recording(folder / name, info)
    for i in frames:
        depth = np.full((24, 32), i, np.uint16)
        recording.accept(RGBDFrame(np.zeros((24, 32, 3), np.uint8), depth, 0.001, i * 33_333_333))
        recording.add_event(GripperEvent(i * 33_333_333, "press"))
        print(i, flush=True)
    recording.close()
    print("closed", flush=True)

record("closed", range(20))
record("open", count())
"""


@pytest.mark.parametrize("frames", [1, 14, 15, 16, 47])
def test_a_kill_costs_no_frame(tmp_path, frames):
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        lines = iter(child.stdout.readline, "")
        assert "closed\n" in lines
        for _ in range(frames):
            next(lines)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert check_session(tmp_path / "closed", deep=True).status is Status.GOOD
    session = tmp_path / "open"
    with Session(session) as cut_off:  # it opens as it is, with what was committed
        assert not cut_off.closed
        list(cut_off.frames())
    assert check_session(session).status is Status.REPAIRABLE
    repair_session(session)
    with Session(session) as repaired:
        assert len(repaired) >= frames
        assert len(repaired.events()) >= frames
        assert [frame.depth_raw[0, 0] for frame in repaired.frames()] == list(range(len(repaired)))
    assert check_session(session, deep=True).status is Status.GOOD


def test_a_disk_that_fails_anywhere_loses_nothing_that_was_accepted():
    """Every 17th write or sync fails, or the process is killed there: recording, repairing, processing. The exhaustive
    version is ``python -m benchmarks.crash``."""
    command = [sys.executable, "-m", "benchmarks.disk_faults", "--every", "17"]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout
    figures = {name: int(value) for name, value in map(str.split, found.splitlines())}
    assert figures.pop("faults") == figures.pop("closed_sessions") > 25
    assert figures.pop("power_cut_frames_lost_max") <= 15  # half a second: what was not synced yet
    assert set(figures.values()) == {0}, figures
