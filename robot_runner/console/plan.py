"""The scene from above: workspace, robot, fingertips and keep-out boxes, drawn with the mouse."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from robot_runner.console.messages import SceneShown
from robot_runner.console.model import ConsoleModel
from robot_runner.console.state import ConsoleState
from robot_runner.console.widgets import button, label, panel
from robot_runner.keep_out import KeepOutBox
from wildgrasp.qt.theme import COLORS

_SMALLEST_M = 0.02
_NEW_HEIGHT_M = 0.3


class Plan(QWidget):
    """Drag to draw a box, click to choose one. x of the robot's base points up, y to the left."""

    drawn = Signal(object)  # KeepOutBox
    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._scene: SceneShown | None = None
        self._boxes: tuple[KeepOutBox, ...] = ()
        self._selected = -1
        self._fingertip: tuple[float, float, float] | None = None
        self._drag: tuple[QPointF, QPointF] | None = None

    def show_scene(self, scene: SceneShown | None, boxes: tuple[KeepOutBox, ...], selected: int) -> None:
        self._scene, self._boxes, self._selected = scene, boxes, selected
        self.update()

    def show_fingertip(self, fingertip_m: tuple[float, float, float] | None) -> None:
        if fingertip_m != self._fingertip:
            self._fingertip = fingertip_m
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag = (event.position(), event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            self._drag = (self._drag[0], event.position())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is None or self._scene is None:
            return
        (x0, y0), (x1, y1) = self._metres(self._drag[0]), self._metres(event.position())
        self._drag = None
        lower, upper = (min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1))
        if upper[0] - lower[0] >= _SMALLEST_M and upper[1] - lower[1] >= _SMALLEST_M:
            table = round(self._scene.table_height_m, 3)
            corners = [tuple(round(v, 3) for v in corner) for corner in (lower, upper)]
            self.drawn.emit(KeepOutBox((*corners[0], table), (*corners[1], round(table + _NEW_HEIGHT_M, 3)), "new box"))
        else:
            inside = [
                i
                for i, b in enumerate(self._boxes)
                if b.lower[0] <= x1 <= b.upper[0] and b.lower[1] <= y1 <= b.upper[1]
            ]
            self.chosen.emit(inside[-1] if inside else -1)
        self.update()

    # --- metres and pixels ---

    def _extent(self) -> tuple[float, float, float, float]:
        """Lower x, lower y, upper x, upper y in metres: the workspace and the robot, with room around."""
        s = self._scene
        low, high = (
            (min(s.workspace_lower[i], -0.15) - 0.1 for i in (0, 1)),
            (max(s.workspace_upper[i], 0.15) + 0.1 for i in (0, 1)),
        )
        return (*low, *high)

    def _scale(self) -> float:
        x0, y0, x1, y1 = self._extent()
        return min(self.width() / (y1 - y0), self.height() / (x1 - x0))

    def _pixel(self, x: float, y: float) -> QPointF:
        x0, y0, x1, y1 = self._extent()
        k = self._scale()
        return QPointF(self.width() / 2 - k * (y - (y0 + y1) / 2), self.height() / 2 - k * (x - (x0 + x1) / 2))

    def _metres(self, p: QPointF) -> tuple[float, float]:
        x0, y0, x1, y1 = self._extent()
        k = self._scale()
        return (self.height() / 2 - p.y()) / k + (x0 + x1) / 2, (self.width() / 2 - p.x()) / k + (y0 + y1) / 2

    def _rect(self, lower: tuple[float, ...], upper: tuple[float, ...]) -> QRectF:
        return QRectF(self._pixel(lower[0], lower[1]), self._pixel(upper[0], upper[1])).normalized()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(COLORS["ground"]))
        if self._scene is None:
            return
        font = QFont("Inter")
        font.setPixelSize(14)
        painter.setFont(font)
        painter.setPen(QPen(QColor(COLORS["muted"]), 2, Qt.PenStyle.DashLine))
        painter.setBrush(QColor(COLORS["surface"]))
        workspace = self._rect(self._scene.workspace_lower, self._scene.workspace_upper)
        painter.drawRect(workspace)
        painter.drawText(workspace.adjusted(8, 6, -8, -6), Qt.AlignmentFlag.AlignTop, "workspace of the fingertips")
        for i, box in enumerate(self._boxes):
            self._paint_box(painter, box, i == self._selected)
        self._paint_robot(painter)
        if self._drag is not None:
            painter.setPen(QPen(QColor(COLORS["focus"]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(*self._drag).normalized())

    def _paint_box(self, painter: QPainter, box: KeepOutBox, selected: bool) -> None:
        rect = self._rect(box.lower, box.upper)
        painter.setBrush(QColor(COLORS["raised"]))
        painter.setPen(QPen(QColor(COLORS["focus" if selected else "text"]), 4 if selected else 2))
        painter.drawRect(rect)
        painter.setBrush(Qt.BrushStyle.BDiagPattern)
        painter.drawRect(rect)
        painter.setPen(QColor(COLORS["text"]))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, box.name)

    def _paint_robot(self, painter: QPainter) -> None:
        base = self._pixel(0.0, 0.0)
        painter.setPen(QPen(QColor(COLORS["muted"]), 2))
        painter.setBrush(QColor(COLORS["raised"]))
        r = 0.075 * self._scale()
        painter.drawEllipse(base, r, r)
        if self._fingertip is not None:
            tip = self._pixel(*self._fingertip[:2])
            painter.drawLine(base, tip)
            painter.setPen(QPen(QColor(COLORS["focus"]), 3))
            painter.drawEllipse(tip, 7, 7)
        painter.setPen(QColor(COLORS["muted"]))
        painter.drawText(QRectF(base.x() - 60, base.y() + r + 2, 120, 20), Qt.AlignmentFlag.AlignCenter, "robot")


class PlanEditor(QWidget):
    """The plan with the chosen box's name and heights; saving hands all boxes to the model."""

    def __init__(self, model: ConsoleModel) -> None:
        super().__init__()
        self._model = model
        self._scene: SceneShown | None = None
        self._boxes: tuple[KeepOutBox, ...] = ()
        self._selected = -1
        self.plan = Plan()
        self.plan.drawn.connect(self._add)
        self.plan.chosen.connect(self._select)
        self._name = QLineEdit(maxLength=60)
        self._name.editingFinished.connect(lambda: self._change(name=self._name.text().strip() or "box"))
        self._low, self._high = self._height("lower"), self._height("upper")
        self._delete = button("Remove", "trash", "small")
        self._delete.clicked.connect(self._remove)
        self._save = button("Save", "check", "small")
        self._save.clicked.connect(lambda: model.save_boxes(self._boxes))
        self._undo = button("Undo all", "undo", "small")
        self._undo.clicked.connect(self._reload)
        row = QHBoxLayout(spacing=10)
        for text, widget in (("Name", self._name), ("From height", self._low), ("to", self._high)):
            row.addWidget(label(text, "quiet"))
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self._delete)
        head = QHBoxLayout(spacing=10)
        head.addWidget(label("Keep-out boxes from above: drag to draw, click to choose", "heading"), 1)
        head.addWidget(self._undo)
        head.addWidget(self._save)
        column = QVBoxLayout(spacing=10)
        column.addLayout(head)
        column.addWidget(self.plan, 1)
        column.addLayout(row)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(panel(column))
        self._show()

    def show_state(self, state: ConsoleState) -> None:
        self.plan.show_fingertip(state.status.fingertip_m)
        if state.shown_scene != self._scene:
            self._scene = state.shown_scene
            self._reload()
        self.setEnabled(not state.active)

    def _height(self, corner: str) -> QDoubleSpinBox:
        box = QDoubleSpinBox(minimum=-2.0, maximum=3.0, singleStep=0.01, decimals=3, suffix=" m")
        box.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box.setFixedWidth(104)
        box.valueChanged.connect(lambda z: self._set_height(corner, z))
        return box

    def _set_height(self, corner: str, z: float) -> None:
        if self._selected < 0:
            return
        box = self._boxes[self._selected]
        low, high = (z, box.upper[2]) if corner == "lower" else (box.lower[2], z)
        if low < high:
            self._change(lower=(*box.lower[:2], low), upper=(*box.upper[:2], high))

    def _change(self, **values: object) -> None:
        if self._selected >= 0:
            boxes = list(self._boxes)
            boxes[self._selected] = replace(boxes[self._selected], **values)
            self._boxes = tuple(boxes)
            self._show()

    def _add(self, box: KeepOutBox) -> None:
        self._boxes = (*self._boxes, box)
        self._select(len(self._boxes) - 1)

    def _remove(self) -> None:
        self._boxes = tuple(b for i, b in enumerate(self._boxes) if i != self._selected)
        self._select(-1)

    def _reload(self) -> None:
        self._boxes = self._scene.boxes if self._scene is not None else ()
        self._select(-1)

    def _select(self, index: int) -> None:
        self._selected = index
        self._show()

    def _show(self) -> None:
        self.plan.show_scene(self._scene, self._boxes, self._selected)
        box = self._boxes[self._selected] if self._selected >= 0 else None
        for widget in (self._name, self._low, self._high, self._delete):
            widget.setEnabled(box is not None)
        changed = self._scene is not None and self._boxes != self._scene.boxes
        self._save.setEnabled(changed)
        self._undo.setEnabled(changed)
        for widget, value in ((self._low, box.lower[2] if box else 0.0), (self._high, box.upper[2] if box else 0.0)):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)
        if self._name.text() != (box.name if box else ""):
            self._name.setText(box.name if box else "")
