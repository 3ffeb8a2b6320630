"""The verb ``capture --twin``: the product's touchscreen app, with the twin's camera and serial port plugged in.

The app does not know. A simulated person picks things up while a recording runs.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from capture_app.app.devices import Devices
from capture_app.app.run import AppConfig, CaptureApp, qt_application
from capture_app.gripper.link import GripperLink
from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.person import PersonConfig
from digital_twin.demonstrator.realtime import HandheldTwin, start_handheld_twin
from wildgrasp.clocks import MonotonicClock
from wildgrasp.upload.target import DEFAULT_TARGET


def capture(
    out: Path = Path("twin-sessions"),
    study: Path | None = None,
    target: Path = DEFAULT_TARGET,
    kiosk: bool = False,
    seed: int = 7,
    picks: int = 60,
) -> None:
    """Open the touchscreen app on the digital twin: a simulated camera, the real firmware in a simulated board, and a
    person who picks things up whenever you record.

    Args:
        out: Folder of sessions; the app keeps its settings, queue and trash there too.
        study: A TOML file with title, tasks, participants and consent (docs/device.md).
        target: Where to upload to.
        kiosk: Full screen, without a mouse pointer.
        seed: Of the kitchen and the person.
        picks: How many the person makes before they have had enough.
    """
    qt_application()
    with Console(stderr=True).status("switching the twin on"):
        twin = start_handheld_twin(config=kitchen(seed, picks))
    with twin:
        app_on(twin, AppConfig(out, study, target, kiosk, extra_meta=lambda: {"simulated": True})).run()


def kitchen(seed: int, picks: int) -> PerformanceConfig:
    handheld = HandheldConfig(n_objects=6, family="train")
    return PerformanceConfig(seed=seed, picks=picks, handheld=handheld, person=PersonConfig(place="aside"))


def app_on(twin: HandheldTwin, config: AppConfig) -> CaptureApp:
    """The app on a running twin, whose person picks while a recording runs."""
    devices = Devices(twin.camera, lambda: GripperLink.find(twin.pty_path, MonotonicClock()))
    app = CaptureApp(devices, config)
    app.window.setWindowTitle("WildGrasp – simulated (digital twin)")
    app.model.recording.began.connect(twin.begin)
    app.model.recording.saved.connect(lambda _: twin.rest())
    return app
