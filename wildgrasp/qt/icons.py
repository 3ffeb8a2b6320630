"""Line icons, drawn in any colour. Each is an SVG of 24 x 24 units in ``icons/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER = Path(__file__).parent / "icons"
_FRAME = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{color}" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round">{shapes}</svg>'
)


@cache
def pixmap(name: str, color: str, size: int) -> QPixmap:
    """The icon ``name`` in a colour, ``size`` pixels square. Raises FileNotFoundError for an unknown name."""
    shapes = (FOLDER / f"{name}.svg").read_text().replace("currentColor", color)
    renderer = QSvgRenderer(QByteArray(_FRAME.format(color=color, shapes=shapes).encode()))
    picture = QPixmap(size, size)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return picture


def icon(name: str, color: str, size: int, disabled: str | None = None) -> QIcon:
    """As an icon of a button; ``disabled`` is its colour while the button is."""
    made = QIcon(pixmap(name, color, size))
    if disabled is not None:
        made.addPixmap(pixmap(name, disabled, size), QIcon.Mode.Disabled)
    return made
