"""Cutting: choose a beginning and an end, and what lies between is removed for good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from capture_app.app.library import Scrubber
from capture_app.app.models.services import Services
from wildgrasp.errors import UserError
from wildgrasp.qt.viewmodel import ViewModel
from wildgrasp.sessions.cut import cut_out


@dataclass(frozen=True, eq=False)
class Still:
    """A picture of the recording, and when it was taken."""

    at_s: float
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class CutState:
    duration_s: float = 0.0
    position_s: float = 0.0
    start_s: float | None = None  # None: not chosen yet
    end_s: float | None = None
    still: Still | None = None
    busy: bool = False

    @property
    def ready(self) -> bool:
        return self.start_s is not None and self.end_s is not None and not self.busy


class CutModel(ViewModel):
    """``done`` when it is cut; ``failed`` with a text."""

    done = Signal()
    failed = Signal(str)

    def __init__(self, services: Services, parent: QObject | None = None) -> None:
        super().__init__(CutState(), parent)
        self._services = services
        self._path = Path()
        self._scrubber: Scrubber | None = None
        self._looking = False  # a picture is being read

    def open(self, path: Path) -> None:
        self._path = path
        self._state = CutState(busy=True)
        self.changed.emit()
        self._services.background.run(lambda: Scrubber(path), self._on_open, self._on_failed)

    def close(self) -> None:
        scrubber, self._scrubber = self._scrubber, None
        if scrubber is not None and not self._looking:
            scrubber.close()

    @Slot(float)
    def seek(self, position_s: float) -> None:
        self._update(position_s=min(max(position_s, 0.0), self.state.duration_s))
        self._show()

    @Slot()
    def set_start(self) -> None:
        """Cut from here on."""
        at, end = self.state.position_s, self.state.end_s
        self._update(start_s=at, end_s=end if end is not None and end > at else None)

    @Slot()
    def set_end(self) -> None:
        """Cut up to here; without a beginning, from the very first frame."""
        at, start = self.state.position_s, self.state.start_s
        self._update(end_s=at, start_s=start if start is not None and start < at else 0.0)

    @Slot()
    def cut(self) -> None:
        if self.state.ready:
            self._update(busy=True)
            self._services.background.run(self._cut, lambda _: self._on_cut(), self._on_failed)

    def _cut(self) -> None:
        first = int(self._scrubber.times_ns[0])
        start_ns = first + round(self.state.start_s * 1e9)
        end_ns = first + round(self.state.end_s * 1e9)
        if self.state.end_s >= self.state.duration_s:
            end_ns = max(end_ns, int(self._scrubber.times_ns[-1]) + 10_000_000_000)  # with all events after it
        if self.state.start_s <= 0:
            start_ns -= 10_000_000_000
        self._scrubber.close()
        cut_out(self._path, start_ns, end_ns)

    def _show(self) -> None:
        """Read the picture at the position; while one is being read the next waits, and only the last one counts."""
        scrubber, position_s = self._scrubber, self.state.position_s
        if self._looking or scrubber is None:
            return
        self._looking = True
        t_ns = int(scrubber.times_ns[0]) + round(position_s * 1e9)

        def seen(picture: NDArray[np.uint8]) -> None:
            self._looking = False
            if scrubber is not self._scrubber:
                scrubber.close()  # closed while it was reading
                return
            self._update(still=Still(position_s, picture))
            if self.state.position_s != position_s:
                self._show()

        def unseen(error: UserError) -> None:
            self._looking = False
            self._on_failed(error)

        self._services.background.run(lambda: scrubber.picture(t_ns), seen, unseen)

    def _on_open(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        times = scrubber.times_ns
        self._update(duration_s=float(times[-1] - times[0]) * 1e-9 if len(times) else 0.0, busy=False)
        if len(times):
            self._show()

    def _on_cut(self) -> None:
        self._scrubber = None
        self._update(busy=False)
        self.done.emit()

    def _on_failed(self, error: UserError) -> None:
        self._update(busy=False)
        self.failed.emit(str(error))
