"""The core's own tests (C++, sanitizers), its budget and its static check, through the Makefile that people use."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"


def make(target: str) -> str:
    done = subprocess.run(["make", "-C", str(FIRMWARE), target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_core_on_this_computer() -> None:
    assert "SUCCESS" in make("test")


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="cppcheck is not installed")
def test_core_passes_cppcheck() -> None:
    make("cppcheck")


def test_firmware_fits_half_the_chip() -> None:
    make("all")
    sizes = {
        line.split()[0]: [int(word) for word in line.split() if word.isdigit()]
        for line in (FIRMWARE / "build" / "size.txt").read_text().splitlines()
    }
    for used, available in sizes.values():
        assert used <= available / 2
