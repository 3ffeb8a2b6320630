"""First part of the demo: a simulated person picks things up, and the product's recorder records it live."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from capture_app.gripper.link import GripperLink
from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.person import PersonConfig
from digital_twin.demonstrator.realtime import Progress, start_handheld_twin
from digital_twin.demonstrator.take import truth_path
from wildgrasp.clocks import MonotonicClock
from wildgrasp.geometry import to_vector
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.recording import RecordingSummary

CLOCK_FIT_S = 2.5  # the gripper is plugged in that long before anybody taps Record


def record_picks(path: Path, seed: int, picks: int, on_progress: Callable[[Progress], None]) -> RecordingSummary:
    """Record a person's picks through camera and serial port, in real time, into a new session; the truth beside it.

    Raises TwinError, GripperLinkError, CameraError or SessionError; a session that was begun stays readable.
    """
    performance = PerformanceConfig(
        seed=seed,
        picks=picks,
        handheld=HandheldConfig(n_objects=6, family="train"),
        person=PersonConfig(place="aside"),
    )
    meta = {
        "participant": "simulated",
        "task": "pick things up from a kitchen table",
        "simulated": True,
        "T_camera_fingertip": to_vector(NOMINAL_T_CAMERA_FINGERTIP).tolist(),
    }
    with start_handheld_twin(truth=truth_path(path), config=performance) as twin:
        link = GripperLink.find(twin.pty_path, MonotonicClock())
        try:
            link.start()
            time.sleep(CLOCK_FIT_S)
            recorder = Recorder(twin.camera, link, path, meta)
            recorder.start()
            try:
                _watch(twin, on_progress)
            finally:
                summary = recorder.stop()
        finally:
            link.close()
    return summary


def _watch(twin, on_progress: Callable[[Progress], None]) -> None:
    twin.begin()
    while True:
        progress = twin.poll()
        on_progress(progress)
        if progress.done:
            return
        time.sleep(0.2)
