"""A picture that can be tapped, with rounded corners and a sign in its corner."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton

from wildgrasp.qt.icons import pixmap
from wildgrasp.qt.preview import paint_rounded, to_image
from wildgrasp.qt.theme import COLORS

RADIUS, BORDER = 14, 4


class Thumb(QAbstractButton):
    """``sign``: name of an icon and its tone for the corner, or None."""

    def __init__(self, size: QSize, tappable: bool = True) -> None:
        super().__init__()
        self.setFixedSize(size)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if tappable else Qt.FocusPolicy.NoFocus)
        self.setEnabled(tappable)
        self._image = None
        self.caption = ""
        self.sign: tuple[str, str] | None = None

    def set_picture(self, picture: NDArray[np.uint8] | None) -> None:
        self._image = None if picture is None else to_image(picture)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(BORDER, BORDER, -BORDER, -BORDER)
        if self._image is not None:
            paint_rounded(painter, self._image, area, RADIUS)
        else:
            painter.setBrush(QColor(COLORS["surface"]))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(area, RADIUS, RADIUS)
        if self.isChecked() or self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(COLORS["focus" if self.hasFocus() else "text"]), BORDER))
            frame = QRectF(self.rect()).adjusted(BORDER / 2, BORDER / 2, -BORDER / 2, -BORDER / 2)
            painter.drawRoundedRect(frame, RADIUS + BORDER / 2, RADIUS + BORDER / 2)
        if self.caption:
            self._paint_caption(painter, area)
        if self.sign is not None:
            self._paint_sign(painter, area)

    def _paint_caption(self, painter: QPainter, area: QRectF) -> None:
        font = self.font()
        font.setPixelSize(20)
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(self.caption) + 20
        box = QRectF(area.left() + 8, area.bottom() - 40, max(width, 32), 32)
        self._paint_ground(painter, box)
        painter.setPen(QColor(COLORS["text"]))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.caption)

    def _paint_sign(self, painter: QPainter, area: QRectF) -> None:
        box = QRectF(area.right() - 40, area.bottom() - 40, 32, 32)
        self._paint_ground(painter, box)
        name, tone = self.sign
        painter.drawPixmap(box.topLeft() + QPointF(5, 5), pixmap(name, COLORS[tone], 22))

    def _paint_ground(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(16, 20, 24, 215))
        painter.drawRoundedRect(box, 10, 10)
