"""The main job, end to end, through the command line: live recording, processing, a grasp, the page."""

from __future__ import annotations

import json
import re

import pytest

from digital_twin.demonstrator.take import truth_path
from digital_twin.demonstrator.truth import load_truth
from wildgrasp import cli
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.session import Session


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """One demo with one pick and one grasp; the heuristic, so that the test does not hang on a checkpoint's skill."""
    out = tmp_path_factory.mktemp("demo")
    arguments = ["--out", str(out), "--picks", "1", "--episodes", "1", "--policy", "heuristic", "--seed", "7"]
    assert cli.main(["demo", *arguments, "--json", str(out / "demo.json")]) == 0
    return out


def test_what_was_recorded_is_whole(demo_folder):
    (run,) = (demo_folder / "runs").iterdir()
    for name in ("recording", "robot-run"):
        report = check_session(run / name, deep=True)
        assert report.status is Status.GOOD, report


def test_the_attempt_was_recovered_as_it_really_happened(demo_folder):
    (run,) = (demo_folder / "runs").iterdir()
    truth = load_truth(truth_path(run / "recording"))
    with Session(run / "recording") as session:
        attempts = list(session.db.query("SELECT outcome, t_press_ns FROM attempts"))
    assert [a["outcome"] for a in attempts] == list(truth["attempt_outcome"]) == ["held"]


def test_the_robot_run_is_a_session_with_decisions_and_arm_poses(demo_folder):
    (run,) = (demo_folder / "runs").iterdir()
    told = json.loads((demo_folder / "demo.json").read_text())
    (episode,) = told["episodes"]
    with Session(run / "robot-run") as session:
        assert len(session.poses("arm").frame_ids) == len(session) >= 1
        (row,) = session.db.query("SELECT outcome, steps FROM episodes")
        decisions = session.db.execute("SELECT COUNT(*) FROM decisions").fetchone()[0]
    assert (row["outcome"], row["steps"]) == (episode["outcome"], episode["steps"])
    assert decisions == episode["steps"]


def test_the_page_is_one_file_that_shows_every_part(demo_folder):
    page = (demo_folder / "report.html").read_text()
    for heading in ("A person records", "Processing recovers the grasp", "looks at its next moves", "The robot grasps"):
        assert heading in page
    assert len(re.findall(r"data:image/(png|jpeg);base64,", page)) >= 5
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "simulated" in page


def test_a_policy_that_cannot_be_read_is_said_before_anything_is_recorded(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path / "demo"), "--policy", "nowhere.safetensors"]) == 2
    assert "nowhere.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
