"""The console's view-model: holds the state, passes what the operator asks on to the runner's process, hears it."""

from __future__ import annotations

import contextlib
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal

from robot_runner.console import messages as m
from robot_runner.console.state import ConsoleState, told
from robot_runner.keep_out import KeepOutBox
from wildgrasp.qt.viewmodel import ViewModel

_ALIVE_MS = 250


class ConsoleModel(ViewModel):
    """``state`` is a :class:`ConsoleState`. Pictures come by signals of their own: they are not compared."""

    picture = Signal(object)  # messages.Picture
    views = Signal(object)  # messages.ViewsShown

    def __init__(self, pipe: Connection, past: tuple[m.Outcome, ...] = (), parent: QObject | None = None) -> None:
        super().__init__(ConsoleState(outcomes=past), parent)
        self._pipe = pipe
        self._notifier = QSocketNotifier(pipe.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._hear)
        self._alive = QTimer(self, interval=_ALIVE_MS)
        self._alive.timeout.connect(lambda: self._ask(m.Alive()))
        self._alive.start()

    # --- the operator ---

    def start(self) -> None:
        state = self.state
        if state.can_start:
            self._ask(m.Start(state.policy, state.scene, state.episodes))

    def stop(self) -> None:
        """At any time, in any state."""
        self._ask(m.StopNow())

    def toggle_pause(self) -> None:
        if self.state.can_pause:
            self._ask(m.Pause(self.state.phase is m.Phase.RUNNING))

    def set_speed(self, percent: int) -> None:
        self._update(speed_percent=percent)
        self._ask(m.SetSpeed(percent / 100))

    def choose_policy(self, name: str) -> None:
        self._update(policy=name)

    def choose_scene(self, name: str) -> None:
        self._update(scene=name)

    def set_episodes(self, count: int) -> None:
        self._update(episodes=count)

    def confirm(self, step: int, done: bool) -> None:
        confirmed = list(self.state.confirmed)
        if step < len(confirmed):
            confirmed[step] = done
            self._update(confirmed=tuple(confirmed))

    def recover(self) -> None:
        if self.state.can_recover:
            self._ask(m.Recover())

    def save_boxes(self, boxes: tuple[KeepOutBox, ...]) -> None:
        """Not during a run: the guard of a run is fixed at its start."""
        if self.state.shown_scene is not None and not self.state.active:
            self._ask(m.SaveBoxes(self.state.scene, boxes))

    def set_in_front(self, in_front: bool) -> None:
        self._update(in_front=in_front)

    def leave(self) -> None:
        self._alive.stop()
        self._notifier.setEnabled(False)
        self._ask(m.Leave())

    # --- the runner ---

    def take(self, message: Any) -> None:
        """One message from the runner."""
        if isinstance(message, m.Picture):
            self.picture.emit(message)
        elif isinstance(message, m.ViewsShown):
            self.views.emit(message)
        else:
            after = told(self.state, message)
            self._update(**{name: getattr(after, name) for name in after.__dataclass_fields__})

    def _hear(self) -> None:
        try:
            while self._pipe.poll():
                self.take(self._pipe.recv())
        except (EOFError, OSError):
            self._notifier.setEnabled(False)
            self._alive.stop()
            text = (
                "The process that runs the robot has ended; the arm was braked. Close this window and start it again."
            )
            self.take(m.Status(m.Phase.ATTENTION, m.Cause.FAULT, text))

    def _ask(self, message: object) -> None:
        with contextlib.suppress(OSError):  # the runner's end is heard, and told, in _hear
            self._pipe.send(message)


def policies_in(folder: Path | None, given: str) -> tuple[str, ...]:
    """What can be chosen: the given policy first, then the checkpoints of a folder, then the baselines."""
    from grasp_policy.registry import BASELINES

    found = [] if folder is None else sorted(str(p) for p in folder.glob("*.safetensors"))
    return tuple(dict.fromkeys([given, *found, *BASELINES]))
