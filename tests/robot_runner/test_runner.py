"""Runs become sessions: what happened and why can be read back, also when it went wrong."""

import errno
import json

import numpy as np
import pytest
from virtual_rig import INFO, DownwardPolicy, VirtualArm, VirtualCamera, VirtualGripper

from grasp_policy.policy import Decision
from robot_runner.commands import summary
from robot_runner.episode_types import EpisodeConfig, State
from robot_runner.hand_eye import load_hand_eye
from robot_runner.runner import RunConfig, dry_run, run_episodes
from wildgrasp.calibration import Calibration, save_calibration
from wildgrasp.cli import main
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import RobotError, SessionError
from wildgrasp.geometry import inverse, pose
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session

START = np.array(EpisodeConfig.start_q)


@pytest.fixture
def rig():
    clock = VirtualClock(1_000_000_000)
    return VirtualArm(clock, START), VirtualGripper(clock), VirtualCamera(clock), DownwardPolicy()


def test_a_run_is_a_session_with_frames_poses_decisions_and_outcomes(rig, tmp_path):
    config = RunConfig(episodes=2, meta={"policy": "scripted"})
    results = run_episodes(*rig, tmp_path / "run", config)
    assert [r.outcome for r in results] == ["success", "success"]
    with Session(tmp_path / "run") as session:
        assert len(session) == 6  # three looks each
        poses = session.poses("arm")
        assert poses.frame_ids.tolist() == list(range(6))
        limits = config.episode.guard
        np.testing.assert_allclose(
            session.T_camera_fingertip, inverse(limits.T_tool_camera) @ limits.T_tool_fingertip, atol=1e-9
        )
        assert session.meta["policy"] == "scripted"
        assert [e.kind for e in session.events()] == ["press", "release"] * 2
        decisions = list(session.db.query("SELECT * FROM decisions ORDER BY id"))
        assert [d["kind"] for d in decisions] == ["move", "move", "close"] * 2
        assert decisions[0]["value"] == pytest.approx(0.9)
        assert (decisions[0]["fuse_ms"], decisions[0]["views_ms"], decisions[0]["q_ms"]) == (1.0, 2.0, 3.0)
        arrays = session.read_arrays(BlobRef(decisions[0]["file"], decisions[0]["offset"]))
        assert arrays["candidates"].shape == (2, 4, 4)
        assert arrays["values"][decisions[0]["chosen"]] == pytest.approx(0.9)
        episodes = list(session.db.query("SELECT * FROM episodes ORDER BY id"))
        assert [(e["id"], e["success"], e["steps"]) for e in episodes] == [(1, 1, 3), (2, 1, 3)]
        states = [row["state"] for row in session.db.query("SELECT state FROM transitions WHERE episode_id = 2")]
        assert states[0] == "start"
        assert states[-1] == "end"
    assert json.loads(json.dumps(summary(results)))["successes"] == 2


def test_a_fault_ends_the_run_and_everything_before_it_is_there(rig, tmp_path):
    arm = rig[0]
    seen = []
    arm.fails_at = lambda a: "It stopped." if seen and seen[-1][0] == 2 and seen[-1][1].state is State.LIFT else None
    results = run_episodes(
        *rig, tmp_path / "run", RunConfig(episodes=5), on_event=lambda n, event: seen.append((n, event))
    )
    assert [r.outcome for r in results] == ["success", "fault"]
    assert arm.stops == 1
    with Session(tmp_path / "run") as session:
        rows = list(session.db.query("SELECT outcome, reason FROM episodes ORDER BY id"))
        assert [r["outcome"] for r in rows] == ["success", "fault"]
        assert rows[1]["reason"] == "It stopped."
        assert len(session) == 6


def test_a_disk_that_refuses_stops_the_arm(rig, tmp_path, monkeypatch):
    from wildgrasp.sessions.writer import SessionWriter

    def full(self, frame):
        raise SessionError("The disk is full.")

    monkeypatch.setattr(SessionWriter, "add_frame", full)
    results = run_episodes(*rig, tmp_path / "run", RunConfig(episodes=3))
    assert [(r.outcome, r.reason) for r in results] == [("fault", "The disk is full.")]
    assert rig[0].stops == 1


@pytest.mark.parametrize("room", [14, 20, 40])
def test_a_full_disk_at_any_moment_leaves_the_arm_still_and_the_log_readable(rig, tmp_path, monkeypatch, room):
    """Nothing at all can be written any more, not even how the episode ended."""
    from wildgrasp.sessions.blobs import BlobWriter

    append, written = BlobWriter.append, []

    def until_full(self, *args):
        if len(written) >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(args)
        return append(self, *args)

    monkeypatch.setattr(BlobWriter, "append", until_full)
    with pytest.raises(SessionError, match="No space left"):
        run_episodes(*rig, tmp_path / "run", RunConfig(episodes=3, keep_views=False))
    assert not rig[0].state().moving
    monkeypatch.undo()
    report = repair_session(tmp_path / "run")
    assert (report.lost_frames, report.damaged_bytes) == (0, 0)
    with Session(tmp_path / "run") as session:
        assert session.db["transitions"].count > 0
        assert all(session.frame(i).depth_raw.any() for i in range(len(session)))


def _frozen(rig):
    rig[2].frozen = True


def _black(rig):
    rig[2].color_level = rig[2].depth_level = 0


def _silent(rig):
    rig[1].silent = True


def _slow(rig):
    rig[3].decision = lambda T, n: (
        rig[0].clock.sleep_until_ns(rig[0].clock.now_ns() + 9_000_000_000) or Decision("move", T)
    )


def _not_a_number(rig):
    rig[3].decision = lambda T, n: Decision("move", np.full((4, 4), np.nan))


def _stopped(rig):
    rig[0].fails_at = lambda arm: "The arm is in a protective stop."


@pytest.mark.parametrize("fail", [_frozen, _black, _silent, _slow, _not_a_number, _stopped])
def test_after_every_fault_the_arm_is_still_and_the_log_is_whole(rig, tmp_path, fail):
    def after_the_second_look(number, event):
        if number == 1 and event.state is State.MOVE:
            fail(rig)

    (result,) = run_episodes(*rig, tmp_path / "run", RunConfig(episodes=1), on_event=after_the_second_look)
    assert result.outcome in ("fault", "refused")
    assert result.reason
    assert not rig[0].state().moving
    assert check_session(tmp_path / "run", deep=True).status is Status.GOOD
    with Session(tmp_path / "run") as session:
        (row,) = session.db.query("SELECT outcome, reason FROM episodes")
        assert (row["outcome"], row["reason"]) == (result.outcome, result.reason)
        last = next(iter(session.db.query("SELECT state, reason FROM transitions ORDER BY id DESC LIMIT 1")))
        assert last["state"] == "end"
        assert result.reason in last["reason"]


def test_ctrl_c_brings_the_arm_to_rest_and_closes_the_session(rig, tmp_path):
    def interrupt(number, event):
        if event.state is State.MOVE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_episodes(*rig, tmp_path / "run", RunConfig(episodes=3), on_event=interrupt)
    assert rig[0].stops == 1
    assert check_session(tmp_path / "run", deep=True).status is Status.GOOD


def test_an_existing_session_is_never_overwritten(rig, tmp_path):
    run_episodes(*rig, tmp_path / "run", RunConfig(episodes=1))
    with pytest.raises(SessionError, match="exists"):
        run_episodes(*rig, tmp_path / "run", RunConfig(episodes=1))


def test_a_dry_run_decides_and_moves_nothing(rig):
    arm, gripper, camera, policy = rig
    dry = dry_run(arm, gripper, camera, policy, EpisodeConfig())
    assert (dry.decision.kind, dry.start.kind, dry.move.kind, dry.lift.kind) == ("move", "allow", "allow", "allow")
    assert dry.lift.T_base_fingertip[2, 3] - dry.move.T_base_fingertip[2, 3] == pytest.approx(0.1)
    assert arm.commands == []
    assert gripper.commands == []
    np.testing.assert_array_equal(arm.q, START)


def test_hand_eye_calibrations_are_read_back_and_nonsense_is_refused(tmp_path):
    T = pose(t=np.array([0.0, 0.07, 0.0]))
    save_calibration(tmp_path / "good.json", Calibration("T_tool_camera", T))
    np.testing.assert_allclose(load_hand_eye(tmp_path / "good.json"), T)
    for name, text in {
        "empty": "",
        "list": "[1]",
        "short": '{"T_tool_camera": [1, 2]}',
        "nan": '{"T_tool_camera": null}',
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(RobotError, match="hand–eye"):
            load_hand_eye(tmp_path / name)
    with pytest.raises(RobotError, match="hand–eye"):
        load_hand_eye(tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "No UR controller answers at 127.0.0.251:30004"),
        (["--hand-eye", "missing.json"], "missing.json holds no calibration T_tool_camera (No such file"),
        (["--keep-out", "missing.json"], "The keep-out boxes in missing.json cannot be read"),
    ],
)
def test_the_verb_names_what_is_not_there(tmp_path, capsys, options, words):
    out = tmp_path / "run"
    assert main(["run", "--policy", "straight-down", "--out", str(out), "--host", "127.0.0.251", *options]) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_the_session_knows_its_camera(rig, tmp_path):
    run_episodes(*rig, tmp_path / "run", RunConfig(episodes=1))
    with Session(tmp_path / "run") as session:
        assert session.camera_info == INFO
