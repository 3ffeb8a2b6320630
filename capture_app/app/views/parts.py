"""What the screens are made of."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QScroller,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from wildgrasp.qt.icons import icon, pixmap
from wildgrasp.qt.theme import COLORS, GAP_PX, TOUCH_PX, tabular

ICON_PX = 34
HOLD_MS = 1200


def _prepare(made: QAbstractButton, role: str, name: str | None, size: int) -> None:
    made.setProperty("role", role)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a finger leaves no focus ring behind
    made.setMinimumSize(TOUCH_PX, TOUCH_PX)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    if name is not None:
        set_icon(made, name, size, "on_accent" if role == "primary" else "text")


def set_icon(made: QAbstractButton, name: str, size: int = ICON_PX, ink: str = "text") -> None:
    if isinstance(made, TallButton):
        made.icon_name, made.icon_ink = name, ink
        made.update()
        return
    made.setIcon(icon(name, COLORS[ink], size, COLORS["faint"]))
    made.setIconSize(QSize(size, size))


def button(
    text: str, role: str = "plain", name: str | None = None, clicked: Callable | None = None, size: int = ICON_PX
) -> QPushButton:
    """A button with its icon beside the text."""
    made = QPushButton(f" {text}" if name and text else text)
    made.setAccessibleName(text)
    _prepare(made, role, name, size)
    if clicked is not None:
        made.clicked.connect(lambda: clicked())
    return made


class TallButton(QPushButton):
    """A button with its icon over the text, both in the middle."""

    def __init__(self, text: str, size: int) -> None:
        super().__init__()
        self.setAccessibleName(text)
        self._text = text
        self._size = size

    def set_text(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self.setAccessibleName(text)
            self.update()

    def text_fits(self) -> bool:
        """Whether nothing of the text is cut off."""
        return self.fontMetrics().horizontalAdvance(self._text) <= self.width() - 8

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)  # the ground, as the stylesheet says
        painter = QPainter(self)
        text_px = self.fontMetrics().height()
        gap = round(self._size * 0.14)
        top = (self.height() - self._size - gap - text_px) / 2
        if self.icon_name is not None:
            ink = COLORS[self.icon_ink if self.isEnabled() else "faint"]
            painter.drawPixmap(
                round((self.width() - self._size) / 2), round(top), pixmap(self.icon_name, ink, self._size)
            )
        else:
            top = (self.height() - text_px) / 2 - self._size - gap
        painter.setPen(QColor(COLORS[self.icon_ink if self.isEnabled() else "faint"]))
        area = QRectF(0, top + self._size + gap, self.width(), text_px)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._text)

    icon_name: str | None = None
    icon_ink = "text"


def tall_button(
    text: str, role: str = "plain", name: str | None = None, clicked: Callable | None = None, size: int = ICON_PX
) -> TallButton:
    """A button with its icon over the text."""
    made = TallButton(text, size)
    _prepare(made, role, name, size)
    if clicked is not None:
        made.clicked.connect(lambda: clicked())
    return made


def label(text: str = "", role: str = "body", tone: str = "", wrap: bool = False) -> QLabel:
    made = QLabel(text)
    made.setProperty("role", role)
    made.setProperty("tone", tone)
    made.setWordWrap(wrap)
    if role == "timer":
        made.setFont(tabular(QFont(made.font())))
    return made


def set_tone(widget: QWidget, tone: str) -> None:
    """Colour by meaning; never the only signal."""
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def picture(name: str, tone: str = "text", size: int = ICON_PX) -> QLabel:
    made = QLabel()
    made.setFixedSize(size, size)
    set_picture(made, name, tone, size)
    return made


def set_picture(made: QLabel, name: str, tone: str = "text", size: int = ICON_PX) -> None:
    key = (name, tone, size)
    if made.property("shown") != str(key):
        made.setProperty("shown", str(key))
        made.setPixmap(pixmap(name, COLORS[tone], size))


def row(*parts: QWidget | QBoxLayout | int | None, gap: int = GAP_PX, margins: tuple[int, ...] = (0, 0, 0, 0)):
    """A row: widgets, layouts, an int for space, None for what stretches."""
    return _box(QHBoxLayout(), parts, gap, margins)


def column(*parts: QWidget | QBoxLayout | int | None, gap: int = GAP_PX, margins: tuple[int, ...] = (0, 0, 0, 0)):
    return _box(QVBoxLayout(), parts, gap, margins)


def _box(box: QBoxLayout, parts, gap: int, margins: tuple[int, ...]) -> QBoxLayout:
    box.setSpacing(gap)
    box.setContentsMargins(*margins)
    for part in parts:
        if part is None:
            box.addStretch(1)
        elif isinstance(part, int):
            box.addSpacing(part)
        elif isinstance(part, QBoxLayout):
            box.addLayout(part)
        else:
            box.addWidget(part)
    return box


def card(content: QBoxLayout, role: str = "card") -> QFrame:
    made = QFrame()
    made.setProperty("role", role)
    made.setLayout(content)
    return made


def scroller(content: QWidget) -> QScrollArea:
    """A list that a finger moves."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    QScroller.grabGesture(area.viewport(), QScroller.ScrollerGestureType.LeftMouseButtonGesture)
    return area


def clear(box: QBoxLayout) -> None:
    """Take everything out of a layout and delete it."""
    while (item := box.takeAt(0)) is not None:
        if item.widget() is not None:
            item.widget().deleteLater()
        elif item.layout() is not None:
            clear(item.layout())


class HoldButton(QPushButton):
    """Does something when it is held, and nothing when it is tapped."""

    held = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._timer = QTimer(self, singleShot=True, interval=HOLD_MS)
        self._timer.timeout.connect(self.held)
        self.pressed.connect(self._timer.start)
        self.released.connect(self._timer.stop)
