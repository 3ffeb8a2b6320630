"""Parts of the console that need no window: the gate before the arm, one camera for two, scenes, what was before."""

from __future__ import annotations

import json

import numpy as np
import pytest
from virtual_rig import DownwardPolicy, VirtualArm, VirtualCamera, VirtualGripper

from robot_runner.arm.base import MotionLimits
from robot_runner.console.feed_camera import FeedCamera
from robot_runner.console.gate import StopGate
from robot_runner.console.history import past_outcomes
from robot_runner.console.scene import Scene, load_scenes
from robot_runner.console.watched_gripper import WatchedGripper
from robot_runner.episode_types import EpisodeConfig
from robot_runner.keep_out import KeepOutBox
from robot_runner.runner import RunConfig, run_episodes
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.clocks import MonotonicClock, VirtualClock
from wildgrasp.errors import CameraError, RobotError

Q = np.array(EpisodeConfig.start_q)


def test_nothing_passes_a_gate_that_is_shut():
    arm = VirtualArm(VirtualClock(1), Q)
    gate = StopGate(arm)
    gate.move_joints(Q + 0.1, MotionLimits())
    assert arm.state().moving
    gate.shut()
    assert not arm.state().moving
    for move in (lambda: gate.move_joints(Q, MotionLimits()), lambda: gate.move_to(np.eye(4), MotionLimits())):
        with pytest.raises(RobotError, match="operator stopped"):
            move()
    assert (arm.stops, arm.joint_moves, arm.commands) == (1, 1, [])
    gate.open_again()
    gate.move_joints(Q, MotionLimits())
    assert arm.joint_moves == 2
    np.testing.assert_array_equal(gate.state().q, arm.q)  # all else passes through


def test_a_feed_gives_each_frame_once_and_says_when_none_comes():
    camera = VirtualCamera(MonotonicClock())
    feed = CameraFeed(camera)
    info = feed.start()
    reader = FeedCamera(feed)
    assert reader.open() == info
    first, second = reader.read(5.0), reader.read(5.0)
    assert second.t_host_ns > first.t_host_ns
    reader.close()
    assert feed.running  # the preview goes on
    feed.stop()
    for _ in range(2):
        with pytest.raises(CameraError, match="no new pictures"):
            FeedCamera(CameraFeed(camera)).read(0.01)


def test_a_watched_gripper_remembers_its_last_reading():
    gripper = WatchedGripper(VirtualGripper(VirtualClock(1)))
    assert gripper.last is None
    gripper.connect()
    assert gripper.last.width_m == pytest.approx(0.11)
    gripper.move_to(0.0, 20.0)
    assert gripper.wait(1.0) == gripper.last
    assert gripper.last.grip_detected


def test_scenes_are_read_from_a_folder_and_nonsense_is_refused(tmp_path):
    base = EpisodeConfig()
    assert load_scenes(tmp_path, base) == []
    values = {"workspace_lower": [0.1, -0.2, 0.0], "table_height": -0.1, "start_q": [0, -1.5, 1.3, -1.3, -1.5, 0]}
    (tmp_path / "bin.json").write_text(json.dumps(values))
    (tmp_path / "plain.json").write_text("{}")
    scenes = load_scenes(tmp_path, base)
    assert [s.name for s in scenes] == ["bin", "plain"]
    limits = scenes[0].config.guard
    assert (limits.workspace_lower, limits.table_height_m) == ((0.1, -0.2, 0.0), -0.1)
    assert limits.workspace_upper == base.guard.workspace_upper
    boxes = (KeepOutBox((0.0, 0.0, 0.0), (0.1, 0.1, 0.1), "shelf"),)
    scenes[0].save_boxes(boxes)
    assert load_scenes(tmp_path, base)[0].episode_config().guard.keep_out == boxes
    assert scenes[1].episode_config().guard.keep_out == ()
    with pytest.raises(RobotError, match="no file"):
        Scene("bare", base).save_boxes(boxes)
    for text in (
        "",
        "[]",
        '{"workspace_lower": [1, 2]}',
        '{"table_height": "high"}',
        '{"table_height": NaN}',
        '{"speed": 9}',
        '{"start_q": null}',
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RobotError, match="cannot be read"):
            load_scenes(tmp_path, base)


def test_what_was_before_is_read_from_the_runs_and_nothing_else_disturbs(tmp_path):
    clock = VirtualClock(1_000_000_000)
    arm, gripper = VirtualArm(clock, Q), VirtualGripper(clock)
    results = run_episodes(arm, gripper, VirtualCamera(clock), DownwardPolicy(), tmp_path / "b", RunConfig(episodes=2))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.sqlite").write_text("no database")
    (tmp_path / "c").mkdir()
    outcomes = past_outcomes(tmp_path)
    assert [(o.run, o.number, o.outcome, o.steps) for o in outcomes] == [
        ("b", i + 1, r.outcome, r.steps) for i, r in enumerate(results)
    ]
    assert all(o.seconds > 0 for o in outcomes)
    assert past_outcomes(tmp_path / "nowhere") == []
