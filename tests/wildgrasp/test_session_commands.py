"""The verbs check, repair and import, as a person calls them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from wildgrasp import cli
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter


@pytest.fixture
def session(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info) as out:
        for i in range(5):
            out.add_frame(make_frame(i))
    return tmp_path / "s"


def run(*args) -> int:
    return cli.main([str(arg) for arg in args])


def test_check_and_repair(session, capsys):
    assert run("check", session) == 0
    assert "good" in capsys.readouterr().out
    (session / "index.sqlite").unlink()
    assert run("check", session) == 3
    assert "repairable" in capsys.readouterr().out
    assert run("repair", session) == 0
    assert "5 frames are in the index now" in capsys.readouterr().out
    assert run("check", session, "--deep") == 0
    (session / "blobs" / "000000.wgb").write_bytes(b"")
    assert run("check", session) == 1
    assert "broken" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["check", "repair"])
def test_a_folder_that_is_not_there_is_one_sentence(tmp_path, capsys, verb):
    assert run(verb, tmp_path / "nowhere") == 2
    error = capsys.readouterr().err.strip()
    assert "nowhere" in error
    assert "\n" not in error


def test_check_of_any_folder_is_an_answer(tmp_path, capsys):
    assert run("check", tmp_path) == 1
    assert "Nothing of the recording" in capsys.readouterr().out


def test_import(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "seq-07"
    folder.mkdir()
    assert run("import", "7scenes", folder) == 2
    assert "holds no 7-Scenes recording" in capsys.readouterr().err
    cv2.imwrite(str(folder / "frame-000000.color.png"), np.full((480, 640, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "frame-000000.depth.png"), np.full((480, 640), 900, np.uint16))
    assert run("import", "7scenes", folder) == 0
    assert "good" in capsys.readouterr().out
    with Session(tmp_path / "sessions" / "seq-07") as imported:
        assert len(imported) == 1
    assert run("import", "7scenes", folder) == 2  # never overwritten
    assert "exists already" in capsys.readouterr().err
    assert run("import", "tum", folder, "--out", tmp_path / "t") == 2
    assert "rgb.txt" in capsys.readouterr().err
