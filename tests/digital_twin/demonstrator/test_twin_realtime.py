"""The device in real time: a serial port that answers, a camera that streams, a person who begins when told."""

from __future__ import annotations

import time

import numpy as np
import pytest

from capture_app.gripper.link import GripperLink
from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.realtime import TwinError, start_handheld_twin
from digital_twin.demonstrator.truth import load_truth
from digital_twin.world.gripper_model import CAMERA
from wildgrasp.clocks import MonotonicClock
from wildgrasp.errors import CameraError


def test_port_camera_and_person(tmp_path):
    truth = tmp_path / "live.truth.npz"
    config = PerformanceConfig(seed=2, picks=1, handheld=HandheldConfig(n_objects=2))
    with start_handheld_twin(config=config, truth=truth, fps=10.0) as twin:
        link = GripperLink.find(twin.pty_path, MonotonicClock())  # raises when nobody answers
        link.close()
        assert twin.poll().phase == "waiting"
        info = twin.camera.open()
        assert info.intrinsics == CAMERA
        twin.begin()
        frames = [twin.camera.read(timeout_s=30.0) for _ in range(5)]
        times = [frame.t_host_ns for frame in frames]
        assert times == sorted(set(times))
        assert times[-1] <= time.monotonic_ns()
        assert frames[-1].color.std() > 5
        deadline = time.monotonic() + 60
        while twin.poll().phase == "waiting" and time.monotonic() < deadline:
            twin.camera.read(timeout_s=30.0)
        assert twin.poll().phase == "look"
    kept = load_truth(truth)
    assert set(times) <= set(kept["t_ns"].tolist())
    assert np.isfinite(kept["T_world_camera"]).all()
    with pytest.raises(CameraError, match="has ended"):
        twin.camera.open()


def test_a_process_that_dies_is_reported():
    config = PerformanceConfig(seed=2, picks=1, handheld=HandheldConfig(n_objects=1))
    with start_handheld_twin(config=config, fps=10.0) as twin:
        twin.poll()
        for process in twin.processes:
            process.terminate()
            process.join()
        with pytest.raises(TwinError, match="has ended"):
            twin.poll()
        with pytest.raises(CameraError, match="has ended"):
            twin.camera.open()
            twin.camera.read()
