"""The app on a desk, for all tests of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import DeskCamera, DeskGripper, Screen
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtTest import QTest

from benchmarks.clip import clip
from capture_app.app.devices import Devices
from capture_app.app.run import AppConfig, CaptureApp, qt_application
from wildgrasp.sessions.recorder import RecorderConfig


@pytest.fixture(scope="session")
def qt():
    return qt_application()


@pytest.fixture(scope="session")
def frames():
    return clip(30)


@pytest.fixture
def camera(frames):
    return DeskCamera(frames)


@pytest.fixture
def gripper():
    desk = DeskGripper()
    with desk.realtime:
        yield desk
    desk.board.close()


@pytest.fixture
def open_app(qt, tmp_path, camera, gripper):
    """Open the app on a folder; closed at the end. ``recorder`` and ``upload`` as in AppConfig."""
    opened: list[CaptureApp] = []

    def make(out: Path = tmp_path / "sessions", **config) -> Screen:
        config.setdefault("recorder", RecorderConfig(min_free_bytes=1_000_000))
        app = CaptureApp(Devices(camera, gripper.find), AppConfig(out, target=tmp_path / "upload.toml", **config))
        opened.append(app)
        app.start()
        assert QTest.qWaitForWindowExposed(app.window)
        return Screen(app)

    yield make
    for app in opened:
        if app.window.isVisible():
            app.close()
        app.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def screen(open_app) -> Screen:
    """The app with both devices there and a participant chosen."""
    made = open_app()
    made.wait_for("participant")
    made.tap(made.view.buttons["P03"])
    made.wait_for("ready")
    made.wait(lambda: made.model.ready.state.can_record, "both devices")
    return made
