"""A recorded evaluation is what a robot's run would have left: whole, playable, and a record of what was counted."""

import re
from dataclasses import replace

import numpy as np
import pytest

from digital_twin.benchmark.policies import policy_maker
from digital_twin.benchmark.trials import Trial, run_trial
from digital_twin.world.cell_piles import PileSettings
from wildgrasp import cli
from wildgrasp.cameras.playback import PlaybackCamera
from wildgrasp.errors import SessionError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.session import Session

TRIAL = Trial(3, pile=PileSettings(objects=(2, 3)))
POLICY = policy_maker("straight-down")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "episode-0000"
    (row,) = run_trial(TRIAL, POLICY, session=folder)
    return folder, row


def test_the_session_is_whole_and_holds_the_episode(recorded):
    folder, row = recorded
    assert check_session(folder, deep=True).status is Status.GOOD
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    with Session(folder) as session:
        assert session.meta["kind"] == "robot run"
        assert session.meta["simulated"] is True
        assert (session.meta["trial"]["seed"], session.meta["trial"]["scene"]) == (3, "tabletop")
        (episode,) = session.db.query("SELECT * FROM episodes")
        assert (episode["outcome"], episode["steps"], episode["success"]) == (row.outcome, row.steps, row.success)
        assert "in truth" in episode["detail"]
        assert session.poses("arm").frame_ids.tolist() == list(range(len(session)))
        assert len(list(session.db.query("SELECT * FROM decisions"))) == row.steps
        assert [event.kind for event in session.events()] == ["press", "release"]


def test_it_plays(recorded):
    folder, row = recorded
    camera = PlaybackCamera(folder)
    camera.open()
    frames = [camera.read() for _ in range(row.steps)]
    camera.close()
    assert all(np.diff([frame.t_host_ns for frame in frames]) > 0)
    assert np.abs(frames[0].color.astype(int) - frames[-1].color.astype(int)).mean() > 1  # it came nearer


def test_it_becomes_a_page_with_its_pictures(recorded, tmp_path, capsys):
    folder, row = recorded
    assert cli.main(["view", str(folder), "--out", str(tmp_path / "run.html")]) == 0
    page = (tmp_path / "run.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') >= min(row.steps, 8)
    assert "; simulated." in page and f"{row.steps} steps" in page and row.outcome in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert cli.main(["view", str(folder), "--out", str(tmp_path / "nowhere" / "run.html")]) == 2


def test_a_recording_changes_no_result_and_is_kept_when_it_is_there_already(recorded):
    folder, row = recorded
    index = (folder / "index.sqlite").read_bytes()
    unfinished = folder.with_name("episode-0000.unfinished")
    unfinished.mkdir()  # left by an interruption
    (again,) = run_trial(TRIAL, POLICY, session=folder)
    strip = {"wall_seconds": 0.0, "ms": {}}
    assert replace(again, **strip) == replace(row, **strip)
    assert not unfinished.exists()
    assert (folder / "index.sqlite").read_bytes() == index


def test_nothing_else_is_written_over(recorded, tmp_path):
    folder, _ = recorded
    with pytest.raises(SessionError, match="from something else"):
        run_trial(replace(TRIAL, seed=4), POLICY, session=folder)
    (tmp_path / "notes").mkdir()
    with pytest.raises(SessionError, match="not touched"):
        run_trial(TRIAL, POLICY, session=tmp_path / "notes")
