"""View-models: plain QObjects whose whole state is one frozen dataclass, so that a view is a function of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Property, QObject, Signal


class ViewModel(QObject):
    """Holds ``state``; ``changed`` is emitted when, and only when, it became another one."""

    changed = Signal()

    def __init__(self, state: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state

    def _get_state(self) -> Any:
        return self._state

    state = Property(object, _get_state, notify=changed)

    def _update(self, **values: Any) -> None:
        """Replace fields of the state."""
        after = replace(self._state, **values)
        if after != self._state:
            self._state = after
            self.changed.emit()
