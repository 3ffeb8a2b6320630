"""Nothing is deleted here unless the server verified it, it is still the same, and a person agreed."""

from __future__ import annotations

import shutil
import threading

import pytest

from wildgrasp.errors import SessionError
from wildgrasp.sessions.layout import FolderLock
from wildgrasp.upload import retention
from wildgrasp.upload.errors import SessionChangedError, UploadError
from wildgrasp.upload.queue import FAILED, UPLOADED, UPLOADING, WAITING
from wildgrasp.upload.retention import deletable, delete_local


@pytest.fixture
def uploaded(queue, make_session, make_uploader):
    queue.add(make_session(extra_bytes=1000))
    make_uploader().run(threading.Event())
    return queue.items()[0]


def test_what_is_verified_and_agreed_goes_and_stays_in_the_queue(queue, uploaded, on_server, device):
    assert deletable(uploaded)
    delete_local(queue, uploaded, agreed=True)
    assert not uploaded.session.exists()
    assert [path.name for path in uploaded.session.parent.iterdir() if path.is_dir()] == []
    assert queue.items() == [uploaded]
    assert not deletable(uploaded)
    assert len(on_server(f"{device.device}/s1/")) == 3


def test_without_agreement_nothing_goes(queue, uploaded, local_hashes):
    before = local_hashes(uploaded.session)
    with pytest.raises(UploadError, match="nobody agreed"):
        delete_local(queue, uploaded, agreed=False)
    assert local_hashes(uploaded.session) == before


@pytest.mark.parametrize("state", [WAITING, UPLOADING, FAILED])
def test_only_verified_sessions_go_whatever_an_old_item_says(queue, uploaded, state):
    queue.set_state(uploaded.session, state)
    assert not deletable(queue.item(uploaded.session))
    with pytest.raises(UploadError, match="not verified"):
        delete_local(queue, uploaded, agreed=True)
    assert uploaded.session.is_dir()


def _add(session):
    (session / "new.bin").write_bytes(b"x")


def _change(session):
    data = bytearray((session / "extra.bin").read_bytes())
    data[0] ^= 1
    (session / "extra.bin").write_bytes(data)


def _remove(session):
    (session / "extra.bin").unlink()


def _link(session):
    (session / "link").symlink_to("/")


@pytest.mark.parametrize("change", [_add, _change, _remove, _link])
def test_a_session_with_something_that_the_server_lacks_stays(queue, uploaded, change):
    change(uploaded.session)
    with pytest.raises(UploadError, match=r"kept|no plain file"):
        delete_local(queue, uploaded, agreed=True)
    assert (uploaded.session / "index.sqlite").exists()


def test_a_session_added_again_after_changes_is_not_deleted_for_its_old_copy(queue, uploaded, make_uploader):
    queue.remove(uploaded.session)
    queue.add(uploaded.session)
    _change(uploaded.session)
    make_uploader().run(threading.Event())
    assert queue.item(uploaded.session).state == FAILED
    with pytest.raises(UploadError):
        delete_local(queue, uploaded, agreed=True)


def test_another_recording_under_an_old_name_is_not_taken_for_uploaded(queue, uploaded, make_session, make_uploader):
    delete_local(queue, uploaded, agreed=True)
    session = make_session(uploaded.session.name, frames=5)
    assert queue.add(session).state == WAITING
    make_uploader().run(threading.Event())
    assert queue.item(session).state == FAILED
    assert "Rename" in queue.item(session).problem


def test_what_processing_adds_is_no_reason_to_upload_again(queue, uploaded):
    (uploaded.session / "blobs" / "derived.wgb").write_bytes(b"x")
    assert queue.add(uploaded.session).state == UPLOADED


def test_a_session_in_use_stays(queue, uploaded):
    lock = FolderLock(uploaded.session)
    with pytest.raises(SessionError):
        delete_local(queue, uploaded, agreed=True)
    lock.release()
    assert uploaded.session.is_dir()


def test_a_power_cut_while_deleting_leaves_no_half_session_and_is_finished_later(queue, uploaded, monkeypatch):
    def cut(path):
        (path / "extra.bin").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(retention.shutil, "rmtree", cut)
    with pytest.raises(KeyboardInterrupt):
        delete_local(queue, uploaded, agreed=True)
    monkeypatch.undo()
    assert not uploaded.session.exists()
    assert deletable(uploaded)
    delete_local(queue, uploaded, agreed=True)
    assert [path for path in uploaded.session.parent.iterdir() if path.is_dir()] == []


def test_a_disk_that_refuses_is_told(queue, uploaded, monkeypatch):
    def refuse(path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(retention.shutil, "rmtree", refuse)
    with pytest.raises(UploadError, match="Read-only"):
        delete_local(queue, uploaded, agreed=True)


def test_a_folder_in_the_way_is_no_session_of_ours(queue, uploaded, tmp_path):
    """What was moved into the session's place meanwhile is compared like the session itself."""
    shutil.rmtree(uploaded.session)
    uploaded.session.mkdir()
    (uploaded.session / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(SessionChangedError):
        delete_local(queue, uploaded, agreed=True)
    assert (uploaded.session / "holiday.jpg").read_bytes() == b"dear"
    assert queue.item(uploaded.session).state == UPLOADED
