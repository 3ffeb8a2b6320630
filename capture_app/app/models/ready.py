"""Ready: is all there, and what shall be recorded?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from PySide6.QtCore import QObject, Slot

from capture_app.app.models.lights import Light, lights, minutes_left
from capture_app.app.models.services import Services
from wildgrasp.qt.viewmodel import ViewModel


@dataclass(frozen=True)
class ReadyState:
    title: str
    tasks: tuple[str, ...]
    participants: tuple[str, ...]
    consent: str
    participant: str
    task: str
    show_depth: bool
    lights: tuple[Light, ...] = ()
    missing: str = "camera"  # camera | gripper | disk: what hinders a recording; "" when nothing does
    looking: bool = True  # it was never there since the start
    to_review: int = 0
    to_upload: int = 0

    @property
    def can_record(self) -> bool:
        return not self.missing


class ReadyModel(ViewModel):
    """Follows the monitor's snapshot; :meth:`look` takes the present one."""

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        study, settings = services.study, services.settings.value
        task = settings.task if settings.task in study.tasks else study.tasks[0]
        participant = settings.participant if settings.participant in study.participants else ""
        super().__init__(
            ReadyState(
                study.title, study.tasks, study.participants, study.consent, participant, task, settings.show_depth
            ),
            parent,
        )
        self._services = services
        self._seen: set[str] = set()

    @Slot()
    def look(self) -> None:
        now = self._services.monitor.snapshot
        settings, reserve = self._services.settings.value, self._services.recorder.min_free_bytes
        minutes = minutes_left(now.free_bytes, reserve, settings.mb_per_s)
        missing = ""
        if now.camera_problem:
            missing = "camera"
        elif now.gripper_problem:
            missing = "gripper"
        elif minutes < 1.0:
            missing = "disk"
        self._seen |= {"camera"} if now.camera_ready else set()
        self._seen |= {"gripper"} if now.gripper_ready else set()
        self._update(lights=lights(now, minutes), missing=missing, looking=missing not in self._seen)

    def count(self, to_review: int, to_upload: int) -> None:
        self._update(to_review=to_review, to_upload=to_upload)

    @Slot(str)
    def choose_task(self, task: str) -> None:
        self._services.settings.change(task=task)
        self._update(task=task)

    @Slot(str)
    def choose_participant(self, participant: str) -> None:
        """The person says who they are, and with it agrees to what the study says."""
        agreed = datetime.now(UTC).isoformat(timespec="seconds")
        self._services.settings.change(participant=participant, consent=agreed)
        self._update(participant=participant)

    @Slot(bool)
    def set_show_depth(self, show: bool) -> None:
        self._services.settings.change(show_depth=show)
        self._update(show_depth=show)
