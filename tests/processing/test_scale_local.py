"""Many sessions on one machine: order, second chances, poison, killed processes, one page over all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_sessions import cut_in_half, write_sessions

from processing.commands import process
from processing.pipeline import ProcessConfig
from processing.scale.local_pool import LocalPool
from processing.scale.pool import News
from processing.scale.scheduler import ATTEMPTS, process_all
from processing.scale.tasks import Task, do_task, find_tasks
from wildgrasp.errors import SessionError
from wildgrasp.sessions.session import Session


class ScriptedPool:
    """A pool whose tasks end as the script says: per task, one kind of news after another."""

    def __init__(self, size: int, script: dict[Task, list[str]]) -> None:
        self.size, self.script = size, script
        self.started: list[Task] = []
        self.running: list[Task] = []
        self.closed = False

    def free(self) -> int:
        return self.size - len(self.running)

    def start(self, task: Task) -> None:
        assert self.free() > 0
        self.started.append(task)
        self.running.append(task)

    def wait(self) -> list[News]:
        task = self.running.pop(0)
        return [News(task, self.script[task].pop(0), reason="why")]

    def close(self) -> None:
        self.closed = True


def tasks(**sizes: int) -> list[Task]:
    return [Task(f"in/{name}", f"in/{name}", size) for name, size in sizes.items()]


def test_the_longest_begin_first():
    a, b, c = tasks(a=1, b=3, c=2)
    pool = ScriptedPool(2, {t: ["done"] for t in (a, b, c)})
    assert {u.task: u.kind for u in process_all([a, b, c], pool)} == dict.fromkeys((a, b, c), "done")
    assert pool.started == [b, c, a]
    assert pool.closed


def test_what_died_is_tried_again_after_the_others_and_only_that():
    a, b, c = tasks(a=3, b=2, c=1)
    pool = ScriptedPool(1, {a: ["died", "done"], b: ["done"], c: ["done"]})
    assert [(u.task, u.kind) for u in process_all([a, b, c], pool)] == [
        (a, "again"),
        (b, "done"),
        (c, "done"),
        (a, "done"),
    ]


def test_poison_is_set_aside_with_its_reason_and_never_loops():
    a, b, c = tasks(a=3, b=2, c=1)
    pool = ScriptedPool(2, {a: ["died"] * 99, b: ["failed"], c: ["done"]})
    ended = {u.task: u for u in process_all([a, b, c], pool) if u.kind != "again"}
    assert (ended[a].kind, ended[b].kind, ended[c].kind) == ("set aside", "set aside", "done")
    assert f"tried {ATTEMPTS} times" in ended[a].reason
    assert pool.started.count(a) == ATTEMPTS
    assert pool.started.count(b) == 1  # what cannot be done is not tried again


def test_a_caller_who_stops_ends_what_runs():
    (a,) = tasks(a=1)
    pool = ScriptedPool(1, {a: ["died"] * 9})
    updates = process_all([a], pool)
    next(updates)
    updates.close()
    assert pool.closed


def test_a_killed_worker_costs_nobody_anything_but_time(tmp_path, clip):
    """SIGKILL in mid-session: that session is done again by another process, and no other one is."""
    write_sessions(tmp_path, clip, {"a": 14, "b": 12, "c": 10})
    pool = LocalPool(1, do_task, ProcessConfig(), tmp_path / "scratch")
    kinds: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for update in process_all(find_tasks([str(tmp_path)]), pool):
        if update.kind == "progress" and update.task.name == "b" and "again" not in kinds["b"]:
            os.kill(pool.process_of(update.task), signal.SIGKILL)
        elif update.kind != "progress":
            kinds[update.task.name].append(update.kind)
            assert "signal 9" in update.reason or update.kind == "done"
    assert kinds == {"a": ["done"], "b": ["again", "done"], "c": ["done"]}
    for name in kinds:
        with Session(tmp_path / name) as session:
            assert len(session.poses("tracking").frame_ids) == len(session)


def test_the_command_sets_poison_aside_does_the_rest_and_shows_all(tmp_path, clip, capsys):
    good, damaged = write_sessions(tmp_path / "in", clip, {"good": 6, "damaged": 6})
    cut_in_half(damaged)
    assert process([str(tmp_path / "in")], workers=2, json=tmp_path / "out.json") == 2
    found = json.loads((tmp_path / "out.json").read_text())
    assert [Path(s["path"]) for s in found["sessions"]] == [good]
    assert "damaged" in found["set_aside"][str(damaged)]
    with Session(damaged) as session:
        assert session.poses("tracking") is None
    assert "Set aside" in capsys.readouterr().out
    page = (tmp_path / "in" / "processed.html").read_text()
    assert 'href="good/report.html"' in page
    assert 'src="good/thumbnail.jpg"' in page
    assert "set aside" in page


def test_results_can_go_to_another_folder_and_the_recording_stays_as_it_was(tmp_path, clip):
    (path,) = write_sessions(tmp_path / "in", clip, {"a": 6})
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    for _ in range(2):
        assert process([str(path)], out=str(tmp_path / "out")) == 0
        assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
        with Session(tmp_path / "out" / "a") as session:
            assert session.poses("tracking") is not None
            assert session.frame(5).color.any()


def test_after_ctrl_c_no_process_is_left_and_the_same_command_goes_on(tmp_path, clip):
    write_sessions(tmp_path, clip, {"a": 30, "b": 30})
    command = [sys.executable, "-m", "wildgrasp.cli", "process", str(tmp_path), "--workers", "2"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    while not _steps(tmp_path / "a"):  # at work: ended by this test or by its own end
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended by itself: {running.wait(0.05)}")
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of them
    told, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"interrupted" in told
    assert _workers_of_group(running.pid) == []
    assert process([str(tmp_path)], workers=2) == 0


def _workers_of_group(group: int) -> list[str]:
    """Command lines of a process group's living processes (the standard library's tracker lives a moment longer; a
    process that is ending has none any more)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append((stat.parent / "cmdline").read_text())
    return [command for command in found if command and "resource_tracker" not in command]


def _steps(path: Path) -> int:
    with Session(path) as session:
        return session.db["steps"].count


def test_folders_of_sessions_are_searched(tmp_path, clip):
    a, b = write_sessions(tmp_path / "in", clip, {"a": 1, "b": 1})
    assert [t.source for t in find_tasks([str(tmp_path / "in"), str(a)])] == [str(a), str(b)]
    with pytest.raises(SessionError, match="no session in"):
        find_tasks([str(tmp_path)])


def test_two_sessions_of_one_name_do_not_overwrite_each_other(tmp_path, clip):
    write_sessions(tmp_path / "x", clip, {"a": 1})
    write_sessions(tmp_path / "y", clip, {"a": 1})
    with pytest.raises(SessionError, match="same name"):
        find_tasks([str(tmp_path / "x"), str(tmp_path / "y")], str(tmp_path / "out"))
