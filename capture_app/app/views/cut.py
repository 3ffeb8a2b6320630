"""Cutting out a part: find the place, say from where to where."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.views.parts import button, column, label, row, tall_button
from capture_app.app.views.thumb import Thumb
from wildgrasp.qt.theme import COLORS, MARGIN_PX, TOUCH_PX

PICTURE = QSize(392, 298)


def clock_text(seconds: float) -> str:
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"


class Timeline(QWidget):
    """The whole recording as a bar: a finger moves along it; what will be cut is hatched."""

    moved = Signal(float)  # seconds

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(TOUCH_PX)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("Position"))
        self._duration_s = self._position_s = 0.0
        self._range: tuple[float, float] | None = None

    def set(self, duration_s: float, position_s: float, start_s: float | None, end_s: float | None) -> None:
        self._duration_s, self._position_s = duration_s, position_s
        self._range = None if start_s is None else (start_s, position_s if end_s is None else end_s)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._move(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -0.5, Qt.Key.Key_Right: 0.5}.get(event.key())
        if step is None:
            super().keyPressEvent(event)
        else:
            self.moved.emit(self._position_s + step)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        bar = self._bar()
        painter.setBrush(QColor(COLORS["raised"]))
        painter.drawRoundedRect(bar, 12, 12)
        if self._range is not None:
            a, b = sorted(self._x(s) for s in self._range)
            cut = QRectF(a, bar.top(), max(b - a, 4), bar.height())
            painter.setBrush(QColor(COLORS["record"]))
            painter.drawRect(cut)
            painter.setBrush(Qt.BrushStyle.BDiagPattern)
            painter.drawRect(cut)
        x = self._x(self._position_s)
        painter.setBrush(QColor(COLORS["focus" if self.hasFocus() else "text"]))
        painter.drawRoundedRect(QRectF(x - 3, 6, 6, self.height() - 12), 3, 3)
        painter.drawEllipse(QPointF(x, self.height() / 2), 20, 20)

    def _bar(self) -> QRectF:
        return QRectF(20, self.height() / 2 - 26, self.width() - 40, 52)

    def _x(self, seconds: float) -> float:
        bar = self._bar()
        return bar.left() + bar.width() * (seconds / self._duration_s if self._duration_s else 0.0)

    def _move(self, x: float) -> None:
        bar = self._bar()
        self.moved.emit(min(max((x - bar.left()) / bar.width(), 0.0), 1.0) * self._duration_s)


class CutView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.cut
        self._still = None
        self.back = tall_button(self.tr("Back"), "quiet", "back", app.leave_cut)
        self.back.setFixedSize(120, TOUCH_PX)
        self._picture = Thumb(PICTURE, tappable=False)
        self._hint = label(role="heading", wrap=True)
        self.start = button(self.tr("Cut from here"), "plain", None, self._model.set_start)
        self.end = button(self.tr("Cut up to here"), "plain", None, self._model.set_end)
        self.cut = button("", "primary", "scissors", app.ask_cut)
        for each in (self.start, self.end, self.cut):
            each.setFixedHeight(TOUCH_PX)
        self.timeline = Timeline()
        self.timeline.moved.connect(self._model.seek)
        self._at = label(role="title")
        head = row(self.back, label(self.tr("Cut out a part"), "title"), None, self._at)
        side = column(self._hint, None, row(self.start, self.end), self.cut)
        middle = row(self._picture, side, gap=MARGIN_PX)
        middle.setStretch(1, 1)
        self.setLayout(column(head, middle, self.timeline, gap=18, margins=(MARGIN_PX, 20, MARGIN_PX, 20)))
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        self.timeline.set(state.duration_s, state.position_s, state.start_s, state.end_s)
        self._at.setText(clock_text(state.position_s))
        for each in (self.start, self.end):
            each.setEnabled(not state.busy)
        self.cut.setEnabled(state.ready)
        if state.still is not None and state.still is not self._still:
            self._still = state.still
            self._picture.set_picture(state.still.picture)
        if state.busy:
            self._hint.setText(self.tr("One moment …"))
        elif state.start_s is None:
            self._hint.setText(self.tr("Slide to where the private part begins."))
        elif state.end_s is None:
            self._hint.setText(self.tr("Slide to where it ends."))
        else:
            self._hint.setText(self.tr("Pictures and button presses in the red part will be deleted for good."))
        text = self.tr("Cut out")
        if state.ready:
            text = f"{text} {clock_text(state.start_s)} – {clock_text(state.end_s)}"
        self.cut.setText(" " + text)
