"""``wildgrasp upload`` as a person calls it: killed, interrupted, asked, refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.cutting_proxy import CuttingProxy
from wildgrasp import cli
from wildgrasp.upload.queue import QUEUE_NAME, UploadQueue
from wildgrasp.upload.target import save_target

BIG = 9 * 1024 * 1024  # two parts


def run(*args) -> int:
    return cli.main([str(arg) for arg in args])


@pytest.fixture
def target(tmp_path, device):
    save_target(tmp_path / "upload.toml", device)
    return tmp_path / "upload.toml"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_interrupted_upload_goes_on_where_it_was(
    make_session, tmp_path, device, lab, number, on_server, local_hashes
):
    session = make_session(extra_bytes=BIG)
    proxy = CuttingProxy(lab.port)
    save_target(tmp_path / "t.toml", replace(device, endpoint=f"http://127.0.0.1:{proxy.port}"))
    command = [sys.executable, "-m", "wildgrasp.cli", "upload", str(session), "--target", str(tmp_path / "t.toml")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    proxy.cut_at_byte(BIG - 200_000, lambda: os.kill(process.pid, number))
    _, err = process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else -number), err
    assert "Traceback" not in err
    queue = UploadQueue(session.parent / QUEUE_NAME)
    assert 8 * 1024 * 1024 <= queue.items()[0].bytes_sent < BIG
    sent = proxy.bytes_up
    again = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "uploaded" in again.stdout
    assert proxy.bytes_up - sent < BIG - 8 * 1024 * 1024 + 200_000  # the first part did not go again
    proxy.close()
    prefix = f"{device.device}/{session.name}/"
    assert on_server(prefix) == {prefix + name: value for name, value in local_hashes(session).items()}


def test_list_remove_and_the_exit_code(make_session, target, capsys):
    good, bad = make_session("good"), make_session("bad")
    recordings = ("--recordings", good.parent)
    (bad / "blobs" / "000000.wgb").write_bytes(b"")
    assert run("upload", good, bad, "--target", target) == 2
    assert run("upload", "--list", *recordings) == 0
    out = capsys.readouterr().out
    assert re.search(r"good\s+│\s+uploaded", out) and re.search(r"bad\s+│\s+failed", out)
    assert run("upload", bad, "--remove") == 0
    assert run("upload", "--target", target, *recordings) == 0
    assert "bad" not in capsys.readouterr().out
    assert bad.is_dir()


@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("n", False), ("", False), (None, False)])
def test_deleting_asks_and_takes_only_a_yes(make_session, target, monkeypatch, capsys, answer, gone):
    session = make_session()
    assert run("upload", session, "--target", target) == 0

    def asked(question: str) -> str:
        assert "[y/N]" in question
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", asked)
    assert run("upload", "--delete-uploaded", "--recordings", session.parent) == 0
    assert session.exists() is not gone
    assert "verified copies of" in capsys.readouterr().out
    assert run("upload", "--list", "--recordings", session.parent) == 0
    assert "uploaded" in capsys.readouterr().out


def test_errors_are_one_sentence(make_session, tmp_path, target, capsys):
    session = make_session()
    assert run("upload", session, "--target", tmp_path / "none.toml") == 2
    assert run("upload", tmp_path / "none", "--target", target) == 2
    assert run("upload", "--limit-mbps", "-1", "--recordings", session.parent) == 2
    target.chmod(0o644)
    assert run("upload", session, "--target", target) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 4
    assert "none.toml" in lines[0] and "chmod 600" in lines[3]
