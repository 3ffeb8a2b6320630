"""The left part of Ready and Recording: the live picture, and words over it where there is something to say."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QLabel, QWidget

from capture_app.app.views.parts import column, label, row, set_picture
from wildgrasp.qt.preview import PreviewWidget

PICTURE = QSize(640, 480)


class Stage(QWidget):
    """``say`` lays a message over the picture, which then stands still and dark."""

    def __init__(self, latest) -> None:
        super().__init__()
        self.setFixedSize(PICTURE)
        self.preview = PreviewWidget(latest, PICTURE, self)
        self._icon, self._text, self._note = QLabel(), label(role="message", wrap=True), label(wrap=True)
        self._icon.setFixedSize(88, 88)
        for part in (self._text, self._note):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._message = QWidget(self)
        self._message.setFixedSize(PICTURE)
        self._message.setLayout(
            column(None, row(None, self._icon, None), 8, self._text, self._note, None, margins=(56, 0, 56, 0))
        )
        self._message.hide()

    def say(self, icon: str, text: str, note: str = "") -> None:
        set_picture(self._icon, icon, "warn", 88)
        self._text.setText(text)
        self._note.setText(note)
        self._note.setVisible(bool(note))
        self._set(lively=False)

    def be_quiet(self) -> None:
        self._set(lively=True)

    def _set(self, lively: bool) -> None:
        if self.preview.lively != lively:
            self.preview.lively = lively
            self.preview.update()
        self._message.setVisible(not lively)
