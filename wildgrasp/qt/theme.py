"""How the two Qt apps look: one palette, one font, one stylesheet."""

from __future__ import annotations

from pathlib import Path
from string import Template

from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication

HERE = Path(__file__).parent
FAMILY = "Inter"
TOUCH_PX = 100  # 15 mm on a 7-inch screen of 1024 x 600 (154 mm wide): nothing to tap is smaller
MARGIN_PX = 24
GAP_PX = 16

# Text on its ground has a contrast of at least 7 : 1 (secondary text 5.5 : 1).
COLORS = {
    "ground": "#101418",
    "surface": "#1b2127",
    "raised": "#29313a",
    "pressed": "#3a444f",
    "line": "#3a444f",
    "text": "#f5f7f8",
    "muted": "#a9b4be",
    "faint": "#66717c",
    "accent": "#ffffff",
    "on_accent": "#101418",
    "record": "#e5383b",
    "record_pressed": "#b92a2d",
    "good": "#62d39a",
    "warn": "#ffc857",
    "bad": "#ff8a80",
    "focus": "#7cc4ff",
}


def apply_theme(app: QApplication) -> None:
    """Load the font and the stylesheet."""
    for file in sorted((HERE / "fonts").glob("*.otf")):
        QFontDatabase.addApplicationFont(str(file))
    font = QFont(FAMILY, weight=QFont.Weight.Medium)
    font.setPixelSize(22)
    app.setStyle("Fusion")
    app.setFont(font)
    app.setStyleSheet(Template((HERE / "theme.qss").read_text()).substitute(COLORS))


def tabular(font: QFont) -> QFont:
    """The font with figures of equal width, so that a running clock does not jitter."""
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
