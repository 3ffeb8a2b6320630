"""Ready: the picture, the lights, and one big button."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.parts import button, column, label, row, set_icon, tall_button
from capture_app.app.views.stage import Stage
from capture_app.app.views.strip import StatusStrip
from wildgrasp.qt.theme import MARGIN_PX, TOUCH_PX


class ReadyView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.ready
        self.stage = Stage(lambda: app.services.devices.feed.latest)
        self.depth = tall_button(self.tr("Depth"), "overlay", "layers")
        self.depth.setCheckable(True)
        self.depth.setFixedSize(TOUCH_PX, TOUCH_PX)
        self.depth.setParent(self.stage)
        self.depth.move(640 - TOUCH_PX - 16, 16)
        self.depth.clicked.connect(self._model.set_show_depth)
        self.strip = StatusStrip()
        self.strip.held.connect(lambda: app.show("settings"))
        QShortcut(QKeySequence("F10"), self, activated=lambda: app.show("settings"))
        self.task = button("", "card", None, lambda: app.show("tasks"))
        self.task.setFixedHeight(112)
        self._task_text, self._who = label(role="heading", wrap=True), label(role="note")
        self._task_text.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.task.setLayout(column(self._who, self._task_text, gap=2, margins=(18, 12, 18, 12)))
        self.task.layout().setStretch(1, 1)
        for child in (self._who, self._task_text):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.record = tall_button(self.tr("Record"), "record", "record", app.record, size=88)
        self.review = tall_button(self.tr("Review"), "plain", "film", app.review_next)
        self.upload = tall_button(self.tr("Upload"), "plain", "upload", lambda: app.show("upload"))
        for each in (self.review, self.upload):
            each.setFixedHeight(112)
        side = column(
            self.task, self.record, row(self.review, self.upload), margins=(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        )
        self.setLayout(row(column(self.stage, self.strip, gap=0), side, gap=0))
        self.layout().setStretch(1, 1)
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        self.strip.show_lights(state.lights)
        self.depth.setChecked(state.show_depth)
        self.depth.setVisible(state.missing != "camera")
        set_icon(self.depth, "layers", ink="on_accent" if state.show_depth else "text")
        self.stage.preview.show_depth = state.show_depth
        self._who.setText(state.participant)
        self._task_text.setText(state.task)
        self.task.setAccessibleName(self.tr("Task: {0}").format(state.task))
        self.record.setEnabled(state.can_record)
        self.review.setEnabled(state.to_review > 0)
        self.review.set_text(self._counted(self.tr("Review"), state.to_review))
        self.upload.set_text(self._counted(self.tr("Upload"), state.to_upload))
        self._say_what_is_missing()

    def _counted(self, word: str, number: int) -> str:
        return f"{word} · {number}" if number else word

    def _say_what_is_missing(self) -> None:
        state = self._model.state
        if state.missing == "camera":
            text = (
                self.tr("Plug in the camera’s cable") if state.looking else self.tr("Plug the camera’s cable in again")
            )
            self.stage.say("camera", text, self.tr("The picture comes back by itself."))
        elif state.missing == "gripper":
            text = (
                self.tr("Plug in the gripper’s cable")
                if state.looking
                else self.tr("Plug the gripper’s cable in again")
            )
            self.stage.say("gripper", text, self.tr("It is found within a few seconds."))
        elif state.missing == "disk":
            self.stage.say("disk", self.tr("The disk is full"), self.tr("Upload your recordings, then free up space."))
        else:
            self.stage.be_quiet()
