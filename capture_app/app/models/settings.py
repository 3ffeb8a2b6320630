"""Settings and diagnostics, for whoever looks after the device."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from capture_app.app.library import folder_bytes
from capture_app.app.models.lights import Level, minutes_left
from capture_app.app.models.services import Services
from capture_app.gripper.link import GripperCommand
from capture_app.gripper.protocol import Result
from wildgrasp.errors import UserError
from wildgrasp.qt.viewmodel import ViewModel
from wildgrasp.upload.target import load_target

ANSWER_S = 2.0
HOT_C = 65.0


@dataclass(frozen=True)
class Check:
    """One line of the health page. ``values`` fill the words that the view has for ``name`` and ``level``."""

    name: str
    level: Level
    detail: str = ""


@dataclass(frozen=True)
class GripperTest:
    opening: float | None = None  # 0 closed … 1 open
    volts: float | None = None
    temperature_c: float | None = None
    open_ticks: int | None = None
    closed_ticks: int | None = None
    mode: str = "auto"  # auto | open | close: what the fingers were last told
    answer: str = ""  # "" | waiting | done | refused | silent


@dataclass(frozen=True)
class Storage:
    free_bytes: int = 0
    minutes: int = 0
    sessions: int = 0
    bytes_used: int = 0


@dataclass(frozen=True)
class SettingsState:
    page: str = "health"  # health | gripper | storage | language
    checks: tuple[Check, ...] = ()
    test: GripperTest = GripperTest()
    storage: Storage = Storage()
    language: str = "en"
    folder: str = ""


class SettingsModel(ViewModel):
    """:meth:`look` a few times a second while it is shown."""

    language_changed = Signal(str)
    failed = Signal(str)

    def __init__(self, services: Services, target_file: Path, parent: QObject | None = None) -> None:
        language = services.settings.value.language
        super().__init__(SettingsState(language=language, folder=str(services.library.folder)), parent)
        self._services = services
        self._target_file = target_file
        self._request: tuple[int, float] | None = None  # number and deadline of the command under way
        self._mode, self._answer = "auto", ""

    @Slot(str)
    def show_page(self, page: str) -> None:
        self._update(page=page)
        if page == "storage":
            self._services.background.run(self._measure, lambda storage: self._update(storage=storage))

    @Slot(str)
    def choose_language(self, language: str) -> None:
        self._services.settings.change(language=language)
        self._update(language=language)
        self.language_changed.emit(language)

    @Slot(str)
    def move_fingers(self, command: str) -> None:
        """``open``, ``close``, or ``auto``: follow the button again."""
        link = self._services.devices.link
        if link is None:
            self._answer = "silent"
            return
        try:
            self._request = (link.command(GripperCommand(command)), time.monotonic() + ANSWER_S)
            self._mode, self._answer = command, "waiting"
        except UserError:
            self._answer = "silent"
        self.look()

    def leave(self) -> None:
        """Whoever tested the fingers gives them back to the button."""
        if self._mode != "auto":
            self.move_fingers("auto")

    @Slot()
    def look(self) -> None:
        now = self._services.monitor.snapshot
        self._hear_answer()
        link = self._services.devices.link
        stops = link.stops if link is not None else None
        counter = self._services.devices.gripper
        servo = counter.servo if counter is not None else None
        test = GripperTest(
            round(servo.opening, 2) if servo else None,
            round(servo.voltage_v, 1) if servo else None,
            servo.temperature_c if servo else None,
            stops.open_ticks if stops else None,
            stops.closed_ticks if stops else None,
            self._mode,
            self._answer,
        )
        self._update(checks=self._checks(now, servo), test=test)

    def _hear_answer(self) -> None:
        if self._request is None:
            return
        number, deadline_s = self._request
        result = self._services.devices.link.result(number)
        if result is not None:
            self._answer, self._request = ("done" if result is Result.DONE else "refused"), None
        elif time.monotonic() > deadline_s:
            self._answer, self._request = "silent", None

    def _checks(self, now, servo) -> tuple[Check, ...]:
        devices, settings = self._services.devices, self._services.settings.value
        about = now.gripper or {}
        camera = devices.feed.info if now.camera_ready and devices.feed.running else None
        camera_text = f"{camera.model} · {camera.serial} · {camera.firmware}" if camera else now.camera_problem
        firmware = about.get("firmware") or ""
        lost = about.get("lost_button_events", 0)
        minutes = minutes_left(now.free_bytes, self._services.recorder.min_free_bytes, settings.mb_per_s)
        uncertainty = now.clock_uncertainty_ns
        return (
            Check("camera", Level.GOOD if camera else Level.BAD, camera_text),
            Check("gripper", Level.BAD if now.gripper_problem else Level.GOOD, now.gripper_problem),
            Check("firmware", Level.WARN if firmware in ("", "00000000") else Level.GOOD, firmware),
            Check(
                "clock",
                Level.WAIT if uncertainty is None else Level.GOOD,
                "" if uncertainty is None else f"± {uncertainty * 1e-6:.2f} ms",
            ),
            Check("button", Level.WARN if lost else Level.GOOD, str(lost)),
            Check(
                "servo",
                Level.WAIT
                if servo is None
                else Level.WARN
                if servo.error or servo.temperature_c > HOT_C
                else Level.GOOD,
                "" if servo is None else f"{servo.voltage_v:.1f} V · {servo.temperature_c:.0f} °C",
            ),
            Check("disk", Level.BAD if minutes < 1 else Level.GOOD, f"{now.free_bytes / 1e9:.1f} GB"),
            Check("network", Level.GOOD if now.network.online else Level.WARN, now.network.name),
            self._target_check(),
        )

    def _target_check(self) -> Check:
        try:
            return Check("target", Level.GOOD, load_target(self._target_file).place)
        except UserError as error:
            return Check("target", Level.WARN, str(error))

    def _measure(self) -> Storage:
        library, now = self._services.library, self._services.monitor.snapshot
        sessions = library.sessions()
        minutes = minutes_left(
            now.free_bytes, self._services.recorder.min_free_bytes, self._services.settings.value.mb_per_s
        )
        return Storage(now.free_bytes, int(minutes), len(sessions), sum(map(folder_bytes, sessions)))
