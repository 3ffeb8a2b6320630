"""Review: what was just recorded, how each pick went, keep or discard, and cutting out what is private."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from capture_app.app.library import Review
from capture_app.app.models.services import Services
from wildgrasp.errors import UserError
from wildgrasp.qt.viewmodel import ViewModel


@dataclass(frozen=True)
class ReviewState:
    review: Review | None = None  # None: it is being read
    outcomes: tuple[str, ...] = ()  # of each pick; "" while nobody said
    selected: int = 0
    busy: bool = False

    @property
    def health(self) -> tuple[str, ...]:
        """What is worth knowing: rescued | disk_full | camera | gripper | lost | no_picks | short; empty: all is
        well."""
        r = self.review
        if r is None:
            return ()
        found = {
            "rescued": r.rescued,
            "disk_full": r.disk_full,
            "camera": r.camera_outages > 0,
            "gripper": r.gripper_outages > 0,
            "lost": r.lost_frames > 0 and not r.camera_outages,
            "no_picks": not r.picks,
        }
        return tuple(name for name, true in found.items() if true)


class ReviewModel(ViewModel):
    """``done`` with "kept" or "discarded"; ``failed`` with a text."""

    done = Signal(str)
    failed = Signal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(ReviewState(), parent)
        self._services = services
        self.path = Path()

    def open(self, path: Path) -> None:
        self.path = path
        self._state = ReviewState()
        self.changed.emit()
        self._services.background.run(lambda: self._services.library.review(path), self._on_read, self._on_failed)

    @Slot(int)
    def select(self, number: int) -> None:
        self._update(selected=number)

    @Slot(str)
    def label(self, outcome: str) -> None:
        """Say how the selected pick went, and go on to the next one that nobody said anything about."""
        state: ReviewState = self.state
        outcomes = list(state.outcomes)
        outcomes[state.selected] = "" if outcomes[state.selected] == outcome else outcome
        later = [*range(state.selected + 1, len(outcomes)), *range(state.selected)]
        selected = state.selected
        if outcomes[state.selected]:
            selected = next((i for i in later if not outcomes[i]), state.selected)
        self._update(outcomes=tuple(outcomes), selected=selected)

    @Slot()
    def keep(self) -> None:
        """Keep it, with the outcomes, and let it be uploaded."""
        self._work(self._keep, "kept")

    @Slot()
    def discard(self) -> None:
        self._work(self._discard, "discarded")

    def keep_labels(self) -> None:
        """Write the outcomes said so far, before the session is changed by something else."""
        said = tuple(self._said())
        if said:
            self._services.library.label(self.path, said)

    def _work(self, job, result: str) -> None:
        if not self.state.busy:
            self._update(busy=True)
            self._services.background.run(job, lambda _: self._on_done(result), self._on_failed)

    def _keep(self) -> None:
        self.keep_labels()
        self._services.queue.add(self.path)

    def _discard(self) -> None:
        self._services.queue.remove(self.path)
        self._services.library.discard(self.path)

    def _said(self) -> list[tuple[int, str]]:
        picks = self.state.review.picks if self.state.review else ()
        return [(pick.t_press_ns, o) for pick, o in zip(picks, self.state.outcomes, strict=True) if o]

    def _on_read(self, review: Review) -> None:
        if review.path == self.path:
            outcomes = tuple(pick.outcome for pick in review.picks)
            first = next((i for i, outcome in enumerate(outcomes) if not outcome), 0)
            self._state = replace(ReviewState(), review=review, outcomes=outcomes, selected=first)
            self.changed.emit()

    def _on_done(self, result: str) -> None:
        self._update(busy=False)
        self.done.emit(result)

    def _on_failed(self, error: UserError) -> None:
        self._update(busy=False)
        self.failed.emit(str(error))
