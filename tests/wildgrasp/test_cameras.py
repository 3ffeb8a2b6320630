"""Playback, and the clock of a camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildgrasp.cameras.device_clock import DeviceClock
from wildgrasp.cameras.playback import PlaybackCamera
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import CameraError
from wildgrasp.sessions.recorder import Recorder, RecorderConfig
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

MS = 1_000_000


@pytest.fixture
def session(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info, quality=100) as out:
        for i in range(6):
            out.add_frame(make_frame(i))
    return tmp_path / "s"


def test_playback_delivers_the_recorded_frames(session, camera_info, make_frame):
    camera = PlaybackCamera(session)
    assert camera.open() == camera_info
    for i in range(6):
        frame = camera.read()
        np.testing.assert_array_equal(frame.depth_raw, make_frame(i).depth_raw)
        assert (frame.t_host_ns, frame.t_device_ns) == (make_frame(i).t_host_ns, make_frame(i).t_device_ns)
    with pytest.raises(EOFError):
        camera.read()
    camera.open()  # from the beginning
    assert camera.read().depth_raw[0, 0] == 0
    camera.close()
    with pytest.raises(CameraError):
        camera.read()


def test_playback_at_the_recorded_speed(session, make_frame):
    clock = VirtualClock(start_ns=500)
    camera = PlaybackCamera(session, clock)
    camera.open()
    for i in range(6):
        assert camera.read().t_host_ns == clock.now_ns() == 500 + make_frame(i).t_host_ns


def test_playback_can_be_recorded_again(session, tmp_path):
    recorder = Recorder(PlaybackCamera(session), None, tmp_path / "copy", config=RecorderConfig(quality=100))
    recorder.start()
    assert recorder.wait_ended(20)
    assert recorder.stop().frames == 6
    with Session(session) as a, Session(tmp_path / "copy") as b:
        for one, other in zip(a.frames(), b.frames(), strict=True):
            np.testing.assert_array_equal(one.color, other.color)
            np.testing.assert_array_equal(one.depth_raw, other.depth_raw)


def test_playback_of_nothing_is_a_clear_error(tmp_path, camera_info):
    with pytest.raises(CameraError, match="not a session"):
        PlaybackCamera(tmp_path).open()
    SessionWriter(tmp_path / "empty", camera_info).close()
    with pytest.raises(CameraError, match="no frames"):
        PlaybackCamera(tmp_path / "empty").open()


# --- the device's clock ---


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(-(10**15), 10**15),
    st.floats(-50e-6, 50e-6),
    st.lists(st.integers(0, 60 * MS), min_size=40, max_size=120),
)
def test_transfer_jitter_does_not_reach_the_times(offset_ns, drift, delays):
    clock = DeviceClock()
    times, truth = [], []
    for i, delay in enumerate(delays):
        t_true = i * 33_333_333
        stamp = round(t_true * (1 + drift)) + offset_ns
        delay = 2 * MS if i % 10 == 0 else 2 * MS + delay  # now and then a transfer is fast
        times.append(clock.host_ns(stamp, t_true + delay))
        truth.append(t_true)
    error = np.array(times) - np.array(truth) - 2 * MS
    assert (np.diff(times) > 0).all()
    assert np.abs(error[1:]).max() < MS  # drift of 50 ppm over 10 s is half a millisecond


def test_a_device_that_starts_anew_keeps_its_times_in_order():
    clock = DeviceClock()
    before = [clock.host_ns(i * 33 * MS, 10**12 + i * 33 * MS) for i in range(30)]
    after = [clock.host_ns(i * 33 * MS, 10**12 + 5000 * MS + i * 33 * MS) for i in range(30)]
    assert (np.diff(before + after) > 0).all()
    assert after[0] == 10**12 + 5000 * MS
