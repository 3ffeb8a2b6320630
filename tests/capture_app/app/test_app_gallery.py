"""Every screen, in every language: nothing is cut off, everything to tap is large enough, nothing lies over another.

    WILDGRASP_GALLERY=docs/images/app python -m pytest tests/capture_app/app/test_app_gallery.py

makes the pictures of the guides, with a recording of the digital twin in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QRect
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QScrollArea, QWidget

from capture_app.app.computer import Network, Power
from capture_app.app.devices import Devices
from capture_app.app.models.app import Notice
from capture_app.app.models.cut import Still
from capture_app.app.models.lights import Level
from capture_app.app.models.recording import RecordingState
from capture_app.app.models.settings import Check, GripperTest, Storage
from capture_app.app.models.upload import UploadRow
from capture_app.app.monitor import Snapshot
from capture_app.app.picture import Warn
from capture_app.app.run import AppConfig, CaptureApp
from capture_app.app.settings import LANGUAGES, SettingsFile
from capture_app.app.views.parts import TallButton
from capture_app.app.views.thumb import Thumb
from wildgrasp.qt.theme import TOUCH_PX
from wildgrasp.sessions.events import GripperEvent
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

GALLERY = os.environ.get("WILDGRASP_GALLERY", "")
GOOD = Snapshot("", "", 240_000, 11.1, 0.8, 3, Power(None, True), Network(True, True, "wlan0"), 32_000_000_000)
STUDY = Path(__file__).parent / "gallery_study.toml"


@pytest.fixture(scope="module")
def recording(tmp_path_factory, frames) -> Path:
    """A recording with three picks: for the guides one of the twin's people, else a synthetic clip."""
    path = tmp_path_factory.mktemp("gallery") / "2026-11-20T17-42-10"
    if GALLERY:
        from digital_twin.app_twin import kitchen
        from digital_twin.demonstrator.take import TakeConfig, record_take

        record_take(path, TakeConfig(kitchen(seed=7, picks=3), fps=6.0))
        return path
    with SessionWriter(path, replace_fps(frames)) as out:
        for i in range(12):
            out.add_frame(replace(frames[i], t_host_ns=i * 2_000_000_000))
        for i in (1, 4, 8):
            out.add_event(GripperEvent(i * 2_000_000_000, "press"))
            out.add_event(GripperEvent((i + 1) * 2_000_000_000, "release"))
    return path


def replace_fps(frames):
    from benchmarks.clip import INFO

    return replace(INFO, depth_scale=frames[0].depth_scale, fps=0.5)


@contextmanager
def gallery_app(qt, tmp_path, camera, recording: Path, language: str) -> Iterator[CaptureApp]:
    """The app, standing still: no clock ticks in it, so that every picture is the same each time."""
    out = tmp_path / language
    SettingsFile(out / ".app" / "settings.json").change(language=language, participant="P07", mb_per_s=3.5)
    app = CaptureApp(Devices(camera, lambda: None), AppConfig(out, STUDY))
    app._devices.feed.start()
    app._monitor.snapshot = GOOD
    app.window.show()
    assert QTest.qWaitForWindowExposed(app.window)
    yield app
    app.close()
    app.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def scenes(app: CaptureApp, recording: Path) -> Iterator[str]:
    """Bring the app into one state after the other; the name of each."""
    model = app.model
    model.show("participant")
    yield "participant"
    model.show("tasks")
    yield "tasks"
    model.show("ready")
    model.ready.look()
    model.ready.count(0, 2)
    yield "ready"
    model.ready.set_show_depth(True)
    yield "ready-depth"
    model.ready.set_show_depth(False)
    app._monitor.snapshot = replace(GOOD, camera_problem="gone")
    model.ready.look()
    yield "ready-camera-missing"
    app._monitor.snapshot = GOOD
    model.ready.look()
    model._update(notice=Notice("discarded"))
    yield "ready-discarded"
    model._update(notice=Notice("rescued"))
    yield "ready-rescued"
    model._update(notice=None, screen="recording")
    model.recording._update(phase="running", elapsed_s=83, picks=3, minutes_left=140)
    yield "recording"
    model.recording._update(warning=Warn.FAST)
    yield "recording-warning"
    for warning in Warn:
        model.recording._update(warning=warning, just_marked=True)
        yield f"recording-{warning}"
    model.recording._update(warning=None, just_marked=False, camera_missing=True)
    yield "recording-camera-missing"
    model.recording._update(camera_missing=False, phase="saving")
    yield "recording-saving"
    model.recording._update(**vars(RecordingState()))
    yield from review_scenes(app, recording)
    yield from upload_scenes(app)
    yield from settings_scenes(app)


def review_scenes(app: CaptureApp, recording: Path) -> Iterator[str]:
    model = app.model
    model.review.open(recording)
    wait(lambda: model.review.state.review is not None)
    model._update(screen="review")
    model.review.label("held")
    yield "review"
    model.review.label("held")
    model.review.label("dropped")
    yield "review-done"
    model.ask("discard", lambda: None)
    yield "review-discard"
    model.answer_no()
    model.cut.open(recording)
    wait(lambda: model.cut.state.still is not None)
    model._update(screen="cut")
    yield "cut-begin"
    seconds = model.cut.state.duration_s
    with Session(recording) as session:
        picture = session.frame(len(session) // 2).color
    model.cut._update(start_s=seconds * 0.4, end_s=seconds * 0.6, position_s=seconds * 0.6, still=Still(0.0, picture))
    yield "cut"
    model.ask("cut", lambda: None)
    yield "cut-ask"
    model.answer_no()
    model.cut.close()


def upload_scenes(app: CaptureApp) -> Iterator[str]:
    model = app.model
    model._update(screen="upload")
    yield "upload-empty"
    names = ["2026-11-20T17-42-10", "2026-11-20T16-05-44", "2026-11-19T09-30-02", "2026-11-18T19-12-33"]
    states = [("waiting", 0.0), ("uploading", 0.62), ("failed", 0.1), ("uploaded", 1.0)]
    rows = tuple(
        UploadRow(Path(name), state, done, 412.0, True) for name, (state, done) in zip(names, states, strict=True)
    )
    model.upload._update(rows=rows, running=True, remaining_s=260.0, safe_bytes=412_000_000)
    yield "upload"
    for reason in ("target", "recording", "paused", "offline", "wifi", "charger", "server"):
        model.upload._update(held_by=reason, paused=reason == "paused")
        yield f"upload-{reason}"
    model.ask("free", lambda: None)
    yield "upload-free"
    model.answer_no()


def settings_scenes(app: CaptureApp) -> Iterator[str]:
    model = app.model
    checks = (
        Check("camera", Level.GOOD, "D415 · 842112070001 · 5.16.0.1"),
        Check("gripper", Level.GOOD),
        Check("firmware", Level.GOOD, "a440152d"),
        Check("clock", Level.GOOD, "± 0.24 ms"),
        Check("button", Level.GOOD, "0"),
        Check("servo", Level.GOOD, "11.1 V · 38 °C"),
        Check("disk", Level.GOOD, "32.0 GB"),
        Check("network", Level.GOOD, "wlan0"),
        Check("target", Level.GOOD, "https://lab.example/kitchens/stick-04"),
    )
    model.settings._update(checks=checks, test=GripperTest(0.82, 11.1, 38.0, 512, 300, "open", "done"))
    model._update(screen="settings")
    yield "settings-health"
    bad = tuple(replace(check, level=Level.BAD, detail="1" if check.name == "button" else "") for check in checks)
    model.settings._update(checks=bad)
    yield "settings-unwell"
    model.settings._update(page="gripper")
    yield "settings-gripper"
    model.settings._update(page="storage", storage=Storage(32_000_000_000, 149, 12, 4_900_000_000))
    model.settings._update(folder="/home/wildgrasp/sessions")
    yield "settings-storage"
    model.settings._update(page="language")
    yield "settings-language"


def wait(true) -> None:
    for _ in range(2000):
        if true():
            return
        QTest.qWait(5)
    raise AssertionError("waited in vain")


KEPT = (  # what the guides show
    "participant", "tasks", "ready", "ready-depth", "ready-camera-missing", "ready-discarded", "recording",
    "recording-warning", "review", "review-discard", "cut", "upload", "settings-health", "settings-gripper",
    "settings-storage", "settings-language",
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen(qt, tmp_path, camera, recording, language):
    with Session(recording) as session:
        still = session.frame(len(session) // 3)
    camera.frames = [still]
    faults = []
    with gallery_app(qt, tmp_path, camera, recording, language) as app:
        wait(lambda: app._devices.feed.latest is not None)
        for name in scenes(app, recording):
            for preview in (app.window.views["ready"].stage.preview, app.window.views["recording"].stage.preview):
                preview._shown = None
                preview.refresh()
            QTest.qWait(1)
            picture = grab(app.window)
            assert picture.std() > 5, f"{name} is blank"
            faults += [f"{language}/{name}: {fault}" for fault in find_faults(app.window)]
            save(picture, name, language, tmp_path)
    assert not faults, "\n".join(faults)


def grab(window: QWidget) -> np.ndarray:
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return pixels[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def save(picture: np.ndarray, name: str, language: str, tmp_path: Path) -> None:
    """For the guides as JPEG in English, for the eye as PNG in the test's folder."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    if not GALLERY:
        cv2.imwrite(str(tmp_path / f"{name}-{language}.png"), bgr)
    elif name in KEPT and language == "en":
        cv2.imwrite(str(Path(GALLERY) / f"{name}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, 82])


def find_faults(window: QWidget) -> list[str]:
    """What would annoy a person on the screen of now."""
    faults = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible():
            continue
        if isinstance(widget, QAbstractButton) and not (isinstance(widget, Thumb) and not widget.isEnabled()):
            if min(widget.width(), widget.height()) < TOUCH_PX:
                faults.append(f"{widget.accessibleName()!r} is only {widget.width()}x{widget.height()}")
            if not widget.accessibleName() and not widget.text():
                faults.append(f"{widget} has no name for who cannot see it")
            if not text_fits(widget):
                faults.append(f"{widget.text() or widget.accessibleName()!r} is cut off")
        if isinstance(widget, QLabel) and widget.text() and not label_fits(widget):
            faults.append(f"{widget.text()!r} is cut off: {widget.size()} needs {widget.sizeHint()}")
        if not scrolled(widget) and not inside(widget):
            faults.append(f"{widget} {widget.geometry()} leaves its parent")
    return faults


def text_fits(made: QAbstractButton) -> bool:
    if isinstance(made, TallButton):
        return made.text_fits()
    if not made.text():
        return True
    return made.sizeHint().width() <= made.width()


def label_fits(label: QLabel) -> bool:
    if not label.wordWrap():
        return label.sizeHint().width() <= label.width() + 1
    needed = label.fontMetrics().boundingRect(QRect(0, 0, label.width(), 10_000), 0x1000, label.text())  # word wrap
    return needed.height() <= label.height() + 1 and needed.width() <= label.width() + 1


def scrolled(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return True
        parent = parent.parentWidget()
    return isinstance(widget, QScrollArea)


def inside(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    return parent is None or parent.rect().contains(widget.geometry())
