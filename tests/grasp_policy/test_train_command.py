"""`wildgrasp train`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from demonstration_factory import make_session

from grasp_policy.checkpoint import load_checkpoint
from wildgrasp.cli import main
from wildgrasp.sessions.session import Session

QUICK = [
    "--steps",
    "3",
    "--channels",
    "4",
    "--states-per-batch",
    "4",
    "--states.voxel-m",
    "0.01",
    "--states.beside",
    "0",
]


def test_from_sessions_to_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_session(tmp_path / "in" / "a", picks=(0,), frames=10)
    make_session(tmp_path / "in" / "b", picks=(1,), frames=10, seed=1)
    raw = make_session(tmp_path / "in" / "c", picks=(0,), frames=3)
    with Session(raw) as session, session.edit() as edit:
        edit.execute("DELETE FROM poses")
    out = tmp_path / "out" / "policy.safetensors"
    assert main(["train", str(tmp_path / "in"), "--out", str(out), *QUICK]) == 0
    card = load_checkpoint(out).card
    assert sorted(card["training_sessions"] + card["held_out_sessions"]) == ["a", "b"] and card["steps"] == 3
    assert sorted(p.name for p in out.parent.iterdir()) == [
        "policy.csv",
        "policy.data",
        "policy.png",
        "policy.safetensors",
    ]
    printed = " ".join(capsys.readouterr().out.split())
    assert "left out" in printed and "wildgrasp process" in printed and "held-out states" in printed


@pytest.mark.parametrize("what", ["nothing", "raw"])
def test_nothing_to_train_on_is_one_clear_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    if what == "raw":
        raw = make_session(tmp_path / "in" / "c", picks=(0,), frames=3)
        with Session(raw) as session, session.edit() as edit:
            edit.execute("DELETE FROM attempts")
    assert main(["train", str(tmp_path / "in"), "--out", str(tmp_path / "a.safetensors"), *QUICK]) == 2
    assert "session" in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists()
