"""The console's lower bar: what to run, how fast, and to start, pause and stop it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QComboBox, QHBoxLayout, QSlider, QSpinBox, QVBoxLayout, QWidget

from robot_runner.console.messages import Phase
from robot_runner.console.model import ConsoleModel
from robot_runner.console.state import ConsoleState
from robot_runner.console.widgets import button, label, panel, restyle


class Controls(QWidget):
    """What to run, how fast, and to start, pause and stop it."""

    def __init__(self, model: ConsoleModel) -> None:
        super().__init__()
        self._policy, self._scene, self._episodes = QComboBox(), QComboBox(), QSpinBox(minimum=1, maximum=500)
        self._speed, self._percent = QSlider(Qt.Orientation.Horizontal, minimum=5, maximum=100), label(kind="rate")
        self._start = button("Start", "play", "primary")
        self._pause = button("Pause", "pause")
        self.boxes = button("Keep-out boxes", "layers", "small")
        self.boxes.setCheckable(True)
        self._stop = button("Stop", "stop")
        self._stop.setObjectName("stop")
        self._hint = label(kind="quiet")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._policy.activated.connect(lambda i: model.choose_policy(self._policy.itemData(i)))
        self._scene.activated.connect(lambda i: model.choose_scene(self._scene.itemData(i)))
        self._episodes.valueChanged.connect(model.set_episodes)
        self._speed.valueChanged.connect(model.set_speed)
        self._start.clicked.connect(model.start)
        self._pause.clicked.connect(model.toggle_pause)
        self._stop.pressed.connect(model.stop)  # at the press, not at the release
        row = QHBoxLayout(spacing=12)
        self._policy.setFixedWidth(160)
        self._scene.setFixedWidth(140)
        self._episodes.setFixedWidth(64)
        self._episodes.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._speed.setMinimumWidth(80)
        for name, widget in (("Policy", self._policy), ("Scene", self._scene), ("Grasps", self._episodes)):
            row.addLayout(_titled(name, widget))
        row.addLayout(_titled("", self.boxes))
        speed = QHBoxLayout(spacing=10)
        speed.addWidget(self._speed, 1)
        speed.addWidget(self._percent)
        self._percent.setMinimumWidth(58)
        slider = QWidget()
        slider.setLayout(speed)
        speed.setContentsMargins(0, 0, 0, 0)
        row.addLayout(_titled("Speed", slider), 1)
        row.addWidget(self._start)
        row.addWidget(self._pause)
        stop = QVBoxLayout(spacing=4)
        stop.addWidget(self._stop)
        stop.addWidget(self._hint)
        row.addLayout(stop)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(panel(row))

    def show_state(self, state: ConsoleState) -> None:
        _fill(self._policy, [(Path(name).stem, name) for name in state.choices.policies], state.policy)
        _fill(self._scene, [(s.name, s.name) for s in state.choices.scenes], state.scene)
        if self._episodes.value() != state.episodes:
            self._episodes.setValue(state.episodes)
        if self._speed.value() != state.speed_percent:
            self._speed.setValue(state.speed_percent)
        self._percent.setText(f"{state.speed_percent} %")
        for widget in (self._policy, self._scene, self._episodes, self.boxes):
            widget.setEnabled(not state.active)
        self._start.setEnabled(state.can_start)
        _primary(self._start, state.can_start)
        self._pause.setEnabled(state.can_pause)
        self._pause.setText("Go on" if state.phase is Phase.PAUSED else "Pause")
        restyle(self._stop, "live", "true" if state.active else "false")
        self._hint.setText("or the space bar" if state.in_front else "⚠ click here for the space bar")
        restyle(self._hint, "tone", "" if state.in_front else "warn")


def _titled(name: str, widget: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(spacing=4)
    column.addStretch(1)
    column.addWidget(label(name, "heading"))
    column.addWidget(widget)
    column.addStretch(1)
    return column


def _primary(widget: QAbstractButton, primary: bool) -> None:
    restyle(widget, "role", "primary" if primary else "plain")


def _fill(box: QComboBox, items: list[tuple[str, str]], chosen: str) -> None:
    if [box.itemData(i) for i in range(box.count())] != [data for _, data in items]:
        box.clear()
        for text, data in items:
            box.addItem(text, data)
    if box.currentData() != chosen:
        box.setCurrentIndex(box.findData(chosen))
