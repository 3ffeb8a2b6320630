"""Upload: what is on its way, and what may be deleted here."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.models.upload import UploadRow
from capture_app.app.views.parts import (
    button,
    column,
    label,
    row,
    scroller,
    set_icon,
    set_picture,
    set_tone,
    tall_button,
)
from wildgrasp.qt.theme import MARGIN_PX, TOUCH_PX

_SIGNS = {
    "waiting": ("clock", "muted"),
    "uploading": ("upload", "text"),
    "uploaded": ("check", "good"),
    "failed": ("warning", "warn"),
}


class RowCard(QPushButton):
    """One recording of the queue; a tap opens it while it is still here and not yet uploaded."""

    def __init__(self, open_it) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(TOUCH_PX)
        self._sign = QLabel()
        self._sign.setFixedSize(34, 34)
        self._name, self._text = label(role="heading"), label(role="note")
        self._bar = QProgressBar(maximum=1000, textVisible=False)
        lines = column(row(self._name, None, self._text), self._bar, gap=10)
        self.setLayout(row(self._sign, lines, gap=18, margins=(20, 14, 22, 14)))
        self.layout().setStretch(1, 1)
        for child in self.findChildren(QWidget):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._row: UploadRow | None = None
        self.clicked.connect(lambda: open_it(self._row.path))

    def show_row(self, shown: UploadRow) -> None:
        if shown == self._row:
            return
        self._row = shown
        set_picture(self._sign, *_SIGNS[shown.state], 34)
        self._name.setText(when(shown.path, self.locale()))
        words = {
            "waiting": self.tr("waiting · {0} MB"),
            "uploading": self.tr("{1} of {0} MB"),
            "uploaded": self.tr("uploaded · {0} MB") if shown.here else self.tr("uploaded · deleted here"),
            "failed": self.tr("could not be uploaded"),
        }
        size, sent = shown.megabytes, shown.fraction * shown.megabytes
        self._text.setText(words[shown.state].format(_number(size), _number(sent)))
        self.setAccessibleName(f"{self._name.text()}: {self._text.text()}")
        set_tone(self._text, "warn" if shown.state == "failed" else "")
        self._bar.setVisible(shown.state == "uploading" or 0 < shown.fraction < 1)
        self._bar.setValue(round(1000 * shown.fraction))
        self.setEnabled(shown.here and shown.state in ("waiting", "failed"))


class UploadView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.upload
        self._open = lambda path: app.open_review(path, "upload")
        self.back = tall_button(self.tr("Back"), "quiet", "back", lambda: app.show("ready"))
        self.back.setFixedSize(120, TOUCH_PX)
        self._title, self._note = label(role="title"), label(role="body")
        self.pause = button("", "primary", "pause", self._model.toggle_pause)
        self.pause.setFixedSize(232, TOUCH_PX)
        head = row(self.back, column(None, self._title, self._note, None, gap=2), None, self.pause)
        self._list = QWidget()
        self._rows = QVBoxLayout(self._list)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(10)
        self._rows.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.cards: list[RowCard] = []
        self._empty = label(self.tr("Nothing to upload yet.\nRecordings that you keep come here."), "heading")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._scroll = scroller(self._list)
        self.wifi = button(self.tr("Wi-Fi only"), "plain", "wifi")
        self.wifi.setCheckable(True)
        self.wifi.clicked.connect(self._model.set_wifi_only)
        self.charger = button(self.tr("Charger only"), "plain", "plug")
        self.charger.setCheckable(True)
        self.charger.clicked.connect(self._model.set_charger_only)
        self.free = button("", "plain", "trash", app.ask_free)
        for each in (self.wifi, self.charger, self.free):
            each.setFixedHeight(TOUCH_PX)
        foot = row(self.wifi, self.charger, self.free)
        for i, share in enumerate((4, 4, 6)):
            foot.setStretch(i, share)
        self.setLayout(column(head, self._scroll, self._empty, foot, margins=(MARGIN_PX, 20, MARGIN_PX, 20)))
        self.layout().setStretch(1, 1)
        self.layout().setStretch(2, 1)
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        while len(self.cards) < len(state.rows):
            self.cards.append(RowCard(self._open))
            self._rows.addWidget(self.cards[-1])
        while len(self.cards) > len(state.rows):
            self.cards.pop().deleteLater()
        for each, shown in zip(self.cards, state.rows, strict=True):
            each.show_row(shown)
        self._scroll.setVisible(bool(state.rows))
        self._empty.setVisible(not state.rows)
        self.wifi.setChecked(state.wifi_only)
        set_icon(self.wifi, "check" if state.wifi_only else "wifi")
        self.charger.setChecked(state.charger_only)
        set_icon(self.charger, "check" if state.charger_only else "plug")
        self.pause.setText(" " + (self.tr("Resume") if state.paused else self.tr("Pause")))
        set_icon(self.pause, "play" if state.paused else "pause", ink="on_accent")
        self.pause.setEnabled(state.waiting > 0 or state.paused)
        self._title.setText(self.tr("%n to upload", "", state.waiting) if state.waiting else self.tr("All is uploaded"))
        if not state.rows:
            self._title.setText(self.tr("Upload"))
        self._note.setText(self._words(state))
        self._note.setVisible(bool(self._note.text()))
        self.free.setEnabled(state.safe_bytes > 0 and not state.freeing)
        size = _size(state.safe_bytes)
        self.free.setText(" " + (self.tr("Free up {0}").format(size) if state.safe_bytes else self.tr("Free up space")))

    def _words(self, state) -> str:
        held = {
            "target": self.tr("This device has no place to upload to yet."),
            "recording": self.tr("Waits until the recording is over."),
            "paused": self.tr("Paused."),
            "offline": self.tr("Waits for a network."),
            "wifi": self.tr("Waits for Wi-Fi."),
            "charger": self.tr("Waits for the charger."),
            "server": self.tr("The server does not answer. It is tried again."),
        }
        if not state.waiting:
            return ""
        if state.held_by:
            return held[state.held_by]
        if state.remaining_s is None:
            return self.tr("Uploading …")
        minutes = max(1, round(state.remaining_s / 60))
        return self.tr("about %n minute(s) left", "", minutes)


def when(path: Path, locale: QLocale) -> str:
    """A recording's name as date and time; other names stay as they are."""
    try:
        time = datetime.strptime(path.name[:19], "%Y-%m-%dT%H-%M-%S")
    except ValueError:
        return path.name
    return locale.toString(time, "ddd d MMM, HH:mm")


def _number(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes >= 10 else f"{megabytes:.1f}"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{_number(count / 1e6)} MB"
