"""The verb ``capture``: the touchscreen app."""

from __future__ import annotations

from pathlib import Path

from capture_app.app.devices import Devices
from capture_app.app.run import AppConfig, CaptureApp, qt_application
from capture_app.gripper.link import GripperLink
from wildgrasp.clocks import MonotonicClock
from wildgrasp.upload.target import DEFAULT_TARGET


def capture(
    out: Path = Path("sessions"),
    study: Path | None = None,
    port: str | None = None,
    camera_serial: str = "",
    target: Path = DEFAULT_TARGET,
    kiosk: bool = False,
) -> None:
    """Open the touchscreen app. `wildgrasp capture --twin` opens it on the digital twin, without any hardware.

    Args:
        out: Folder of sessions; the app keeps its settings, queue and trash there too.
        study: A TOML file with title, tasks, participants and consent (docs/device.md).
        port: The gripper's serial port; without it, it is looked for.
        camera_serial: Serial number of the camera, where several are plugged in.
        target: Where to upload to.
        kiosk: Full screen, without a mouse pointer.
    """
    from wildgrasp.cameras.realsense import RealSenseCamera, RealSenseConfig

    qt_application()
    camera = RealSenseCamera(RealSenseConfig(serial=camera_serial))
    devices = Devices(camera, lambda: GripperLink.find(port, MonotonicClock()))
    CaptureApp(devices, AppConfig(out, study, target, kiosk)).run()
