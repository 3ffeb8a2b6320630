"""What lies over a screen: a question before something is lost, and a notice of what just happened."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.parts import button, card, column, label, row, tall_button
from wildgrasp.qt.theme import TOUCH_PX


class QuestionLayer(QWidget):
    """Covers everything: two answers, the harmless one first."""

    def __init__(self, app: AppModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._app = app
        self._title, self._note = label(role="title", wrap=True), label(role="body", wrap=True)
        self.no = button("", "plain", None, app.answer_no)
        self.yes = button("", "record", None, app.answer_yes)
        self.yes.setStyleSheet("font-size: 24px; border-radius: 16px;")
        for each in (self.no, self.yes):
            each.setFixedHeight(TOUCH_PX + 10)
        self._box = card(column(self._title, self._note, 12, row(self.no, self.yes), margins=(36, 32, 36, 32)))
        self._box.setFixedWidth(680)
        self.setLayout(column(None, row(None, self._box, None), None))

    def render(self) -> None:
        words = {
            "discard": (
                self.tr("Discard this recording?"),
                self.tr("You can bring it back until the next recording."),
                self.tr("No, keep it"),
                self.tr("Discard"),
            ),
            "cut": (
                self.tr("Cut this part out?"),
                self.tr("It is deleted for good. This cannot be undone."),
                self.tr("No, go back"),
                self.tr("Cut out"),
            ),
            "free": (
                self.tr("Delete what is uploaded?"),
                self.tr("The server has a whole, checked copy. It is deleted on this device only."),
                self.tr("No, keep it"),
                self.tr("Delete here"),
            ),
        }
        question = self._app.state.question
        self.setVisible(bool(question))
        if question:
            for part, text in zip((self._title, self._note, self.no, self.yes), words[question], strict=True):
                part.setText(text)
            self._box.setFixedHeight(self._box.layout().totalHeightForWidth(self._box.width()))
            self.raise_()
            self.no.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._app.answer_no()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), QColor(8, 10, 12, 210))


class NoticeLayer(QFrame):
    """At the lower edge of the picture; a tap on it makes it go."""

    def __init__(self, app: AppModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._app = app
        self._text = label(role="body", wrap=True)
        self.undo = button(self.tr("Undo"), "plain", "undo", app.undo_discard)
        self.undo.setFixedSize(248, TOUCH_PX)
        self.close_button = tall_button(self.tr("OK"), "plain", "check", app.dismiss_notice)
        self.close_button.setFixedSize(TOUCH_PX, TOUCH_PX)
        box = row(self._text, self.undo, self.close_button, margins=(22, 12, 12, 12))
        box.setStretch(0, 1)
        self.setLayout(box)

    def render(self) -> None:
        notice = self._app.state.notice
        words = {
            "rescued": self.tr("Your last recording was interrupted. All that was recorded is saved: see Review."),
            "discarded": self.tr("Discarded."),
            "kept": self.tr("Kept. Thank you!"),
            "cut": self.tr("Cut out and deleted."),
        }
        self.setVisible(notice is not None)
        if notice is not None:
            self._text.setText(words.get(notice.kind, notice.text))
            self.undo.setVisible(notice.kind == "discarded")
            self.raise_()
