"""The console's window: the big state above, robot and views and grasps in the middle, the controls below."""

from __future__ import annotations

from pathlib import Path
from string import Template

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from robot_runner.console.controls import Controls
from robot_runner.console.model import ConsoleModel
from robot_runner.console.painted import ViewsGrid
from robot_runner.console.panels import Banner, Body, Note, Outcomes, Recovery
from robot_runner.console.plan import PlanEditor
from robot_runner.console.stop_key import StopKey
from robot_runner.console.widgets import label, panel
from wildgrasp.qt.theme import COLORS, apply_theme

SIZE = (1440, 900)


def style(app: QApplication) -> None:
    """The stylesheet of both apps, and the console's own on top."""
    apply_theme(app)
    own = Template((Path(__file__).parent / "console.qss").read_text()).substitute(
        COLORS, here=Path(__file__).parent.as_posix()
    )
    app.setStyleSheet(app.styleSheet() + own)


class ConsoleWindow(QWidget):
    """Shows what the model holds. Made after :func:`style`."""

    def __init__(self, model: ConsoleModel) -> None:
        super().__init__(objectName="console")
        self.resize(*SIZE)
        self._model = model
        app = QApplication.instance()
        self._stop_key = StopKey(app, model.stop)
        app.applicationStateChanged.connect(lambda s: model.set_in_front(s == Qt.ApplicationState.ApplicationActive))
        self._banner, self._body, self._outcomes = Banner(), Body(), Outcomes()
        self._views, self._recovery, self._plan = ViewsGrid(), Recovery(model), PlanEditor(model)
        self._controls = Controls(model)
        self._middle = QStackedWidget()
        views = QVBoxLayout(spacing=8)
        views.addWidget(label("What the policy compares: the view after each move, and its value", "heading"))
        views.addWidget(self._views, 1)
        for widget in (panel(views), self._recovery, self._plan):
            self._middle.addWidget(widget)
        row = QHBoxLayout(spacing=14)
        row.addWidget(self._body)
        row.addWidget(self._middle, 1)
        self._outcomes.setFixedWidth(262)
        row.addWidget(self._outcomes)
        column = QVBoxLayout(self, spacing=14)
        column.setContentsMargins(14, 14, 14, 8)
        column.addWidget(self._banner)
        column.addLayout(row, 1)
        column.addWidget(self._controls)
        column.addWidget(Note())
        model.picture.connect(self._body.camera.show_picture)
        model.views.connect(self._views.show_views)
        model.changed.connect(self.refresh)
        self._controls.boxes.toggled.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        state = self._model.state
        for part in (self._banner, self._body, self._outcomes, self._recovery, self._plan, self._controls):
            part.show_state(state)
        drawing = self._controls.boxes.isChecked() and not state.active
        self._middle.setCurrentIndex(1 if state.attention else 2 if drawing else 0)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._model.stop()
        self._model.leave()
        event.accept()
