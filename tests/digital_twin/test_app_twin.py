"""The product's app on the twin: real firmware on a pty, the simulated camera, a person who picks."""

from __future__ import annotations

import time

from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest

from capture_app.app.run import AppConfig, qt_application
from digital_twin.app_twin import app_on
from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.realtime import start_handheld_twin
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.recorder import RecorderConfig
from wildgrasp.sessions.session import Session


def test_a_finger_records_a_simulated_persons_pick(tmp_path):
    qt_application()
    config = PerformanceConfig(seed=2, picks=1, handheld=HandheldConfig(n_objects=2))
    with start_handheld_twin(config=config, fps=10.0) as twin:
        settings = AppConfig(
            tmp_path / "sessions",
            recorder=RecorderConfig(min_free_bytes=1_000_000),
            extra_meta=lambda: {"simulated": True},
        )
        app = app_on(twin, settings)
        app.start()
        try:
            path = record_one_pick(app)
        finally:
            app.close()
    assert check_session(path, deep=True).status is Status.GOOD
    with Session(path) as session:
        assert session.meta["simulated"] is True
        assert session.meta["gripper"]["clock_fit"]["pings"] > 0
        assert [e.kind for e in session.events() if e.kind in ("press", "release")] == ["press", "release"]
        assert len(session.servo()) > 10
        assert session.frame(len(session) // 2).color.std() > 5


def record_one_pick(app):
    model, finger = app.model, QTest.createTouchDevice()

    def wait(true, what):
        deadline = time.monotonic() + 120
        while not true():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            QTest.qWait(10)

    def tap(widget):
        point = widget.mapTo(app.window, QPoint(widget.width() // 2, widget.height() // 2))
        QTest.touchEvent(app.window, finger).press(0, point, app.window).commit()
        QTest.touchEvent(app.window, finger).release(0, point, app.window).commit()

    wait(lambda: model.state.screen == "participant", "the first screen")
    tap(app.window.views["participant"].buttons["P01"])
    wait(lambda: model.ready.state.can_record, "both devices")
    tap(app.window.views["ready"].record)
    wait(lambda: model.recording.state.picks == 1, "the person's pick")
    wait(lambda: model.services.devices.gripper.servo.opening > 0.9 and pick_is_over(model), "its end")
    wait(lambda: model.services.devices.gripper.describe()["clock_fit"], "the clock, which a stalled machine restarts")
    tap(app.window.views["recording"].stop)
    wait(lambda: model.review.state.review is not None, "the review")
    assert len(model.review.state.review.picks) == 1
    return model.review.path


def pick_is_over(model) -> bool:
    """The release has arrived too."""
    events = model.services.devices.gripper._events
    return any(event.kind == "release" for event in events)
