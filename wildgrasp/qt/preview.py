"""The live picture: the newest frame of a camera, pixel for pixel, with depth over it if wanted."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.qt.theme import COLORS

PERIOD_MS = 33
NEAR_M, FAR_M = 0.2, 0.8  # what a hand reaches: the range of the colours


def depth_overlay(frame: RGBDFrame, near_m: float = NEAR_M, far_m: float = FAR_M) -> NDArray[np.uint8]:
    """Colour [H, W, 3] with depth over it: near is warm, far is cool, and where there is no depth the picture stays
    grey."""
    scale = 255.0 * frame.depth_scale / (far_m - near_m)
    level = cv2.convertScaleAbs(frame.depth_raw, alpha=scale, beta=-255.0 * near_m / (far_m - near_m))
    colors = cv2.applyColorMap(cv2.bitwise_not(level), cv2.COLORMAP_TURBO)
    gray = cv2.cvtColor(cv2.cvtColor(frame.color, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    mixed = cv2.addWeighted(gray, 0.45, cv2.cvtColor(colors, cv2.COLOR_BGR2RGB), 0.55, 0.0)
    cv2.copyTo(gray, cv2.compare(frame.depth_raw, 0, cv2.CMP_EQ), mixed)
    return mixed


def to_image(picture: NDArray[np.uint8]) -> QImage:
    """A QImage over RGB pixels [H, W, 3], which it keeps alive."""
    pixels = np.ascontiguousarray(picture)
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], QImage.Format.Format_RGB888)
    image.pixels = pixels
    return image


class PreviewWidget(QWidget):
    """Looks for a new frame thirty times a second while it is visible; ``latest`` gives the newest one or None.

    It only ever reads: whoever records does so whether or not this paints. ``show_depth`` lays depth over the picture;
    ``lively`` False stops it at the last frame and darkens that.
    """

    def __init__(self, latest: Callable[[], RGBDFrame | None], size: QSize, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(size)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._latest = latest
        self._shown: RGBDFrame | None = None
        self._image: QImage | None = None
        self.show_depth = False
        self.lively = True
        self.painted = 0  # frames
        self._timer = QTimer(self, interval=PERIOD_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.refresh)

    def showEvent(self, event) -> None:
        self._timer.start()

    def hideEvent(self, event) -> None:
        self._timer.stop()

    def refresh(self) -> None:
        frame = self._latest()
        if frame is None or frame is self._shown:
            return
        self._shown = frame
        self._image = to_image(depth_overlay(frame) if self.show_depth else frame.color)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image is None:
            painter.fillRect(self.rect(), QColor(COLORS["surface"]))
        elif self._image.size() == self.size():
            painter.drawImage(QPointF(0, 0), self._image)  # the cheap way: no scaling
            self.painted += 1
        else:
            painter.fillRect(self.rect(), QColor(COLORS["ground"]))
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            fitted = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            corner = QPointF((self.width() - fitted.width()) / 2, (self.height() - fitted.height()) / 2)
            painter.drawImage(QRectF(corner, fitted.toSizeF()), self._image)
            self.painted += 1
        if not self.lively:
            painter.fillRect(self.rect(), QColor(16, 20, 24, 215))


def paint_rounded(painter: QPainter, image: QImage, target: QRectF, radius: float) -> None:
    """An image that fills a rectangle with round corners, cropped where its shape is another."""
    fitted = image.size().scaled(target.size().toSize(), Qt.AspectRatioMode.KeepAspectRatioByExpanding).toSizeF()
    at = target.center() - QPointF(fitted.width() / 2, fitted.height() / 2)
    path = QPainterPath()
    path.addRoundedRect(target, radius, radius)
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(path)
    painter.drawImage(QRectF(at, fitted), image)
    painter.restore()
