"""What makes a bare computer a recording device: the script says what it would do, and the unit is one."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "install-stick.sh"
UNIT = "/etc/systemd/system/wildgrasp-capture.service"


def dry_run(*options: str) -> subprocess.CompletedProcess:
    return subprocess.run([SCRIPT, "--dry-run", *options], capture_output=True, text=True)


def unit_of(text: str) -> str:
    after = text.split(f"--- {UNIT}\n")[1]
    return after.split("\nsystemctl ")[0] + "\n"


def read(unit: str) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit)
    return parser


def test_the_unit_starts_the_app_at_boot_and_after_every_crash():
    unit = read(unit_of(dry_run().stdout))
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"  # never gives up
    assert "wildgrasp capture --kiosk --out /home/wildgrasp/sessions" in service["ExecStart"]
    assert int(service["TimeoutStopSec"]) >= 30  # a recording is closed before the end
    assert unit["Install"]["WantedBy"] == "graphical.target"
    assert "@" not in "".join(service.values())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_unit(tmp_path):
    """Its programs are not here, so those lines point to one that is."""
    text = unit_of(dry_run().stdout).replace("/usr/bin/cage -s -- /opt/wildgrasp/.venv/bin/wildgrasp", "/bin/true")
    unit = tmp_path / "wildgrasp-capture.service"
    unit.write_text(text)
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert [line for line in found.stderr.splitlines() if unit.name in line] == []


def test_study_and_target_are_put_in_place_and_only_its_owner_may_read_the_key(tmp_path):
    for name in ("study.toml", "upload.toml"):
        (tmp_path / name).write_text("")
    text = dry_run("--study", str(tmp_path / "study.toml"), "--target", str(tmp_path / "upload.toml")).stdout
    assert "--study /opt/wildgrasp/study.toml" in unit_of(text)
    assert any("-m 600" in line and line.endswith("/.config/wildgrasp/upload.toml") for line in text.splitlines())


def test_a_missing_file_or_a_wrong_option_changes_nothing():
    assert dry_run("--study", "/nowhere").returncode == 2
    assert dry_run("--fly").returncode == 2
