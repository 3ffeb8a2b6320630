"""Recording: it starts, it runs, it is saved. Nothing here waits on the screen's thread."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from capture_app.app.library import folder_bytes
from capture_app.app.models.lights import minutes_left
from capture_app.app.models.services import Services
from capture_app.app.picture import Warn
from wildgrasp.errors import SessionError, UserError
from wildgrasp.qt.viewmodel import ViewModel
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.repair import repair_session

MARK_SHOWN_S = 2.0


@dataclass(frozen=True)
class RecordingState:
    phase: str = "off"  # off | starting | running | saving
    elapsed_s: int = 0
    picks: int = 0
    marks: int = 0
    just_marked: bool = False
    warning: Warn | None = None
    camera_missing: bool = False
    gripper_missing: bool = False
    lost_frames: int = 0
    minutes_left: int = 0


class RecordingModel(ViewModel):
    """One recording after the other.

    ``began`` when frames are being kept; ``saved`` with the session's path when it is closed; ``failed`` with a text.
    """

    began = Signal()
    saved = Signal(object)
    failed = Signal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(RecordingState(), parent)
        self._services = services
        self._recorder: Recorder | None = None
        self._path = Path()
        self._began_s = self._marked_s = 0.0

    @property
    def active(self) -> bool:
        return self.state.phase != "off"

    # --- what the person does ---

    @Slot()
    def begin(self) -> None:
        if self.active:
            return
        self._state = RecordingState()
        self._update(phase="starting")
        self._services.background.run(self._start, self._on_started, self._on_not_started)

    @Slot()
    def mark(self) -> None:
        """ "That one failed." """
        if self.state.phase == "running":
            self._recorder.mark("failed")
            self._marked_s = time.monotonic()
            self._update(marks=self.state.marks + 1, just_marked=True)

    @Slot()
    def stop(self) -> None:
        if self.state.phase == "running":
            self._update(phase="saving")
            self._services.background.run(self._finish, self._on_finished, self._on_not_finished)

    def close(self) -> None:
        """The app ends: save what is being recorded, and wait for it."""
        if self._recorder is not None:
            with contextlib.suppress(UserError):  # what the disk refuses is repaired at the next start
                self._finish()
            self._services.keep_awake.end()

    @Slot()
    def look(self) -> None:
        """Take how it stands; a few times a second."""
        if self.state.phase != "running":
            return
        status, now = self._recorder.status(), self._services.monitor.snapshot
        if not status.recording:
            self.stop()  # it ended by itself: the disk is full
            return
        settings = self._services.settings.value
        minutes = minutes_left(now.free_bytes, self._services.recorder.min_free_bytes, settings.mb_per_s)
        self._update(
            elapsed_s=int(time.monotonic() - self._began_s),
            picks=now.picks,
            just_marked=time.monotonic() - self._marked_s < MARK_SHOWN_S,
            warning=now.warnings[0] if now.warnings else None,
            camera_missing=bool(now.camera_problem),
            gripper_missing=bool(now.gripper_problem),
            lost_frames=status.lost_frames,
            minutes_left=int(minutes),
        )

    # --- on background threads ---

    def _start(self) -> None:
        services = self._services
        gripper = services.devices.gripper
        if gripper is None:
            raise UserError("The gripper is not there yet. Plug in its cable; nothing was recorded.")
        self._path = services.library.new_path(datetime.now())
        self._recorder = Recorder(
            services.devices.feed, gripper, self._path, self._meta(), services.recorder, services.clock
        )
        self._recorder.start()

    def _meta(self) -> dict[str, Any]:
        settings, study = self._services.settings.value, self._services.study
        return {
            "participant": settings.participant,
            "task": settings.task or study.tasks[0],
            "study": asdict(study)["title"],
            "consent": {"text": study.consent, "agreed": settings.consent},
            **self._services.extra_meta(),
        }

    def _finish(self) -> Path:
        """Close the session. What the disk refused to close is repaired, so that all that it holds can be seen."""
        try:
            summary = self._recorder.stop()
        except SessionError:
            repair_session(self._path)
        else:
            if summary.duration_s > 5:
                rate = folder_bytes(self._path) / summary.duration_s / 1e6
                self._services.settings.change(mb_per_s=min(max(rate, 0.1), 100.0))
        finally:
            self._services.devices.gripper.stop()
        return self._path

    # --- on the screen's thread again ---

    def _on_started(self, _: None) -> None:
        self._began_s, self._marked_s = time.monotonic(), float("-inf")
        self._update(phase="running")
        self._services.background.run(self._services.keep_awake.begin)
        self._services.background.run(self._services.library.empty_trash)
        self.began.emit()

    def _on_not_started(self, error: UserError) -> None:
        self._update(phase="off")
        self.failed.emit(str(error))

    def _on_finished(self, path: Path) -> None:
        self._over()
        self.saved.emit(path)

    def _on_not_finished(self, error: UserError) -> None:
        self._over()
        self.failed.emit(str(error))

    def _over(self) -> None:
        self._recorder = None
        self._services.background.run(self._services.keep_awake.end)
        self._update(phase="off")
