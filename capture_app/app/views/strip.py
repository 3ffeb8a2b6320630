"""The status lights in a strip under the picture; holding it opens the settings."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from capture_app.app.models.lights import Level, Light
from capture_app.app.views.parts import HoldButton, column, label, row, set_picture, set_tone

_TONES = {Level.GOOD: "good", Level.WAIT: "muted", Level.WARN: "warn", Level.BAD: "bad"}
_SIGNS = {Level.GOOD: "check", Level.WAIT: "clock", Level.WARN: "warning", Level.BAD: "cross"}
HEIGHT_PX = 120
_ICONS = {"camera": "camera", "gripper": "gripper", "power": "power", "disk": "disk", "clock": "clock"}


class StatusStrip(HoldButton):
    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "quiet")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(HEIGHT_PX)
        self.setAccessibleName(self.tr("Status. Hold for settings."))
        self._cells: dict[str, tuple[QLabel, QLabel, QLabel]] = {}
        cells = []
        for name in ("camera", "gripper", "power", "disk", "clock", "network"):
            what, sign, text = QLabel(), QLabel(), label(role="note")
            what.setFixedSize(34, 34)
            sign.setFixedSize(22, 22)
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._cells[name] = (what, sign, text)
            cells.append(column(None, row(None, what, sign, None, gap=4), text, None, gap=6))
        box = row(*cells, gap=0, margins=(8, 0, 8, 0))
        for i in range(len(cells)):
            box.setStretch(i, 1)
        self.setLayout(box)
        for child in self.findChildren(QWidget):
            child.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def show_lights(self, lights: tuple[Light, ...]) -> None:
        for light in lights:
            what, sign, text = self._cells[light.name]
            tone = _TONES[light.level]
            on = light.level in (Level.GOOD, Level.WAIT)
            set_picture(what, _ICONS.get(light.name, "wifi" if on else "no-wifi"), "text" if on else tone, 34)
            set_picture(sign, _SIGNS[light.level], tone, 22)
            text.setText(self._words(light))
            set_tone(text, "" if on else tone)

    def _words(self, light: Light) -> str:
        value = light.value
        match light.name:
            case "camera":
                return self.tr("Camera")
            case "gripper":
                return self.tr("Gripper")
            case "power" if light.unit == "fraction":
                return f"{value:.0%}"
            case "power" if light.unit == "volts":
                return f"{value:.1f} V"
            case "power":
                return self.tr("Power")
            case "disk" if value >= 120:
                return self.tr("{0} h left").format(int(value / 60))
            case "disk":
                return self.tr("{0} min left").format(int(value))
            case "clock" if value is None:
                return self.tr("Clock")
            case "clock":
                return f"± {value:.1f} ms"
            case _:
                return self.tr("Online") if light.level is Level.GOOD else self.tr("Offline")
