"""Parts of the console's window. Each shows a :class:`ConsoleState`; what the operator does goes to the model."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from robot_runner.console import words
from robot_runner.console.messages import Phase
from robot_runner.console.model import ConsoleModel
from robot_runner.console.painted import Bars, CameraView
from robot_runner.console.state import ConsoleState
from robot_runner.console.widgets import button, label, panel, restyle
from wildgrasp.qt.icons import pixmap
from wildgrasp.qt.theme import COLORS

_BANNER_PX = 118  # the state and two lines
_ICONS = {
    Phase.CONNECTING: "clock",
    Phase.READY: "check",
    Phase.RUNNING: "play",
    Phase.PAUSED: "pause",
    Phase.STOPPING: "stop",
    Phase.ATTENTION: "warning",
}
_SIGNS = {"success": "✓", "empty": "○", "dropped": "↓", "stopped": "■"}  # of outcomes; all others are ✕


class Banner(QWidget):
    """The big state: title, what it means now, and how successful it has been."""

    def __init__(self) -> None:
        super().__init__()
        self._sign, self._title = QLabel(), label(kind="state")
        self._detail, self._rate = label(kind="detail", wrap=True), label(kind="rate")
        self._rate.setMinimumWidth(230)
        self._rate.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        text = QVBoxLayout(spacing=2)
        text.addWidget(self._title)
        text.addWidget(self._detail)
        row = QHBoxLayout(spacing=20)
        row.addWidget(self._sign)
        row.addLayout(text, 1)
        row.addWidget(self._rate)
        self._frame = panel(row, "banner")
        self._frame.setFixedHeight(_BANNER_PX)
        self._sign.setFixedWidth(64)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._frame)

    def show_state(self, state: ConsoleState) -> None:
        self._title.setText(state.words.title)
        self._detail.setText(state.detail)
        self._rate.setText(state.rate)
        color = {"warn": "warn", "bad": "bad"}.get(state.tone, "text")
        self._sign.setPixmap(pixmap(_ICONS[state.phase], COLORS[color], 64))
        restyle(self._frame, "tone", state.tone)


class Body(QWidget):
    """The robot itself: what its camera sees, its fingers, how far it is from its limits."""

    def __init__(self) -> None:
        super().__init__()
        self.camera = CameraView(QSize(304, 228))
        self._width, self._grip = label(kind="big"), label(kind="quiet", wrap=True)
        self._joints, self._workspace = Bars(), Bars()
        self.setFixedWidth(304)
        column = QVBoxLayout(self, spacing=10)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.camera)
        row = QHBoxLayout()
        row.addWidget(label("Fingers", "heading"))
        row.addStretch(1)
        row.addWidget(self._grip)
        row.addWidget(self._width)
        column.addWidget(panel(row))
        margins = QVBoxLayout(spacing=4)
        margins.addWidget(label("Room before a joint's limit", "heading"))
        margins.addWidget(self._joints)
        margins.addSpacing(4)
        margins.addWidget(label("Room in the workspace", "heading"))
        margins.addWidget(self._workspace)
        column.addWidget(panel(margins))
        column.addStretch(1)

    def show_state(self, state: ConsoleState) -> None:
        status = state.status
        self._width.setText("–" if status.width_m is None else f"{status.width_m * 1e3:.0f} mm")
        self._grip.setText(status.grip)
        self._joints.show_margins(status.joints)
        self._workspace.show_margins(status.workspace)


class Outcomes(QWidget):
    """Every grasp, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple = ()
        self._table = QTableWidget(0, 4)
        self._table.setHorizontalHeaderLabels(["", "outcome", "steps", "time"])
        self._table.verticalHeader().hide()
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._table.setShowGrid(False)
        header = self._table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column, width in ((0, 28), (2, 54), (3, 54)):
            self._table.setColumnWidth(column, width)
        column = QVBoxLayout(spacing=6)
        column.addWidget(label("Grasps, newest first", "heading"))
        column.addWidget(self._table, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(panel(column))

    def show_state(self, state: ConsoleState) -> None:
        if state.outcomes == self._shown:
            return
        self._shown = state.outcomes
        rows: list[tuple[str, ...]] = []
        run = None
        for o in reversed(state.outcomes):
            if o.run != run:
                run = o.run
                rows.append((run.replace("T", "  "),))
            rows.append((_SIGNS.get(o.outcome, "✕"), f"{o.number}  {o.outcome}", f"{o.steps}", f"{o.seconds:.0f} s"))
        self._table.clearSpans()
        self._table.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                self._table.setItem(i, j, QTableWidgetItem(text))
            if len(row) == 1:
                self._table.setSpan(i, 0, 1, 4)
                self._table.item(i, 0).setForeground(self.palette().mid())


class Recovery(QWidget):
    """What happened and the steps that a person confirms. Nothing here moves the arm."""

    def __init__(self, model: ConsoleModel) -> None:
        super().__init__()
        self._model = model
        self._meaning = label(kind="step", wrap=True)
        self._steps: list[QCheckBox] = []
        self._list = QVBoxLayout(spacing=16)
        self._ready = button("Make ready", "check", "primary")
        self._ready.clicked.connect(model.recover)
        self._after = label("This does not move the arm. Afterwards, Start begins a new run.", "quiet", wrap=True)
        column = QVBoxLayout(spacing=18)
        column.addWidget(self._meaning)
        column.addSpacing(8)
        column.addWidget(label("Confirm each step, in order:", "heading"))
        column.addLayout(self._list)
        column.addStretch(1)
        column.addWidget(self._after)
        column.addWidget(self._ready)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(panel(column))

    def show_state(self, state: ConsoleState) -> None:
        if not state.attention:
            return
        self._meaning.setText(state.words.meaning)
        if [box.text() for box in self._steps] != list(state.words.steps):
            self._rebuild(state.words.steps)
        for i, box in enumerate(self._steps):
            box.setChecked(i < len(state.confirmed) and state.confirmed[i])
            box.setEnabled(all(state.confirmed[:i]))
        self._ready.setEnabled(state.can_recover)

    def _rebuild(self, steps: tuple[str, ...]) -> None:
        for box in self._steps:
            self._list.removeWidget(box)
            box.setParent(None)
        self._steps = [QCheckBox(text) for text in steps]
        for i, box in enumerate(self._steps):
            self._list.addWidget(box)
            box.clicked.connect(lambda done, i=i: self._model.confirm(i, done))


class Note(QLabel):
    """One quiet line at the bottom."""

    def __init__(self) -> None:
        super().__init__(words.EMERGENCY_NOTE)
        self.setProperty("kind", "quiet")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
