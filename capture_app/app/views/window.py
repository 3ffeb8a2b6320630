"""The window: one screen at a time, 1024 x 600, in the middle of whatever display there is."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.choices import ParticipantView, TaskView
from capture_app.app.views.cut import CutView
from capture_app.app.views.layers import NoticeLayer, QuestionLayer
from capture_app.app.views.parts import column, label, row
from capture_app.app.views.ready import ReadyView
from capture_app.app.views.recording import RecordingView
from capture_app.app.views.review import ReviewView
from capture_app.app.views.settings import SettingsView
from capture_app.app.views.upload import UploadView

SCREEN = QSize(1024, 600)
NOTICE_SCREENS = ("ready", "review", "upload", "settings")


class StartingView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self.setLayout(column(None, row(None, label(self.tr("Looking at your recordings …"), "title"), None), None))


# Screens that are made anew whenever they are shown, since what they offer may have changed.
FRESH = {"participant": ParticipantView, "tasks": TaskView}
LASTING = {
    "starting": StartingView,
    "ready": ReadyView,
    "recording": RecordingView,
    "review": ReviewView,
    "cut": CutView,
    "upload": UploadView,
    "settings": SettingsView,
}


class Window(QWidget):
    """Shows what the model says. :meth:`rebuild` after the language changed."""

    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self.setObjectName("screen")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWindowTitle("WildGrasp")
        self.setMinimumSize(SCREEN)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._app = app
        self._stack: QStackedWidget | None = None
        self.setLayout(column(None, row(None, None, gap=0), None, gap=0))
        self.rebuild()
        app.changed.connect(self.render)

    def rebuild(self) -> None:
        """Make all screens anew, in the language of now."""
        middle = self.layout().itemAt(1).layout()
        if self._stack is not None:
            middle.removeWidget(self._stack)
            self._stack.deleteLater()
        self._stack = QStackedWidget()
        self._stack.setFixedSize(SCREEN)
        middle.insertWidget(1, self._stack)
        self.views = {name: view(self._app) for name, view in LASTING.items()}
        for view in self.views.values():
            self._stack.addWidget(view)
        self.notice = NoticeLayer(self._app, self._stack)
        self.question = QuestionLayer(self._app, self._stack)
        self.question.setFixedSize(SCREEN)
        self._shown = ""
        self.render()

    def render(self) -> None:
        screen = self._app.state.screen
        if screen != self._shown:
            self._show(screen)
        self.notice.render()
        if screen not in NOTICE_SCREENS:
            self.notice.hide()
        self.notice.setGeometry(16, 340, 608, 124)
        self.question.render()

    def _show(self, screen: str) -> None:
        if screen in FRESH:
            old = self.views.pop(screen, None)
            if old is not None:
                self._stack.removeWidget(old)
                old.deleteLater()
            self.views[screen] = FRESH[screen](self._app)
            self._stack.addWidget(self.views[screen])
        self._shown = screen
        self._stack.setCurrentWidget(self.views[screen])
        self.setFocus()  # nothing is marked before somebody uses the keys

    def closeEvent(self, event: QCloseEvent) -> None:
        """What is being recorded is saved by whoever runs the app, after its loop has ended."""
        event.accept()
