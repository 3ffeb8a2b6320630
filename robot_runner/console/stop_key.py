"""The space bar stops, whatever has the focus: a text field, a button, an open list, a dialog."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication

_KEYS = (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease)


class StopKey(QObject):
    """Sees every key before any widget does. Space never reaches one, so it can press no button and type nothing."""

    def __init__(self, app: QApplication, stop: Callable[[], None]) -> None:
        super().__init__(app)
        self._stop = stop
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in _KEYS or event.key() != Qt.Key.Key_Space:
            return False
        if event.type() == QEvent.Type.KeyPress and not event.isAutoRepeat():
            self._stop()
        event.accept()
        return True
