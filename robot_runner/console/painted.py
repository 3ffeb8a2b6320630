"""Widgets that are painted: margins as bars, the camera's picture with the chosen action, the candidate views."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from robot_runner.console.margins import LOW, Margin
from robot_runner.console.messages import Picture, ViewsShown
from wildgrasp.qt.preview import to_image
from wildgrasp.qt.theme import COLORS, tabular


def _font(size_px: int, bold: bool = False) -> QFont:
    font = tabular(QFont("Inter"))
    font.setPixelSize(size_px)
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Medium)
    return font


class Bars(QWidget):
    """Margins as bars, one row each; a tight one turns amber and gets a sign, so colour is not all that says it."""

    ROW_PX, NAME_PX, TEXT_PX = 18, 84, 72

    def __init__(self) -> None:
        super().__init__()
        self._margins: tuple[Margin, ...] = ()

    def show_margins(self, margins: tuple[Margin, ...]) -> None:
        if margins != self._margins:
            self._margins = margins
            self.setFixedHeight(len(margins) * self.ROW_PX)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(_font(14))
        room = self.width() - self.NAME_PX - self.TEXT_PX
        for i, margin in enumerate(self._margins):
            y = i * self.ROW_PX
            tight = margin.share < LOW
            color = QColor(COLORS["warn" if tight else "muted"])
            painter.setPen(color)
            painter.drawText(QRectF(0, y, self.NAME_PX, self.ROW_PX), Qt.AlignmentFlag.AlignVCenter, margin.name)
            text = f"⚠ {margin.text}" if tight else margin.text
            painter.drawText(
                QRectF(self.width() - self.TEXT_PX, y, self.TEXT_PX, self.ROW_PX),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                text,
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(COLORS["raised"]))
            bar = QRectF(self.NAME_PX, y + self.ROW_PX / 2 - 4, room, 8)
            painter.drawRoundedRect(bar, 4, 4)
            painter.setBrush(color)
            painter.drawRoundedRect(QRectF(bar.x(), bar.y(), max(8.0, bar.width() * margin.share), 8), 4, 4)


class CameraView(QWidget):
    """The wrist camera's newest picture; the chosen action is the outline of the gripper where it goes."""

    def __init__(self, size: QSize) -> None:
        super().__init__()
        self.setFixedSize(size)
        self._image: QImage | None = None
        self._lines = np.zeros((0, 2, 2))

    def show_picture(self, picture: Picture) -> None:
        self._image, self._lines = to_image(picture.color), picture.lines
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(COLORS["raised"]))
        if self._image is None:
            painter.setPen(QColor(COLORS["muted"]))
            painter.setFont(_font(16))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no picture yet")
            return
        painter.drawImage(QRectF(self.rect()), self._image)
        scale = self.width() / self._image.width()
        lines = [QLineF(QPointF(*(a * scale)), QPointF(*(b * scale))) for a, b in self._lines]
        for color, width in ((QColor(0, 0, 0, 200), 7), (QColor(COLORS["focus"]), 3)):
            painter.setPen(QPen(color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLines(lines)


class ViewsGrid(QWidget):
    """What the policy compared: the view after each candidate move, with its value. The chosen one is framed."""

    COLUMNS, LABEL_PX, GAP_PX = 7, 20, 6

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._shown: ViewsShown | None = None
        self._images: list[QImage] = []

    def show_views(self, shown: ViewsShown) -> None:
        self._shown = shown
        self._images = [] if shown.color is None else [to_image(view) for view in shown.color]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if self._shown is None:
            painter.setPen(QColor(COLORS["muted"]))
            painter.setFont(_font(16))
            text = "The views that the policy compares appear here with its first decision."
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
            return
        count = len(self._shown.values)
        rows = -(-count // self.COLUMNS)
        w = (self.width() - (self.COLUMNS - 1) * self.GAP_PX) / self.COLUMNS
        h = (self.height() - (rows - 1) * self.GAP_PX) / rows
        for i in range(count):
            row, column = divmod(i, self.COLUMNS)
            self._paint_one(painter, i, QRectF(column * (w + self.GAP_PX), row * (h + self.GAP_PX), w, h))

    def _paint_one(self, painter: QPainter, i: int, cell: QRectF) -> None:
        value, chosen = float(self._shown.values[i]), i == self._shown.chosen
        refused = not np.isfinite(value)
        room = cell.adjusted(5, 5, -5, -5 - self.LABEL_PX)
        size = self._images[i].size() if self._images else QSize(16, 9)
        fitted = size.scaled(room.size().toSize(), Qt.AspectRatioMode.KeepAspectRatio)
        picture = QRectF(
            room.center().x() - fitted.width() / 2,
            room.center().y() - fitted.height() / 2,
            fitted.width(),
            fitted.height(),
        )
        if self._images:
            painter.setOpacity(0.3 if refused else 1.0)
            painter.drawImage(picture, self._images[i])
            painter.setOpacity(1.0)
        else:
            painter.fillRect(picture, QColor(COLORS["raised"]))
        label = QRectF(cell.x(), picture.bottom(), cell.width(), self.LABEL_PX)
        painter.setPen(QColor(COLORS["text" if chosen else "faint" if refused else "muted"]))
        painter.setFont(_font(13, bold=chosen))
        text = "not allowed" if refused else f"{value:.2f}"
        painter.drawText(label, Qt.AlignmentFlag.AlignCenter, f"▶ {self._shown.kind} · {text}" if chosen else text)
        if chosen:
            painter.setPen(QPen(QColor(COLORS["focus"]), 4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            frame = QRectF(cell.x() + 2, picture.y() - 4, cell.width() - 4, picture.height() + self.LABEL_PX + 8)
            painter.drawRoundedRect(frame, 6, 6)
