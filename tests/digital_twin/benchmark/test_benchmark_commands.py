"""The verb `wildgrasp evaluate`, as one types it."""

import json

import pytest

from digital_twin.benchmark import workers
from digital_twin.benchmark.results import EpisodeRow
from wildgrasp import cli


@pytest.fixture
def quick_trials(monkeypatch):
    sessions = []

    def run_trial(trial, make_policy, session):
        sessions.append(session)
        success = trial.number != 1
        reason = "" if success else "missed"
        return [EpisodeRow(trial.seed, trial.number, "mug", 5, "success", reason, success, success, 0.03, 5.0, 0.1)]

    monkeypatch.setattr(workers, "run_trial", run_trial)
    return sessions


def test_writes_the_documented_keys(tmp_path, quick_trials, capsys):
    out = tmp_path / "result.json"
    arguments = ["--scene", "bin", "--policy", "straight-down", "--episodes", "4", "--seed", "7", "--workers", "1"]
    assert cli.main(["evaluate", *arguments, "--json", str(out)]) == 0
    result = json.loads(out.read_text())
    assert (result["attempts"], result["successes"], result["rate"]) == (4, 3, 0.75)
    assert result["wilson_low"] < 0.75 < result["wilson_high"]
    assert [row["seed"] for row in result["episodes"]] == [7] * 4
    assert "missed" in capsys.readouterr().out


def test_each_scene_is_saved_under_its_number(tmp_path, quick_trials):
    assert cli.main(["evaluate", "--episodes", "2", "--workers", "1", "--save", str(tmp_path / "runs")]) == 0
    assert quick_trials == [tmp_path / "runs" / "episode-0000", tmp_path / "runs" / "episode-0001"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--policy", "no-such-policy"], "no-such-policy"),
        (["--objects", "/no/such/folder"], "/no/such/folder"),
        (["--ray", "127.0.0.1:1"], "cannot be joined"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, says, capsys):
    assert cli.main(["evaluate", "--episodes", "1", "--workers", "1", *arguments]) == 2
    assert says in capsys.readouterr().err
