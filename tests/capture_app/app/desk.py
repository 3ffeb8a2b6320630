"""The desk on which the app is tested: the firmware in a simulated board on a pty, whose button and cable the test
holds, a camera of the same kind, a finger, and eyes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import serial
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from benchmarks.clip import INFO
from capture_app.app.run import CaptureApp
from capture_app.gripper.link import GripperLink
from capture_app.gripper.ports import find_gripper, open_serial
from digital_twin.avr.ax12 import VirtualAX12
from digital_twin.avr.board import Board
from digital_twin.avr.plant import FreePlant
from digital_twin.avr.realtime import RealTimeBoard
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.clocks import MonotonicClock
from wildgrasp.errors import CameraError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.writer import SessionWriter

PERIOD_NS = 33_333_333
PATIENCE_S = 60.0  # of a busy machine; nothing asserts how long something takes


class DeskCamera:
    """Plays frames over and over at 30 per second; its cable can be pulled."""

    def __init__(self, frames: list[RGBDFrame]) -> None:
        self.frames = frames
        self.info: CameraInfo = replace(
            INFO, model="D415", serial="0042", firmware="5.16", depth_scale=frames[0].depth_scale
        )
        self._plugged = threading.Event()
        self._plugged.set()
        self._number = 0
        self._due_ns = 0

    def pull(self) -> None:
        self._plugged.clear()

    def plug(self) -> None:
        self._plugged.set()

    def open(self) -> CameraInfo:
        if not self._plugged.is_set():
            raise CameraError("No RealSense camera is plugged in.")
        self._due_ns = time.monotonic_ns()
        return self.info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        self._due_ns = max(self._due_ns + PERIOD_NS, time.monotonic_ns() - PERIOD_NS)
        MonotonicClock().sleep_until_ns(self._due_ns)
        if not self._plugged.is_set():
            raise CameraError("The camera was unplugged.")
        self._number += 1
        frame = self.frames[self._number % len(self.frames)]
        return replace(frame, t_host_ns=self._due_ns, t_device_ns=self._due_ns)

    def close(self) -> None: ...


class Cable:
    """A serial port that fails once its cable is pulled."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self.timeout = port.timeout
        self.plugged = True

    @property
    def in_waiting(self) -> int:
        return self._whole().in_waiting

    def read(self, size: int = 1) -> bytes:
        return self._whole().read(size)

    def write(self, data: bytes) -> int | None:
        return self._whole().write(data)

    def close(self) -> None:
        self._port.close()

    def _whole(self) -> serial.Serial:
        if not self.plugged:
            raise serial.SerialException("device disconnected")
        return self._port


class DeskGripper:
    """The firmware on a pty in real time. ``pull`` and ``plug`` are the USB cable."""

    def __init__(self) -> None:
        self.board = Board(servo=VirtualAX12(FreePlant()))
        self.path = self.board.attach_pty()
        self.realtime = RealTimeBoard(self.board)
        self._plugged = True
        self._cable: Cable | None = None

    def find(self) -> GripperLink:
        clock = MonotonicClock()
        port, hello = self._find()
        link = GripperLink(port, clock, reopen=lambda: self._find()[0])
        link._receiver.meet(hello, clock.now_ns())
        return link

    def _find(self):
        return find_gripper(self.path, MonotonicClock(), open_device=self._open)

    def _open(self, device: str) -> Cable:
        if not self._plugged:
            raise FileNotFoundError(f"No such file: {device}")
        self._cable = Cable(open_serial(device))
        return self._cable

    def pull(self) -> None:
        """The device file is gone, and what is open fails: as a USB serial port does."""
        self._plugged = self._cable.plugged = False

    def plug(self) -> None:
        self._plugged = True

    def press(self, down: bool) -> None:
        self.realtime.set_button(down)

    def rest(self, milliseconds: int) -> None:
        """Let the device's own time pass, which a busy machine slows down."""
        end = self.board.now_ns + milliseconds * 1_000_000
        while self.board.now_ns < end:
            QTest.qWait(5)


class Screen:
    """A finger on the app's window, and eyes."""

    def __init__(self, app: CaptureApp) -> None:
        self.app = app
        self.model = app.model
        self._finger = QTest.createTouchDevice()

    @property
    def view(self) -> QWidget:
        return self.app.window.views[self.model.state.screen]

    def tap(self, widget: QWidget, at: QPoint | None = None) -> None:
        """A real touch event in the middle of a widget, through the window."""
        assert widget.isVisible() and widget.isEnabled(), widget
        self.touch(widget, at)
        self.lift(widget, at)

    def touch(self, widget: QWidget, at: QPoint | None = None) -> None:
        point = widget.mapTo(self.app.window, at or widget.rect().center())
        assert self.app.window.childAt(point) in (widget, *widget.findChildren(QWidget)), "something lies over it"
        QTest.touchEvent(self.app.window, self._finger).press(0, point, self.app.window).commit()

    def lift(self, widget: QWidget, at: QPoint | None = None) -> None:
        point = widget.mapTo(self.app.window, at or widget.rect().center())
        QTest.touchEvent(self.app.window, self._finger).release(0, point, self.app.window).commit()

    def wait(self, true: Callable[[], bool], what: str = "") -> None:
        """Let the app run until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, f"waited in vain for {what or true}: {self.model.state}"
            QTest.qWait(5)

    def wait_for(self, screen: str) -> None:
        self.wait(lambda: self.model.state.screen == screen, screen)
        QTest.qWait(1)

    def start(self) -> None:
        """Tap Record, and wait until it runs."""
        self.tap(self.view.record)
        self.wait(lambda: self.model.recording.state.phase == "running", "the recording")

    def frames(self) -> int:
        """Recorded so far."""
        return self.model.recording._recorder.status().frames

    def more_frames(self, number: int) -> None:
        before = self.frames()
        self.wait(lambda: self.frames() > before + number, "frames")

    def pick(self, gripper: DeskGripper) -> None:
        """Press until the app has counted it, and let go."""
        before = self.model.recording.state.picks
        gripper.press(True)
        self.wait(lambda: self.model.recording.state.picks == before + 1, "a pick")
        gripper.rest(400)
        gripper.press(False)
        gripper.rest(600)  # a thumb that bounces would be quicker

    def stop(self) -> Path:
        """Tap Stop, and wait for the review; the recording."""
        self.tap(self.view.stop)
        self.wait_for("review")
        self.wait(lambda: self.model.review.state.review is not None, "the review")
        return self.model.review.path


def assert_whole(path: Path) -> None:
    """A good session. An overloaded machine makes the simulated board skip time, which its clock's fit then follows."""
    report = check_session(path, deep=True)
    faults = [f.text for f in report.findings if f.status is not Status.GOOD and "servo goes back" not in f.text]
    assert not faults, faults


def record_frames(path: Path, frames, events=()) -> Path:
    """A session of frames at 30 per second, beginning at time 0."""
    with SessionWriter(path, replace(INFO, depth_scale=frames[0].depth_scale)) as out:
        for i, frame in enumerate(frames):
            out.add_frame(replace(frame, t_host_ns=i * PERIOD_NS))
        for event in events:
            out.add_event(event)
    return path
