"""The app is killed while it records; when it starts again, the recording is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from desk import assert_whole, record_frames

from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.session import Session

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FRAMES = 45


def run_app(tmp_path: Path, *arguments: str) -> subprocess.Popen:
    """The app in a process of its own, on the devices of the desk."""
    command = [sys.executable, str(HERE / "desk_app.py"), str(tmp_path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_killed_while_recording_it_starts_with_the_recording_repaired(tmp_path, open_app):
    process = run_app(tmp_path, str(FRAMES))
    try:
        assert process.stdout.readline().strip() == b"recorded"  # so many frames are on the disk
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    (path,) = [p for p in (tmp_path / "sessions").iterdir() if (p / "blobs").is_dir()]
    assert check_session(path).status is not Status.GOOD
    screen = open_app(tmp_path / "sessions")
    screen.wait_for("ready")
    assert_whole(path)
    assert screen.model.state.notice.kind == "rescued"
    screen.tap(screen.app.window.notice.close_button)
    screen.wait(lambda: screen.model.ready.state.to_review == 1)
    screen.tap(screen.view.review)
    screen.wait_for("review")
    screen.wait(lambda: screen.model.review.state.review is not None)
    assert screen.model.review.state.health[0] == "rescued"
    with Session(path) as session:
        assert len(session) >= FRAMES
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    assert [item.session for item in screen.model.services.queue.items()] == [path.resolve()]


def test_asked_to_end_it_closes_the_recording(tmp_path):
    """What systemd does at shutdown."""
    process = run_app(tmp_path, str(FRAMES))
    try:
        assert process.stdout.readline().strip() == b"recorded"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    (path,) = [p for p in (tmp_path / "sessions").iterdir() if (p / "blobs").is_dir()]
    assert_whole(path)
    with Session(path) as session:
        assert session.closed
        assert "cut_off" not in session.meta


def test_a_cut_that_a_power_cut_interrupted_is_finished_at_the_start(tmp_path, open_app, frames):
    path = record_frames(tmp_path / "sessions" / "2026-11-20T10-00-00", frames[:6])
    path.rename(path.with_name(f".{path.name}.cut-old"))
    new = record_frames(path.with_name(f".{path.name}.cut-new"), frames[:3])
    screen = open_app(tmp_path / "sessions")
    screen.wait_for("participant")
    assert not new.exists()
    with Session(path) as session:
        assert len(session) == 3
