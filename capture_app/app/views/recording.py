"""Recording: how long, how many picks, whether all is well, and Stop."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.picture import Warn
from capture_app.app.views.parts import (
    button,
    column,
    label,
    picture,
    row,
    set_icon,
    set_picture,
    set_tone,
    tall_button,
)
from capture_app.app.views.stage import Stage
from wildgrasp.qt.theme import MARGIN_PX


class RecordingView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.recording
        self.stage = Stage(lambda: app.services.devices.feed.latest)
        self._sign, self._message = QLabel(), label(role="title", wrap=True)
        self._sign.setFixedSize(48, 48)
        words = row(self._sign, self._message, gap=20, margins=(MARGIN_PX, 0, MARGIN_PX, 0))
        words.setStretch(1, 1)
        message = QWidget()
        message.setLayout(words)
        self._dot = picture("record", "record", 28)
        self._phase = label(role="heading")
        self._timer = label("0:00", "timer")
        self._picks = label(role="title")
        self.mark = button(self.tr("That one failed"), "plain", "flag", self._model.mark)
        self.mark.setFixedHeight(112)
        self.stop = tall_button(self.tr("Stop"), "primary", "stop", self._model.stop, size=72)
        side = column(
            row(self._dot, self._phase, None, gap=10),
            self._timer,
            self._picks,
            None,
            self.mark,
            self.stop,
            gap=10,
            margins=(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX),
        )
        self.stop.setProperty("large", True)
        self.stop.setFixedHeight(184)
        self.setLayout(row(column(self.stage, message, gap=0), side, gap=0))
        self.layout().setStretch(1, 1)
        self._timer.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        running = state.phase == "running"
        phases = {"starting": self.tr("Starting …"), "running": self.tr("Recording"), "saving": self.tr("Saving …")}
        self._phase.setText(phases.get(state.phase, ""))
        self._dot.setVisible(running)
        self._timer.setText(f"{state.elapsed_s // 60}:{state.elapsed_s % 60:02d}")
        self._picks.setText(self.tr("%n pick(s)", "", state.picks))
        self.mark.setEnabled(running and state.picks > 0)
        self.mark.setText(" " + (self.tr("Marked") if state.just_marked else self.tr("That one failed")))
        set_icon(self.mark, "check" if state.just_marked else "flag")
        self.stop.setEnabled(running)
        self._say(state)

    def _say(self, state) -> None:
        """The weightiest thing to know now."""
        self.stage.be_quiet()
        if state.phase == "saving":
            self._show("clock", "muted", self.tr("One moment, nothing is lost."))
        elif state.camera_missing:
            self.stage.say(
                "camera", self.tr("Plug the camera’s cable in again"), self.tr("The recording goes on by itself.")
            )
            self._show("warning", "warn", self.tr("The camera is gone"))
        elif state.gripper_missing:
            self._show("warning", "warn", self.tr("Plug the gripper’s cable in again"))
        elif state.warning is not None:
            words = {
                Warn.COVERED: self.tr("Something covers the camera"),
                Warn.DARK: self.tr("Too dark: turn on a light"),
                Warn.CLOSE: self.tr("Too close: move back a little"),
                Warn.FAST: self.tr("A little slower, please"),
            }
            self._show("warning", "warn", words[state.warning])
        elif 0 < state.minutes_left <= 5:
            self._show("disk", "warn", self.tr("%n minute(s) of disk left", "", state.minutes_left))
        else:
            self._show("check", "good", self.tr("All is well"))

    def _show(self, icon: str, tone: str, text: str) -> None:
        set_picture(self._sign, icon, tone, 48)
        self._message.setText(text)
        set_tone(self._message, "" if tone == "muted" else tone)
