"""Processing a session: what it writes, that it is done once, and that nothing is lost when it is not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from picked_session import write_pick

from processing import pipeline, session_steps
from processing.accuracy import compare
from processing.mask_step import read_masks
from processing.pictures import mask_overlay, trajectory_figure
from processing.pipeline import ProcessConfig, process_session
from wildgrasp.errors import SessionError
from wildgrasp.geometry import from_vector, inverse
from wildgrasp.sessions.session import Poses, Session
from wildgrasp.sessions.writer import SessionWriter

TABLES = ("attempts", "masks", "poses", "steps")
SMALL = replace(ProcessConfig(), masks=replace(ProcessConfig().masks, bridge_px=9, min_area_px=60, reach_px=30))


def contents(path: Path) -> dict[str, list]:
    with Session(path) as session:
        return {t: [tuple(r.values()) for r in session.db.query(f"SELECT * FROM {t}")] for t in TABLES}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, pick):
    return write_pick(tmp_path_factory.mktemp("sessions") / "recorded", pick)


@pytest.fixture(scope="module")
def processed(recorded, tmp_path_factory):
    path = tmp_path_factory.mktemp("processed") / "pick"
    shutil.copytree(recorded, path)
    return path, process_session(path, SMALL)


@pytest.fixture
def fresh(recorded, tmp_path):
    return Path(shutil.copytree(recorded, tmp_path / "fresh"))


def test_the_report_says_what_was_found(processed):
    path, report = processed
    assert report.attempts == {"held": 1}
    assert report.tracking == "ok"
    assert report.lost_frames == 0
    assert (report.verdict, report.reasons) == ("good", ())
    assert set(report.seconds) == set(pipeline.STEP_NAMES)
    assert Path(report.report) == path / "report.html"
    assert pipeline.ProcessReport.from_json(json.loads(json.dumps(report.as_json()))) == report


def test_all_frames_have_a_pose_and_it_is_right(processed, pick):
    with Session(processed[0]) as session:
        poses = session.poses("tracking")
    np.testing.assert_array_equal(poses.frame_ids, np.arange(len(pick.clip.frames)))
    assert compare(poses.T_world_camera, pick.clip.T_world_camera).ate_mm < 1.0


def test_the_attempt_has_every_column_and_the_right_grasp(processed, pick):
    with Session(processed[0]) as session:
        row = next(iter(session.db.query("SELECT * FROM attempts")))
    assert all(value is not None for value in row.values())
    assert abs(row["frame_grasp"] - pick.frame_grasp) <= 1
    assert row["frame_release"] == pick.frame_release
    grasp = from_vector(np.array([row[c] for c in session_steps.GRASP_COLUMNS]))
    truth = inverse(pick.clip.T_world_camera[0]) @ pick.T_world_fingertip[pick.frame_grasp]
    assert np.linalg.norm(grasp[:3, 3] - truth[:3, 3]) < 0.002


def test_masks_are_found_and_readable(processed, pick):
    with Session(processed[0]) as session:
        gripper, objects = read_masks(session)
        rows = list(session.db.query("SELECT kind, attempt_id, frame_id FROM masks"))
    assert [r for r in rows if r["kind"] == "gripper"] == [{"kind": "gripper", "attempt_id": None, "frame_id": None}]
    assert np.sum(gripper & pick.clip.in_camera[0]) > 0.95 * pick.clip.in_camera[0].sum()
    at_grasp = {f: m for f, m in objects[1].items() if f >= pick.frame_grasp}
    assert len(at_grasp) == 1
    for frame, mask in at_grasp.items():
        truth = pick.object_masks[frame]
        assert np.sum(mask & truth) / np.sum(mask | truth) > 0.88
    assert any(f < pick.frame_press for f in objects[1])  # and carried back into the approach


def test_the_page_shows_it(processed):
    page = (processed[0] / "report.html").read_text()
    assert "held for" in page
    assert page.count("data:image/jpeg") == 4
    assert page.count("data:image/png") == 2
    thumbnail = cv2.imread(str(processed[0] / "thumbnail.jpg"))
    assert thumbnail.shape == (144, 192, 3)
    assert not list(processed[0].glob(".*.part"))


def test_pictures_for_other_pages(processed, pick):
    with Session(processed[0]) as session:
        assert trajectory_figure(session).startswith(b"\x89PNG")
    color = pick.clip.frames[0].color
    shown = mask_overlay(color, pick.clip.in_camera[0], None)
    assert shown.shape == color.shape
    changed = np.any(shown != color, axis=-1)
    assert changed[pick.clip.in_camera[0]].mean() > 0.95
    np.testing.assert_array_equal(mask_overlay(color, None, np.zeros(color.shape[:2], bool)), color)


def test_a_second_run_does_nothing(processed):
    path, _ = processed
    before = contents(path), (path / "blobs" / "derived.wgb").stat().st_size
    again = process_session(path, SMALL)
    assert again.seconds == {}
    assert again.attempts == {"held": 1}
    assert (contents(path), (path / "blobs" / "derived.wgb").stat().st_size) == before


def test_what_the_pictures_call_a_drop_is_a_hold_again_when_they_are_no_longer_asked(processed, tmp_path, monkeypatch):
    path = shutil.copytree(processed[0], tmp_path / "copy")
    monkeypatch.setattr(session_steps, "fell_at_release", lambda *_: True)
    asked = replace(SMALL, masks=replace(SMALL.masks, fallen_share=0.3))
    assert process_session(path, asked).attempts == {"dropped": 1}
    assert process_session(path, SMALL).attempts == {"held": 1}


def needed_by(changed: str) -> list[str]:
    """The step and everything that needs it, directly or through others, in order."""
    stale = {changed}
    for step in pipeline.pipeline_steps(ProcessConfig()):
        if stale & set(step.needs):
            stale.add(step.name)
    return [name for name in pipeline.STEP_NAMES if name in stale]


@pytest.mark.parametrize("changed", pipeline.STEP_NAMES)
def test_a_changed_step_re_runs_it_and_what_depends_on_it_and_nothing_else(fresh, monkeypatch, changed):
    fake_steps(monkeypatch)
    assert list(process_session(fresh).seconds) == list(pipeline.STEP_NAMES)
    assert list(process_session(fresh).seconds) == []
    real = pipeline.pipeline_steps

    def newer(config):
        return [replace(s, version="newer") if s.name == changed else s for s in real(config)]

    monkeypatch.setattr(pipeline, "pipeline_steps", newer)
    assert list(process_session(fresh).seconds) == needed_by(changed)
    assert list(process_session(fresh).seconds) == []


def test_another_configuration_re_runs_what_it_is_a_part_of(fresh, monkeypatch):
    fake_steps(monkeypatch)
    process_session(fresh)
    default = ProcessConfig()
    for part, config, first in (
        ("attempts", replace(default.attempts, tap_s=0.01), "attempts"),
        ("masks", replace(default.masks, min_area_px=7), "masks"),
        ("tracker", replace(default.tracker, seed=1), "masks"),
        ("ignore", replace(default.ignore, margin_px=1), "masks"),
    ):
        assert list(process_session(fresh, replace(default, **{part: config})).seconds) == needed_by(first)
        process_session(fresh)


def test_a_session_with_more_in_it_than_before_is_processed_again(fresh, monkeypatch):
    """A repaired recording, for one: the frames are others, so nothing of before counts."""
    fake_steps(monkeypatch)
    process_session(fresh)
    with Session(fresh) as session, session.edit() as edit:
        edit.execute("INSERT INTO events (t_ns, kind, uncertainty_ns, detail) VALUES (5, 'mark', 0, '')")
    assert list(process_session(fresh).seconds) == list(pipeline.STEP_NAMES)


def test_an_interrupted_step_leaves_the_session_as_it_was(fresh, monkeypatch):
    """Ctrl-C in the middle of tracking: earlier steps stay done, nothing of this one is there; then it goes on."""

    def interrupt(*_):
        raise KeyboardInterrupt

    ran = fake_steps(monkeypatch)
    monkeypatch.setattr(pipeline, "track_session", interrupt)
    with pytest.raises(KeyboardInterrupt):
        process_session(fresh)
    found = contents(fresh)
    assert found["poses"] == []
    assert [r[0] for r in found["steps"]] == ["attempts", "masks"]
    ran.clear()
    fake_steps(monkeypatch, ran)
    process_session(fresh)
    assert ran == ["tracking", "grasps"]


def test_a_step_that_fails_while_writing_leaves_the_session_as_it_was(fresh, monkeypatch):
    process_session(fresh, _quick(monkeypatch))
    before = contents(fresh)

    def half_way(session, attempts, config, on_fraction):
        def write(edit):
            edit.execute("DELETE FROM attempts")
            raise RuntimeError("power")

        return session_steps.Found(write)

    monkeypatch.setattr(pipeline, "find_grasps", half_way)
    with Session(fresh) as session, session.edit() as edit:
        edit.execute("DELETE FROM steps WHERE name = 'grasps'")
    with pytest.raises(RuntimeError, match="power"):
        process_session(fresh)
    after = contents(fresh)
    assert after["attempts"] == before["attempts"]


def test_a_session_without_a_gripper_is_one_clip(tmp_path, clip):
    with SessionWriter(tmp_path / "s", clip.info) as writer:
        for i, frame in enumerate(clip.frames[:20]):
            writer.add_frame(frame)
            writer.add_pose("recorded", i, clip.T_world_camera[i])
    report = process_session(tmp_path / "s")
    assert report.attempts == {}
    assert report.accuracy.ate_mm < 1.0
    assert report.accuracy.frames == 20
    assert contents(tmp_path / "s")["masks"] == []
    assert "one clip" in (tmp_path / "s" / "report.html").read_text()


def test_a_session_without_frames_is_refused(tmp_path, clip):
    SessionWriter(tmp_path / "s", clip.info).close()
    with pytest.raises(SessionError, match="no frames"):
        process_session(tmp_path / "s")


def test_progress_only_grows(fresh, monkeypatch):
    fake_steps(monkeypatch)
    told = []
    process_session(fresh, on_progress=lambda step, fraction: told.append((pipeline.STEP_NAMES.index(step), fraction)))
    assert told == sorted(told)
    assert told[-1] == (len(pipeline.STEP_NAMES) - 1, 1.0)


REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "rgbd_7scenes"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real recording is not here")
def test_a_real_recording(tmp_path):
    """Its ground truth is good to about 3 cm, so no more is asked; every frame must be measured."""
    from wildgrasp.importers.seven_scenes import import_7scenes

    few = tmp_path / "few"
    few.mkdir()
    for file in REAL.glob("frame-0000[0-5]*"):
        (few / file.name).symlink_to(file)
    report = process_session(import_7scenes(few, tmp_path / "s"))
    assert report.lost_frames == 0
    assert report.accuracy.ate_mm < 30


def fake_steps(monkeypatch, ran: list[str] | None = None) -> list[str]:
    """Steps that find next to nothing, fast, and tell that they ran."""
    ran = [] if ran is None else ran

    def masks(session, attempts, config, on_fraction):
        ran.append("masks")
        return session_steps.Found(lambda edit: None, {"gripper": "", "objects": []})

    def tracking(session, attempts, config, on_fraction):
        ran.append("tracking")
        n = len(session)
        poses = Poses(np.arange(n), np.tile(np.eye(4), (n, 1, 1)), ["ok"] * n, np.zeros(n))
        report = {"verdict": "ok", "lost_frames": 0, "keyframes": 1, "sigma_mm_median": 0.1, "accuracy": None}
        return session_steps.Found(lambda edit: edit.set_poses("tracking", poses), report)

    def grasps(session, attempts, config, on_fraction):
        ran.append("grasps")
        return real_grasps(session, attempts, config, on_fraction)

    real_grasps = session_steps.find_grasps
    monkeypatch.setattr(pipeline, "find_session_masks", masks)
    monkeypatch.setattr(pipeline, "track_session", tracking)
    monkeypatch.setattr(pipeline, "find_grasps", grasps)
    return ran


def _quick(monkeypatch) -> ProcessConfig:
    fake_steps(monkeypatch)
    return ProcessConfig()
