"""The console's screens, one per state, from messages as the runner sends them. No robot, no clock: always the same.

``python tests/robot_runner/console_screens.py docs/images/console`` writes those of the operator guide, with pictures
from a simulated cell in virtual time; the tests take plain grey ones.
"""

from __future__ import annotations

import multiprocessing
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from robot_runner.arm.link_messages import explain
from robot_runner.console import messages as m
from robot_runner.console.margins import joint_margins, workspace_margins
from robot_runner.console.model import ConsoleModel
from robot_runner.console.window import ConsoleWindow, style
from robot_runner.episode_types import EpisodeConfig
from robot_runner.guard import GuardLimits
from robot_runner.keep_out import KeepOutBox

LIMITS = GuardLimits(
    workspace_lower=(0.15, -0.4, -0.31), workspace_upper=(0.85, 0.4, 0.4), table_height_m=-0.3, keep_out=()
)
Q = np.array([2.922, -1.1, 1.693, -2.1, -1.571, -0.220])
SCENE = m.SceneShown(
    "whole table",
    LIMITS.workspace_lower,
    LIMITS.workspace_upper,
    LIMITS.table_height_m,
    (
        KeepOutBox((0.55, 0.2, -0.3), (0.8, 0.38, 0.1), "lamp"),
        KeepOutBox((0.2, -0.38, -0.3), (0.32, -0.2, 0.0), "tray"),
    ),
)
PAST = tuple(
    m.Outcome("2026-11-24T16-20-11", i + 1, outcome, "", steps, seconds)
    for i, (outcome, steps, seconds) in enumerate(
        [
            ("success", 14, 22.0),
            ("empty", 17, 24.5),
            ("success", 11, 19.2),
            ("dropped", 12, 20.3),
            ("success", 15, 23.9),
        ]
    )
)
RUN = "2026-11-25T09-41-03"


def grey_picture() -> m.Picture:
    lines = np.array(
        [[[200.0, 150.0], [200.0, 220.0]], [[200.0, 150.0], [280.0, 150.0]], [[280.0, 150.0], [280.0, 220.0]]]
    )
    return m.Picture(np.full((360, 480, 3), 120, np.uint8), lines)


def grey_views(count: int = 35) -> m.ViewsShown:
    values = np.linspace(0.05, 0.9, count, dtype=np.float32)
    values[::9] = np.nan
    return m.ViewsShown(np.full((count, 45, 80, 3), 90, np.uint8), values, count - 2, "move")


class Screens:
    """One window, and the messages that bring it from state to state. Use as a context manager."""

    def __enter__(self) -> Screens:
        self.app = QApplication.instance() or QApplication(["console"])
        style(self.app)
        self.runner, self.pipe = multiprocessing.Pipe()
        self.model = ConsoleModel(self.pipe, PAST)
        self.window = ConsoleWindow(self.model)
        self.window.show()
        return self

    def __exit__(self, *_: object) -> None:
        self.window.hide()
        self.window.deleteLater()
        self.app.removeEventFilter(self.window._stop_key)
        self.model.leave()
        self.runner.close()

    def status(self, phase: m.Phase, cause: m.Cause | None = None, text: str = "", **more: object) -> None:
        q = Q
        known = {
            "width_m": 0.087,
            "joints": joint_margins(q, LIMITS),
            "workspace": workspace_margins(q, LIMITS),
            "fingertip_m": (0.52, 0.05, -0.12),
        }
        self.model.take(m.Status(phase, cause, text, **{**known, **more}))

    def states(self, picture: m.Picture, views: m.ViewsShown):
        """(name) after bringing the window into each state."""
        self.model.take(m.Status(m.Phase.CONNECTING))
        yield "connecting"
        text = "No UR controller answers at 192.168.1.10:30004. Is it switched on and on this network?"
        self.model.take(m.Status(m.Phase.ATTENTION, m.Cause.UNREACHABLE, text))
        yield "not-connected"
        self.model.take(m.Choices(("policies/kitchen.safetensors", "heuristic", "straight-down"), (SCENE,)))
        self.status(m.Phase.READY)
        self.model.picture.emit(replace(picture, lines=np.zeros((0, 2, 2))))
        yield "ready"
        self.window._controls.boxes.setChecked(True)
        self.window._plan._select(0)
        yield "keep-out"
        self.window._controls.boxes.setChecked(False)
        self.status(m.Phase.RUNNING)
        for o in (("success", 13, 20.8), ("success", 16, 24.0)):
            self.model.take(m.Outcome(RUN, len(self.model.state.outcomes) - len(PAST) + 1, o[0], "", o[1], o[2]))
        self.model.take(m.Progress(3, 5, "move", "", 7))
        self.model.picture.emit(picture)
        self.model.views.emit(views)
        self.model.set_speed(60)
        yield "running"
        self.status(m.Phase.PAUSED)
        yield "paused"
        for safety, cause in m.CAUSES.items():
            self.status(m.Phase.ATTENTION, cause, explain(safety))
            for step in range(2 if cause is m.Cause.PROTECTIVE_STOP else 0):
                self.model.confirm(step, True)
            yield cause.value.replace(" ", "-")
        text = "The camera sends no new pictures (the last is 1.2 s old), so the arm was stopped. What was recorded is "
        self.status(m.Phase.ATTENTION, m.Cause.FAULT, text + "kept; look at the camera's USB cable and start again.")
        for step in range(len(self.model.state.confirmed)):
            self.model.confirm(step, True)
        yield "fault"
        self.model.take(m.RunEnded(RUN, "stopped by the operator"))
        self.status(m.Phase.READY)
        self.model.set_in_front(False)
        yield "not-in-front"


def grab(app: QApplication, widget: QWidget) -> QPixmap:
    app.processEvents()  # layouts settle
    return widget.grab()


def simulated_pictures() -> tuple[m.Picture, m.ViewsShown]:
    """One decision of a policy over a simulated pile, in virtual time."""
    import cv2

    from digital_twin.benchmark.inprocess import InProcessArm, InProcessCamera, InProcessGripper, VirtualRobot
    from digital_twin.benchmark.workspace import WORKSPACE_VOLUME, guard_limits
    from digital_twin.world.robot_cell import START_Q, CellSettings, RobotCell
    from grasp_policy.checkpoints import SHIPPED
    from grasp_policy.registry import make_policy
    from robot_runner.console.overlay import gripper_lines
    from robot_runner.episode import Episode

    robot = VirtualRobot(RobotCell(CellSettings(seed=7)))
    arm, gripper, camera = (
        InProcessArm(robot),
        InProcessGripper(robot),
        InProcessCamera(robot, robot.cell.settings.reality, 7),
    )
    info = camera.open()
    seen = []

    def keep(event) -> None:
        if "frame" in event.detail or "decision" in event.detail:
            seen.append(event)

    config = EpisodeConfig(guard=guard_limits(), start_q=START_Q, max_steps=4)
    Episode(arm, gripper, camera, info, make_policy(str(SHIPPED), WORKSPACE_VOLUME), config, on_event=keep).run()
    look, choice = seen[-2], seen[-1]
    decision, frame = choice.detail["decision"], look.detail["frame"]
    lines = gripper_lines(
        choice.detail["verdict"].T_base_fingertip,
        look.detail["T_base_camera"],
        info.intrinsics,
        gripper.state().width_m,
    )
    camera.close()
    color = cv2.resize(frame.color, (480, 360), interpolation=cv2.INTER_AREA)
    picture = m.Picture(color, lines * 480 / frame.color.shape[1])
    return picture, m.ViewsShown(decision.views.color, decision.values, decision.chosen, decision.kind)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    picture, views = simulated_pictures()
    with Screens() as screens:
        for name in screens.states(picture, views):
            grab(screens.app, screens.window).save(str(folder / f"{name}.jpg"), quality=90)
