"""On a real X screen: the app's window fills it, and a recording runs."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SIZE = (600, 1024)


@pytest.fixture
def screen(tmp_path):
    """(Display, file with its pixels) of an X server of the device's size, without a window manager."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", f"{SIZE[1]}x{SIZE[0]}x24", "-fbdir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        number = server.stdout.readline().decode().strip()
        yield f":{number}", tmp_path / "Xvfb_screen0"
        server.terminate()


def pixels(dump: Path) -> np.ndarray:
    """[H, W, 3] of an X window dump (XWD: a header of big-endian 32-bit numbers, a palette, rows)."""
    content = dump.read_bytes()
    header = struct.unpack(">20I", content[:80])
    start, rows = header[0] + 12 * header[19], header[5]
    image = np.frombuffer(content, np.uint8, rows * header[12], start).reshape(rows, -1, 4)
    return image[..., 2::-1]


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no Xvfb here")
def test_the_window_fills_a_real_screen_while_it_records(tmp_path, screen):
    display, dump = screen
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    command = [sys.executable, str(HERE / "desk_app.py"), str(tmp_path), "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as app:
        try:
            assert app.stdout.readline().strip() == b"recorded"
            picture = pixels(dump)
        finally:
            app.kill()
    assert picture.shape[:2] == SIZE
    camera, panel = picture[:400, :600], picture[:, 800:]
    assert camera.std() > 20  # the live picture
    assert (panel.reshape(-1, 3) == panel[0, -1]).all(axis=1).mean() > 0.3  # the calm background beside it
    assert (picture.max(axis=2) > 0).mean() > 0.9  # nothing of the bare screen
