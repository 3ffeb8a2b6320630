"""Settings and diagnostics: what works, in plain words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QLabel, QStackedWidget, QVBoxLayout, QWidget

from capture_app.app.models.app import AppModel
from capture_app.app.models.lights import Level
from capture_app.app.models.settings import Check
from capture_app.app.settings import LANGUAGES
from capture_app.app.views.parts import (
    button,
    card,
    column,
    label,
    row,
    scroller,
    set_icon,
    set_picture,
    tall_button,
)
from wildgrasp.qt.theme import MARGIN_PX, TOUCH_PX

_SIGNS = {
    Level.GOOD: ("check", "good"),
    Level.WAIT: ("clock", "muted"),
    Level.WARN: ("warning", "warn"),
    Level.BAD: ("cross", "bad"),
}


class HealthPage(QWidget):
    """A line for everything that was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, tuple[QLabel, QLabel, QLabel]] = {}
        self._content = QWidget()
        self._box = QVBoxLayout(self._content)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(10)
        self._box.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setLayout(column(scroller(self._content)))

    def render(self, checks: tuple[Check, ...]) -> None:
        for check in checks:
            if check.name not in self._lines:
                self._add(check.name)
            sign, words, detail = self._lines[check.name]
            set_picture(sign, *_SIGNS[check.level], 30)
            words.setText(self._words(check))
            detail.setText(check.detail if check.name != "button" else "")
            detail.setVisible(bool(detail.text()))

    def _add(self, name: str) -> None:
        sign, words, detail = QLabel(), label(role="body", wrap=True), label(role="note", wrap=True)
        sign.setFixedSize(30, 30)
        line = row(sign, column(words, detail, gap=2), gap=16, margins=(18, 12, 18, 12))
        line.setStretch(1, 1)
        self._box.addWidget(card(line))
        self._lines[name] = (sign, words, detail)

    def _words(self, check: Check) -> str:
        good = check.level is Level.GOOD
        match check.name:
            case "camera":
                return self.tr("The camera works") if good else self.tr("No camera: plug in its cable")
            case "gripper":
                return self.tr("The gripper answers") if good else self.tr("No gripper: plug in its cable")
            case "firmware":
                return (
                    self.tr("The gripper’s program") if good else self.tr("The gripper’s program is unknown: update it")
                )
            case "clock":
                return self.tr("Clocks agree") if good else self.tr("The clocks are being compared")
            case "button":
                lost = int(check.detail or 0)
                return self.tr("No button press was lost") if good else self.tr("%n button press(es) lost", "", lost)
            case "servo" if check.level is Level.WAIT:
                return self.tr("The servo has not reported yet")
            case "servo":
                return self.tr("The servo is well") if good else self.tr("The servo reports a fault: let it cool down")
            case "disk":
                return self.tr("There is room to record") if good else self.tr("The disk is full: free up space")
            case "network":
                return self.tr("Online") if good else self.tr("Offline: uploads wait")
            case _:
                return self.tr("Uploads go to") if good else self.tr("No place to upload to")


class GripperPage(QWidget):
    """Open and close the fingers, and see what the servo says."""

    def __init__(self, move: Callable[[str], None]) -> None:
        super().__init__()
        self.open = tall_button(self.tr("Open"), "plain", None, lambda: move("open"))
        self.close_fingers = tall_button(self.tr("Close"), "plain", None, lambda: move("close"))
        self.auto = tall_button(self.tr("Button decides"), "plain", None, lambda: move("auto"))
        self.moves = {"open": self.open, "close": self.close_fingers, "auto": self.auto}
        for each in self.moves.values():
            each.setCheckable(True)
            each.setFixedHeight(TOUCH_PX + 10)
        buttons = row(*self.moves.values())
        for i, share in enumerate((3, 3, 4)):
            buttons.setStretch(i, share)
        self._answer = label(role="heading", wrap=True)
        self._values = {name: label(role="heading") for name in ("opening", "limits", "power")}
        lines = column(
            row(label(self.tr("Fingers"), "body"), None, self._values["opening"]),
            row(label(self.tr("Servo limits, open – closed"), "body"), None, self._values["limits"]),
            row(label(self.tr("Servo"), "body"), None, self._values["power"]),
            gap=22,
            margins=(22, 22, 22, 22),
        )
        self.setLayout(
            column(label(self.tr("Keep your fingers away."), "body"), buttons, self._answer, card(lines), None)
        )

    def render(self, test) -> None:
        for name, each in self.moves.items():
            each.setChecked(test.mode == name)
        answers = {
            "waiting": self.tr("One moment …"),
            "done": self.tr("Done."),
            "refused": self.tr("The gripper refused."),
            "silent": self.tr("The gripper does not answer."),
        }
        self._answer.setText(answers.get(test.answer, ""))
        dash = "–"
        self._values["opening"].setText(
            dash if test.opening is None else self.tr("{0} open").format(f"{min(max(test.opening, 0), 1):.0%}")
        )
        self._values["limits"].setText(dash if test.open_ticks is None else f"{test.open_ticks} – {test.closed_ticks}")
        self._values["power"].setText(
            dash if test.volts is None else f"{test.volts:.1f} V · {test.temperature_c:.0f} °C"
        )


class StoragePage(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._values = {name: label(role="heading", wrap=name == "folder") for name in ("free", "sessions", "folder")}
        lines = column(
            row(label(self.tr("Free"), "body"), None, self._values["free"]),
            row(label(self.tr("Recordings here"), "body"), None, self._values["sessions"]),
            column(label(self.tr("They lie in"), "body"), self._values["folder"], gap=6),
            gap=22,
            margins=(22, 22, 22, 22),
        )
        self.setLayout(column(card(lines), None))

    def render(self, storage, folder: str) -> None:
        minutes = self.tr("%n minute(s)", "", storage.minutes)
        self._values["free"].setText(f"{storage.free_bytes / 1e9:.1f} GB · {minutes}")
        self._values["sessions"].setText(f"{storage.sessions} · {storage.bytes_used / 1e9:.2f} GB")
        self._values["folder"].setText(folder)


class LanguagePage(QWidget):
    def __init__(self, choose: Callable[[str], None]) -> None:
        super().__init__()
        self.buttons = {}
        for code, name in LANGUAGES.items():
            each = button(name, "plain", None, lambda code=code: choose(code))
            each.setCheckable(True)
            each.setFixedHeight(TOUCH_PX)
            self.buttons[code] = each
        self.setLayout(column(*self.buttons.values(), None))

    def render(self, language: str) -> None:
        for code, each in self.buttons.items():
            each.setChecked(code == language)
            if code == language:
                set_icon(each, "check")


class SettingsView(QWidget):
    def __init__(self, app: AppModel) -> None:
        super().__init__()
        self._model = app.settings
        self.back = button(self.tr("Back"), "quiet", "back", lambda: app.show("ready"))
        self.tabs = {
            "health": button(self.tr("Health"), "plain", "heart", lambda: self._model.show_page("health")),
            "gripper": button(self.tr("Gripper"), "plain", "gripper", lambda: self._model.show_page("gripper")),
            "storage": button(self.tr("Storage"), "plain", "disk", lambda: self._model.show_page("storage")),
            "language": button(self.tr("Language"), "plain", "globe", lambda: self._model.show_page("language")),
        }
        group = QButtonGroup(self)
        for each in self.tabs.values():
            each.setCheckable(True)
            group.addButton(each)
        for each in (self.back, *self.tabs.values()):
            each.setFixedSize(232, TOUCH_PX)
        self.health, self.gripper = HealthPage(), GripperPage(self._model.move_fingers)
        self.storage, self.language = StoragePage(), LanguagePage(self._model.choose_language)
        self._pages = QStackedWidget()
        for page in (self.health, self.gripper, self.storage, self.language):
            self._pages.addWidget(page)
        side = column(self.back, *self.tabs.values(), None, gap=13)
        self.setLayout(row(side, self._pages, gap=MARGIN_PX, margins=(MARGIN_PX,) * 4))
        self.layout().setStretch(1, 1)
        self._model.changed.connect(self.render)
        self.render()

    def render(self) -> None:
        state = self._model.state
        self.tabs[state.page].setChecked(True)
        self._pages.setCurrentIndex(list(self.tabs).index(state.page))
        self.health.render(state.checks)
        self.gripper.render(state.test)
        self.storage.render(state.storage, state.folder)
        self.language.render(state.language)
