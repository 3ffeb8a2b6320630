"""The queue: what waits, across processes, moves and cuts."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import threading

import pytest

from wildgrasp.errors import SessionError, UserError
from wildgrasp.sessions.writer import SessionWriter
from wildgrasp.upload.errors import QueueBusyError, SessionRefusedError, UploadError
from wildgrasp.upload.queue import UPLOADING, UploadQueue


def test_a_session_waits_once_and_can_be_taken_out(queue, make_session):
    session = make_session()
    for _ in range(2):
        item = queue.add(session)
    assert queue.items() == [item]
    assert (item.session, item.state, item.bytes_sent, item.problem) == (session.resolve(), "waiting", 0, "")
    assert item.bytes_total == sum(path.stat().st_size for path in session.rglob("*") if path.is_file())
    queue.remove(session)
    assert queue.items() == []
    queue.remove(session)
    assert session.is_dir()


def test_the_order_is_that_of_adding_and_a_cut_one_comes_first(queue, make_session):
    first, second, third = (queue.add(make_session(name)).session for name in ("b", "a", "c"))
    assert [item.session for item in queue.items()] == [first, second, third]
    queue.set_state(second, UPLOADING)
    claimed = [queue.claim_next().session]
    queue.set_state(second, "uploaded")
    claimed.append(queue.claim_next().session)
    assert claimed == [second, first]


def test_the_queue_moves_with_its_folder(queue, make_session, tmp_path):
    queue.add(make_session())
    moved = (tmp_path / "recordings").rename(tmp_path / "elsewhere")
    assert [item.session for item in UploadQueue(moved / queue.path.name).items()] == [(moved / "s1").resolve()]


def test_a_session_that_is_being_recorded_is_refused(queue, tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "recordings" / "open", camera_info) as out:
        out.add_frame(make_frame(0))
        with pytest.raises(SessionError, match="being recorded right now"):
            queue.add(out.path)
    assert queue.items() == []
    queue.add(out.path)


def test_a_session_that_was_cut_off_is_to_be_repaired_first(queue, make_session):
    session = make_session()
    with sqlite3.connect(session / "index.sqlite") as db:
        db.execute("DELETE FROM meta WHERE key = 'closed'")
    with pytest.raises(SessionRefusedError, match="repair"):
        queue.add(session)


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_what_is_no_session_is_refused(queue, tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=name):
        queue.add(tmp_path / name)


def test_damaged_sessions_stay_here_and_say_why(queue, make_session, make_uploader, on_server, device):
    repairable, broken, good = (make_session(name) for name in ("repairable", "broken", "good"))
    for session in (repairable, broken, good):
        queue.add(session)
    blob = repairable / "blobs" / "000000.wgb"
    blob.write_bytes(blob.read_bytes()[:-20])
    (broken / "blobs" / "000000.wgb").write_bytes(b"")
    make_uploader().run(threading.Event())
    first, second, third = queue.items()
    assert first.state == second.state == "failed"
    assert "wildgrasp repair" in first.problem
    assert "stays here" in second.problem
    assert third.state == "uploaded"
    assert all("/good" in name for name in on_server(device.device))


def test_a_session_that_went_away_fails_and_the_next_follows(queue, make_session, make_uploader):
    for name in ("gone", "there"):
        queue.add(make_session(name))
    shutil.rmtree(queue.items()[0].session)
    make_uploader().run(threading.Event())
    assert [item.state for item in queue.items()] == ["failed", "uploaded"]


def _hold(path, held, done):
    with UploadQueue(path).locked():
        held.set()
        done.wait()


def test_two_processes_cannot_upload_one_queue(queue, make_session, make_uploader):
    queue.add(make_session())
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(queue.path, held, done))
    other.start()
    assert held.wait(60)
    with pytest.raises(QueueBusyError, match="already"):
        make_uploader().run(threading.Event())
    queue.set_state(queue.items()[0].session, UPLOADING)
    with pytest.raises(QueueBusyError):
        queue.remove(queue.items()[0].session)
    other.kill()  # the right to upload goes back when a process dies
    other.join()
    make_uploader().run(threading.Event())
    assert queue.items()[0].state == "uploaded"


def test_pausing_is_remembered(queue):
    queue.pause()
    assert UploadQueue(queue.path).paused
    queue.resume()
    assert not UploadQueue(queue.path).paused


def test_an_upload_to_another_place_begins_anew(queue, make_session, make_uploader, make_device, on_server):
    """What one server has says nothing about another."""
    session = make_session()
    queue.add(session)
    stop = threading.Event()
    make_uploader().run(stop, lambda _: queue.item(session).bytes_sent > 0 and stop.set())
    assert queue.item(session).bytes_sent > 0
    other = make_device()
    make_uploader(other).run(threading.Event())
    assert len(on_server(f"{other.device}/s1/")) == 2


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to look at", b"SQLite format 3\0" + b"\xff" * 500]
)
def test_a_damaged_queue_is_told(tmp_path, content):
    (tmp_path / "q").write_bytes(content)
    with pytest.raises(UploadError, match="cannot be used"):
        UploadQueue(tmp_path / "q")


def test_a_newer_queue_is_told(queue):
    with sqlite3.connect(queue.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UploadError, match="newer"):
        UploadQueue(queue.path)


def test_a_queue_needs_its_folder(tmp_path):
    with pytest.raises(UploadError, match="no folder"):
        UploadQueue(tmp_path / "missing" / "q")
