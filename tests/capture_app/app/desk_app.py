"""The app on the desk's devices as a program, for tests that kill it: records, and says so after some frames."""

from __future__ import annotations

import sys
from pathlib import Path

from desk import DeskCamera, DeskGripper
from PySide6.QtCore import QTimer

from benchmarks.clip import clip
from capture_app.app.devices import Devices
from capture_app.app.run import AppConfig, CaptureApp, qt_application
from wildgrasp.sessions.recorder import RecorderConfig


def main(folder: Path, frames: int) -> None:
    qt_application()
    gripper = DeskGripper()
    with gripper.realtime:
        devices = Devices(DeskCamera(clip(10)), gripper.find)
        config = AppConfig(folder / "sessions", target=folder / "none.toml", recorder=RecorderConfig(min_free_bytes=1))
        app = CaptureApp(devices, config)
        app.model.choose_participant("P01")
        timer = QTimer(app, interval=20)
        said = []

        def drive() -> None:
            model = app.model
            if model.state.screen == "ready" and model.ready.state.can_record and not said:
                model.record()
            recording = model.recording.state.phase == "running" and not said
            if recording and model.recording._recorder.status().frames > frames:
                said.append(True)
                print("recorded", flush=True)

        timer.timeout.connect(drive)
        timer.start()
        app.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
