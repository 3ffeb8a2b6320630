"""The console's window: what it shows is a function of its state, and the space bar stops from everywhere."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from console_screens import PAST, SCENE, Screens, grab, grey_picture, grey_views
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QLineEdit, QPushButton, QSpinBox, QVBoxLayout

from robot_runner.arm.kinematics import UR5, forward
from robot_runner.console import messages as m
from robot_runner.console import words
from robot_runner.console.margins import LOW, joint_margins, workspace_margins
from robot_runner.console.model import policies_in
from robot_runner.console.overlay import gripper_lines
from robot_runner.console.state import ConsoleState, told
from robot_runner.guard import GuardLimits
from wildgrasp.geometry import PinholeCamera, pose


@pytest.fixture
def screens():
    with Screens() as screens:
        yield screens


def asked(screens, kind):
    """Messages of a kind that have reached the runner."""
    found = []
    while screens.runner.poll(0.05):
        message = screens.runner.recv()
        if isinstance(message, kind):
            found.append(message)
    return found


def test_every_state_has_its_screen(screens, tmp_path):
    seen = {}
    for name in screens.states(grey_picture(), grey_views()):
        picture = grab(screens.app, screens.window)
        assert picture.save(str(tmp_path / f"{name}.png"))
        seen[name] = bytes(picture.toImage().constBits())
    assert len(seen) == 12
    assert len(set(seen.values())) == len(seen)


def test_the_space_bar_stops_from_every_focus_and_presses_nothing(screens):
    screens.model.take(m.Choices(("heuristic",), (SCENE,)))
    screens.status(m.Phase.READY)
    dialog = QDialog(screens.window)
    column = QVBoxLayout(dialog)
    parts = [QLineEdit(), QPushButton("Yes"), QSpinBox(), QComboBox()]
    for part in parts:
        column.addWidget(part)
    parts[3].addItems(["a", "b"])
    pressed = []
    parts[1].clicked.connect(lambda: pressed.append(1))
    dialog.setModal(True)
    dialog.show()
    asked(screens, m.StopNow)
    everywhere = [*parts, screens.window._controls._start, screens.window._plan._name, screens.window._controls._policy]
    for widget in everywhere:
        widget.setFocus()
        QTest.keyClick(widget, Qt.Key.Key_Space)
        assert len(asked(screens, m.StopNow)) == 1
    parts[3].showPopup()
    QTest.keyClick(parts[3].view(), Qt.Key.Key_Space)
    assert len(asked(screens, m.StopNow)) == 1
    assert parts[0].text() == ""
    assert pressed == []
    assert asked(screens, m.Start) == []
    dialog.close()


def test_buttons_ask_only_for_what_the_state_allows(screens):
    controls = screens.window._controls
    for phase in m.Phase:
        screens.model.take(m.Choices(("heuristic",), (SCENE,)))
        cause = m.Cause.FAULT if phase is m.Phase.ATTENTION else None
        screens.status(phase, cause)
        for button in (controls._start, controls._pause):
            button.click()
        controls._stop.pressed.emit()
        assert len(asked(screens, (m.Start, m.Pause, m.StopNow))) == 1 + (
            phase in (m.Phase.READY, m.Phase.RUNNING, m.Phase.PAUSED)
        )
        assert screens.window._controls._policy.isEnabled() == (
            phase not in (m.Phase.RUNNING, m.Phase.PAUSED, m.Phase.STOPPING)
        )


@pytest.mark.parametrize("cause", list(m.Cause))
def test_recovery_is_asked_for_only_after_each_step_in_order(screens, cause):
    screens.status(m.Phase.ATTENTION, cause, "why")
    recovery = screens.window._recovery
    asked(screens, m.Recover)
    steps = words.CAUSES[cause].steps
    assert len(steps) == len(recovery._steps) > 0
    for i in range(len(steps)):
        assert not recovery._ready.isEnabled()
        assert [box.isEnabled() for box in recovery._steps] == [j <= i for j in range(len(steps))]
        recovery._steps[i].click()
    recovery._ready.click()
    assert len(asked(screens, m.Recover)) == 1
    screens.status(m.Phase.CONNECTING)
    screens.status(m.Phase.ATTENTION, cause, "again")  # confirmed once is not confirmed for ever
    assert not recovery._ready.isEnabled()


def test_a_box_is_drawn_named_raised_and_saved_but_not_during_a_run(screens):
    screens.model.take(m.Choices(("heuristic",), (SCENE,)))
    screens.status(m.Phase.READY)
    screens.window._controls.boxes.setChecked(True)
    screens.app.processEvents()
    editor, plan = screens.window._plan, screens.window._plan.plan
    a, b = plan._pixel(0.40, 0.0).toPoint(), plan._pixel(0.50, 0.10).toPoint()
    QTest.mousePress(plan, Qt.MouseButton.LeftButton, pos=a)
    QTest.mouseMove(plan, b)
    QTest.mouseRelease(plan, Qt.MouseButton.LeftButton, pos=b)
    editor._name.setText("cup")
    editor._name.editingFinished.emit()
    editor._high.setValue(0.25)
    asked(screens, m.SaveBoxes)
    editor._save.click()
    (saved,) = asked(screens, m.SaveBoxes)
    assert saved.boxes[:2] == SCENE.boxes
    box = saved.boxes[2]
    assert (box.name, box.upper[2]) == ("cup", 0.25)
    np.testing.assert_allclose([*box.lower[:2], *box.upper[:2]], [0.4, 0.0, 0.5, 0.1], atol=0.006)
    screens.status(m.Phase.RUNNING)
    screens.model.save_boxes(())
    assert asked(screens, m.SaveBoxes) == []


def test_a_window_that_is_refreshed_for_hours_loses_no_references(screens):
    """Some releases of PySide6 do, at every call, and the process ends when the last one to None is gone."""
    screens.status(m.Phase.READY)
    before = sys.getrefcount(None)
    for _ in range(20):
        screens.window.refresh()
    told = "This PySide6 loses references to None on this Python; pyproject.toml excludes it. Run `make setup`."
    assert sys.getrefcount(None) > before - 20, told


def test_plan_pixels_and_metres_are_each_other_s_inverse(screens):
    screens.model.take(m.Choices(("heuristic",), (SCENE,)))
    plan = screens.window._plan.plan
    for point in (QPointF(3, 7), QPointF(211.5, 90)):
        there = plan._pixel(*plan._metres(point))
        assert (there - point).manhattanLength() < 1e-6
    assert QPoint(0, 0) != plan._pixel(0.5, 0.0)


def test_the_end_of_the_runner_s_process_is_told(screens):
    screens.runner.close()
    QTest.qWait(50)
    assert screens.model.state.phase is m.Phase.ATTENTION
    assert "has ended" in screens.model.state.detail


def test_state_counts_successes_of_this_run_and_of_all():
    state = ConsoleState(outcomes=PAST)
    assert state.rate == "3 of 5 = 60 % · all runs here"
    state = told(state, m.Outcome("new", 1, "success", "", 3, 5.0))
    assert state.rate == "1 of 1 = 100 % · this run\n4 of 6 = 67 % · all runs here"
    assert not ConsoleState().can_start
    assert not ConsoleState().can_recover


def test_choices_keep_what_was_chosen_while_it_is_there():
    state = told(ConsoleState(), m.Choices(("a", "b"), (SCENE,)))
    assert (state.policy, state.scene) == ("a", SCENE.name)
    from dataclasses import replace

    state = told(replace(state, policy="b"), m.Choices(("a", "b"), (SCENE,)))
    assert state.policy == "b"
    assert policies_in(None, "mine.safetensors")[0] == "mine.safetensors"


def test_margins_shrink_to_nothing_at_the_limits():
    limits = GuardLimits()
    q = np.array([0.0, -1.57, 1.35, -1.35, -1.57, 0.0])
    assert all(margin.share > LOW for margin in joint_margins(q, limits)[:6])
    q[5] = limits.model.upper[5] - limits.joint_margin_rad
    assert joint_margins(q, limits)[5].share == 0.0
    singular = np.array([0, -1.57, 0.0, -1.57, -1.57, 0])
    assert joint_margins(singular, limits)[6].share < LOW
    z = (forward(UR5, q) @ limits.T_tool_fingertip)[2, 3]
    at_table = GuardLimits(table_height_m=z - limits.table_clearance_m)
    assert workspace_margins(q, at_table)[3].share == pytest.approx(0.0, abs=1e-9)


def test_the_drawn_gripper_is_where_the_fingertips_are_seen():
    camera = PinholeCamera(640, 480, 600.0, 600.0, 319.5, 239.5)
    T_base_fingertip = pose(t=np.array([0.02, 0.01, 0.5]))
    lines = gripper_lines(T_base_fingertip, np.eye(4), camera, 0.08)
    assert lines.shape == (4, 2, 2)
    tips = np.array([lines[0, 0], lines[2, 1]])
    np.testing.assert_allclose(tips.mean(axis=0), camera.project(np.array([[0.02, 0.01, 0.5]]))[0], atol=1e-9)
    np.testing.assert_allclose(np.ptp(tips[:, 0]), 600 * 0.08 / 0.5, atol=1e-9)
    assert gripper_lines(pose(t=np.array([0, 0, -1.0])), np.eye(4), camera, 0.08).shape == (0, 2, 2)
