"""Calibrations on disk: what is written is read, and what is none, or of no use, is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from wildgrasp.calibration import Calibration, load_calibration, save_calibration
from wildgrasp.errors import CalibrationError
from wildgrasp.geometry import pose, so3_exp

T = pose(so3_exp(np.array([0.1, -0.2, 0.3])), np.array([0.01, -0.02, 0.25]))


def test_a_calibration_is_read_back(tmp_path):
    made = Calibration("T_tool_camera", T, "poor", 1.2, 0.4, "2026-01-01T00:00:00+00:00", ("few views",), {"board": {}})
    save_calibration(tmp_path / "a" / "c.json", made)
    found = load_calibration(tmp_path / "a" / "c.json", "T_tool_camera")
    np.testing.assert_allclose(found.T, T, atol=1e-12)
    assert (found.verdict, found.sigma_mm, found.made, found.reasons) == ("poor", 1.2, made.made, ("few views",))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["c.json"]


def test_the_pose_alone_is_enough(tmp_path):
    (tmp_path / "c.json").write_text('{"T_camera_fingertip": [0, 0, 0.25, 0, 0, 0, 1]}')
    assert load_calibration(tmp_path / "c.json", "T_camera_fingertip").verdict == "unknown"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no calibration"),
        ("[1]", "no calibration"),
        ('{"T_camera_fingertip": [0, 0, 0, 0, 0, 0, 1]}', "no calibration"),  # of the other kind
        ('{"T_tool_camera": [1, 2]}', "seven numbers"),
        ('{"T_tool_camera": [0, 0, 0, 0, 0, 0, 0]}', "seven numbers"),
        ('{"T_tool_camera": [NaN, 0, 0, 0, 0, 0, 1]}', "seven numbers"),
        ('{"T_tool_camera": [0, 0, 0, 0, 0, 0, 1], "version": 2}', "another version"),
        ('{"T_tool_camera": [0, 0, 0, 0, 0, 0, 1], "verdict": "unusable"}', "unusable"),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path, text, told):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CalibrationError, match=told):
        load_calibration(tmp_path / "c.json", "T_tool_camera")


def test_a_disk_that_refuses_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationError, match="could not be written"):
        save_calibration(tmp_path / "file" / "c.json", Calibration("T_tool_camera", T))
    with pytest.raises(CalibrationError, match="no calibration"):
        load_calibration(tmp_path / "missing.json", "T_tool_camera")


def test_the_file_names_its_format(tmp_path):
    save_calibration(tmp_path / "c.json", Calibration("T_camera_fingertip", T))
    told = json.loads((tmp_path / "c.json").read_text())
    assert (told["format"], told["version"]) == ("wildgrasp calibration", 1)
