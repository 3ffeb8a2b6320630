"""The core's own tests (C++, sanitizers), fuzzers, budget and static check, through the Makefile that people use."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"


def make(*arguments: str, path: str | None = None) -> tuple[int, str]:
    """Exit code and what was said."""
    environment = os.environ | ({"PATH": path} if path is not None else {})
    command = [shutil.which("make") or "make", "-C", str(FIRMWARE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


def test_core_on_this_computer() -> None:
    code, said = make("test")
    assert code == 0 and "SUCCESS" in said, said


@pytest.mark.parametrize("name", ["frames", "servo_answers", "device"])
def test_any_bytes_are_survived(name: str) -> None:
    code, said = make(f"fuzz-{name}")
    assert code == 0 and "no fault" in said, said


def test_every_fuzzer_starts_from_seeds() -> None:
    fuzzers = {path.stem for path in (FIRMWARE / "fuzz").glob("*.cpp")}
    assert fuzzers == {path.name for path in (FIRMWARE / "fuzz" / "corpus").iterdir()}
    assert all(any((FIRMWARE / "fuzz" / "corpus" / name).iterdir()) for name in fuzzers)


def test_a_missing_compiler_of_fuzzers_is_told_and_not_skipped(tmp_path: Path) -> None:
    for tool in ("sh", "cat", "sha256sum", "cut", "rm", "mkdir", "touch", "sed", "grep"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    code, said = make("fuzz", f"BUILD={tmp_path}/build", path=str(tmp_path))
    assert code != 0 and "apt install clang" in said


def test_firmware_passes_cppcheck() -> None:
    code, said = make("cppcheck")
    assert code == 0, said


def test_firmware_fits_half_the_chip_and_more_would_fail_the_build() -> None:
    code, said = make("all")
    assert code == 0, said
    for line in (FIRMWARE / "build" / "size.txt").read_text().splitlines():
        used, available = (int(word) for word in line.split() if word.isdigit())
        assert used <= available / 2
    # The same rule with a budget that is too small.
    code, said = make("-W", "build/firmware.elf", "BUDGET_PERCENT=1", "build/size.txt")
    assert code != 0 and "over the budget" in said
    assert make("all")[0] == 0


def test_flashing_asks_for_the_port() -> None:
    code, said = make("flash")
    assert code != 0 and "PORT=/dev/ttyACM0" in said
