"""Small widgets that the console's parts are made of, as its stylesheet knows them."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QFrame, QLabel, QLayout, QPushButton, QWidget

from wildgrasp.qt.icons import icon
from wildgrasp.qt.theme import COLORS

_ICON_PX = 28


def label(text: str = "", kind: str = "", wrap: bool = False) -> QLabel:
    made = QLabel(text)
    made.setProperty("kind", kind)
    made.setWordWrap(wrap)
    return made


def button(text: str, icon_name: str, role: str = "plain") -> QPushButton:
    made = QPushButton(text)
    made.setProperty("role", role)
    color = COLORS["on_accent"] if role == "primary" else COLORS["text"]
    made.setIcon(icon(icon_name, color, _ICON_PX, COLORS["faint"]))
    made.setIconSize(QSize(_ICON_PX, _ICON_PX))
    return made


def panel(layout: QLayout, name: str = "panel") -> QFrame:
    frame = QFrame(objectName=name)
    frame.setLayout(layout)
    layout.setContentsMargins(14, 10, 14, 10)
    return frame


def restyle(widget: QWidget, name: str, value: str) -> None:
    """Set a property that the stylesheet looks at, if it changed."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        for one in (widget, *widget.findChildren(QLabel)):
            one.style().unpolish(one)
            one.style().polish(one)
