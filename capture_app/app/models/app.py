"""The app as a whole: which screen is shown, what is asked, what is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from capture_app.app.models.cut import CutModel
from capture_app.app.models.ready import ReadyModel
from capture_app.app.models.recording import RecordingModel
from capture_app.app.models.review import ReviewModel
from capture_app.app.models.services import Services
from capture_app.app.models.settings import SettingsModel
from capture_app.app.models.upload import UploadModel
from wildgrasp.qt.viewmodel import ViewModel
from wildgrasp.upload.queue import UPLOADED
from wildgrasp.upload.target import DEFAULT_TARGET
from wildgrasp.upload.uploader import UploadConfig

TICK_MS = 100
NOTICE_MS = 5000
COUNT_TICKS = 10  # what is on the disk is counted once a second


@dataclass(frozen=True)
class Notice:
    """Something to tell: kind rescued | discarded | kept | cut | error, and the words of an error."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class AppState:
    screen: str = "starting"  # starting | participant | ready | tasks | recording | review | cut | upload | settings
    question: str = ""  # discard | cut | free: asked before something cannot be taken back easily
    notice: Notice | None = None


class AppModel(ViewModel):
    """Owns the screens' models."""

    def __init__(
        self,
        services: Services,
        target_file: Path = DEFAULT_TARGET,
        upload: UploadConfig | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(AppState(), parent)
        self.services = services
        self.ready = ReadyModel(services, self)
        self.recording = RecordingModel(services, self)
        self.review = ReviewModel(services, self)
        self.cut = CutModel(services, self)
        self.upload = UploadModel(services, target_file, upload, self)
        self.settings = SettingsModel(services, target_file, self)
        self._ticks = 0
        self._on_yes: Callable[[], None] = lambda: None
        self._after_review = "ready"
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self.tick)
        self.recording.saved.connect(self._on_saved)
        self.recording.failed.connect(self._on_recording_failed)
        self.review.done.connect(self._on_reviewed)
        self.cut.done.connect(self._on_cut)
        self.review.failed.connect(self._on_review_failed)
        for model in (self.cut, self.upload, self.settings):
            model.failed.connect(self.tell_error)

    def start(self) -> None:
        """Rescue what a crash left, then show the first screen."""
        self._timer.start()
        self.services.background.run(self.services.library.rescue, self._on_rescued, lambda e: self._on_rescued([]))

    def stop(self) -> None:
        """Save what is being recorded, and end."""
        self._timer.stop()
        self.upload.stop()
        self.services.background.close()
        self.recording.close()

    @Slot()
    def tick(self) -> None:
        screen = self.state.screen
        self.ready.look()
        self.recording.look()
        self.upload.look(self.recording.active)
        if screen == "settings":
            self.settings.look()
        if self._ticks % COUNT_TICKS == 0 and not self.recording.active and screen != "starting":
            self.services.background.run(self._count, lambda counts: self.ready.count(*counts))
        self._ticks += 1

    # --- moving between the screens ---

    @Slot(str)
    def show(self, screen: str) -> None:
        if self.state.screen == "cut" and screen != "cut":
            self.cut.close()
        if self.state.screen == "settings" and screen != "settings":
            self.settings.leave()
        self._update(screen=screen)

    @Slot()
    def record(self) -> None:
        """The big button."""
        if self.ready.state.can_record and not self.recording.active:
            self._update(notice=None, screen="recording")
            self.recording.begin()

    @Slot(str)
    def choose_participant(self, participant: str) -> None:
        self.ready.choose_participant(participant)
        self.show("ready")

    @Slot(str)
    def choose_task(self, task: str) -> None:
        self.ready.choose_task(task)
        self.show("ready")

    def open_review(self, path: Path, back: str = "ready") -> None:
        """Look at a recording; what waits for upload is taken out of the queue until it is kept again."""
        self._after_review = back
        self.services.background.run(
            lambda: self.services.queue.remove(path),
            lambda _: self._show_review(path),
            lambda e: self.tell_error(str(e)),
        )

    @Slot()
    def review_next(self) -> None:
        """The oldest recording that nobody kept or discarded yet."""
        self.services.background.run(self._unreviewed, lambda found: self.open_review(found[0]) if found else None)

    @Slot()
    def start_cut(self) -> None:
        path = self.review.path
        self.services.background.run(
            self.review.keep_labels, lambda _: self._show_cut(path), lambda e: self.tell_error(str(e))
        )

    @Slot()
    def leave_cut(self) -> None:
        self.show("review")

    # --- asking and telling ---

    def ask(self, question: str, on_yes: Callable[[], None]) -> None:
        self._on_yes = on_yes
        self._update(question=question)

    @Slot()
    def answer_yes(self) -> None:
        self._update(question="")
        self._on_yes()

    @Slot()
    def answer_no(self) -> None:
        self._update(question="")

    @Slot()
    def ask_discard(self) -> None:
        self.ask("discard", self.review.discard)

    @Slot()
    def ask_cut(self) -> None:
        self.ask("cut", self.cut.cut)

    @Slot()
    def ask_free(self) -> None:
        self.ask("free", self.upload.free_space)

    @Slot(str)
    def tell_error(self, text: str) -> None:
        self._update(notice=Notice("error", text))

    @Slot()
    def dismiss_notice(self) -> None:
        self._update(notice=None)

    @Slot()
    def undo_discard(self) -> None:
        self._update(notice=None)
        self.services.background.run(
            self.services.library.undo_discard, lambda path: self.open_review(path) if path else None
        )

    # --- what the screens report ---

    def _on_rescued(self, rescued: list[Path]) -> None:
        self._update(
            screen="ready" if self.ready.state.participant else "participant",
            notice=Notice("rescued") if rescued else None,
        )

    def _on_saved(self, path: Path) -> None:
        self._after_review = "ready"
        self._show_review(path)

    def _show_review(self, path: Path) -> None:
        self.review.open(path)
        self._update(screen="review", notice=None)

    def _show_cut(self, path: Path) -> None:
        self.cut.open(path)
        self._update(screen="cut")

    def _on_recording_failed(self, text: str) -> None:
        self._update(screen="ready", notice=Notice("error", text))

    def _on_reviewed(self, result: str) -> None:
        self._update(screen=self._after_review)
        self._tell(result)
        self._ticks = 0

    def _on_review_failed(self, text: str) -> None:
        """A recording that cannot even be looked at stays where it is."""
        self.tell_error(text)
        if self.review.state.review is None:
            self.show("ready")

    def _on_cut(self) -> None:
        self.review.open(self.review.path)
        self._update(screen="review")
        self._tell("cut")

    def _tell(self, kind: str) -> None:
        """Tell what was done; what needs no answer goes by itself."""
        notice = Notice(kind)
        self._update(notice=notice)
        if kind != "discarded":
            QTimer.singleShot(NOTICE_MS, self, lambda: self.state.notice is notice and self.dismiss_notice())

    # --- on a background thread ---

    def _unreviewed(self) -> list[Path]:
        kept = {item.session for item in self.services.queue.items()}
        return [path for path in self.services.library.sessions() if path.resolve() not in kept]

    def _count(self) -> tuple[int, int]:
        waiting = sum(item.state != UPLOADED for item in self.services.queue.items())
        return len(self._unreviewed()), waiting
