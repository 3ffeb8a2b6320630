"""The verb ``record``: record a session from camera and gripper in a terminal."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from capture_app.gripper.link import GripperLink
from wildgrasp.calibration import load_calibration
from wildgrasp.cameras.base import Camera
from wildgrasp.clocks import MonotonicClock
from wildgrasp.geometry import to_vector
from wildgrasp.sessions.names import new_session_path
from wildgrasp.sessions.recorder import Recorder, RecorderStatus
from wildgrasp.sessions.recording import RecordingSummary

REFRESH_S = 0.25


def record(
    out: Path = Path("sessions"),
    port: str | None = None,
    seconds: float | None = None,
    participant: str = "",
    task: str = "",
    camera_serial: str = "",
    calibration: Path | None = None,
) -> None:
    """Record one session with the handheld gripper, until Ctrl-C.

    Args:
        out: Folder of sessions; the new one gets the time as its name.
        port: The gripper's serial port; without it, it is looked for.
        seconds: Stop by itself after that long.
        participant: Who records; kept with the session.
        task: What is being done; kept with the session.
        camera_serial: Serial number of the camera, where several are plugged in.
        calibration: File of `wildgrasp calibrate camera-to-gripper`; kept with the session. Without it, the drawing's.
    """
    from wildgrasp.cameras.realsense import RealSenseCamera, RealSenseConfig

    meta: dict[str, Any] = {"participant": participant, "task": task}
    if calibration is not None:
        meta["T_camera_fingertip"] = to_vector(load_calibration(calibration, "T_camera_fingertip").T).tolist()
    link = GripperLink.find(port, MonotonicClock())
    try:
        camera = RealSenseCamera(RealSenseConfig(serial=camera_serial))
        path = new_session_path(out, datetime.now())
        summary = watch(camera, link, path, meta, seconds, Console())
    finally:
        link.close()
    print(
        f"{summary.frames} frames in {summary.duration_s:.1f} s ({summary.lost_frames} lost), "
        f"{summary.events} gripper events: {summary.path}"
    )


def watch(
    camera: Camera, link: GripperLink, path: Path, meta: dict[str, Any], seconds: float | None, console: Console
) -> RecordingSummary:
    """Record until the time is up or somebody interrupts; what was recorded is kept in either case."""
    recorder = Recorder(camera, link, path, meta)
    recorder.start()
    started = time.monotonic()
    try:
        with Live(console=console, transient=True) as live:
            while seconds is None or time.monotonic() - started < seconds:
                live.update(_status(recorder.status(), time.monotonic() - started))
                time.sleep(REFRESH_S)
    except KeyboardInterrupt:
        pass  # the way to stop
    return recorder.stop()


def _status(status: RecorderStatus, elapsed_s: float) -> Table:
    table = Table("time", "frames", "lost", "gripper events", "disk free", "problem")
    table.add_row(
        f"{elapsed_s:.0f} s",
        str(status.frames),
        str(status.lost_frames),
        str(status.events),
        f"{status.free_bytes / 1e9:.1f} GB",
        status.problem or "none",
    )
    return table
