"""What of a session folder is sent: all of it, byte for byte, and nothing from outside it."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildgrasp.upload.contents import list_files, open_file, plan_file, read_part
from wildgrasp.upload.errors import DiskReadError, SessionChangedError, SessionRefusedError, UploadError
from wildgrasp.upload.manifest import composite_sha256, manifest_bytes

quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(data=st.binary(max_size=300), part_bytes=st.integers(1, 100))
def test_the_parts_of_a_file_are_the_file(tmp_path, data, part_bytes):
    (tmp_path / "f").write_bytes(data)
    read = []
    plan = plan_file(tmp_path, "f", part_bytes, read.append)
    assert plan.bytes == len(data) == sum(read)
    assert plan.sha256 == hashlib.sha256(data).digest()
    assert [part.number for part in plan.parts] == list(range(1, max(1, -(-len(data) // part_bytes)) + 1))
    assert all(part.bytes == part_bytes for part in plan.parts[:-1])
    assert b"".join(read_part(tmp_path, "f", part) for part in plan.parts) == data


def test_the_composite_checksum_is_the_checksum_of_the_parts_checksums(tmp_path):
    (tmp_path / "f").write_bytes(b"ab")
    plan = plan_file(tmp_path, "f", 1, lambda _: None)
    assert composite_sha256(plan.parts) == "5aAf7hTg7VxIcU8iGA8lrYNltT+XefedxKPX6Tlj+Uo=-2"


def test_the_recording_comes_first_and_the_index_last(make_session):
    session = make_session(extra_bytes=10)
    (session / "blobs" / "derived.wgb").write_bytes(b"x")
    (session / "before-repair-1").mkdir()
    (session / "before-repair-1" / "index.sqlite").write_bytes(b"x")
    names = [name for name, _ in list_files(session)]
    assert names[0] == "blobs/000000.wgb"
    assert names[-1] == "index.sqlite"
    assert set(names[1:-1]) == {"blobs/derived.wgb", "before-repair-1/index.sqlite", "extra.bin"}


def test_the_same_session_gives_the_same_manifest(make_session):
    session = make_session()
    plans = [plan_file(session, name, 100, lambda _: None) for name, _ in list_files(session)]
    assert manifest_bytes("d", "s", plans) == manifest_bytes("d", "s", list(plans))


def _link(folder, outside):
    (folder / "x").symlink_to(outside)


def _linked_folder(folder, outside):
    (folder / "x").symlink_to(outside.parent, target_is_directory=True)


def _pipe(folder, outside):
    os.mkfifo(folder / "x")


def _deep(folder, outside):
    deep = folder.joinpath(*["d"] * 12)
    deep.mkdir(parents=True)
    (deep / "x").touch()


@pytest.mark.parametrize("make", [_link, _linked_folder, _pipe, _deep])
def test_what_is_no_plain_file_is_refused_as_a_whole(make_session, queue, tmp_path, make):
    session = make_session()
    (tmp_path / "outside").write_text("secret")
    make(session, tmp_path / "outside")
    with pytest.raises(SessionRefusedError, match="no plain file"):
        queue.add(session)
    assert queue.items() == []


@pytest.mark.parametrize(
    "name", ["a\nb", "a\tb", "a\\b", "nul\x01", "a:b", "*", "x ", " x", "\udcff", "a" * 201, "‮gpj", "a?b", "<x>"]
)
def test_hostile_names_are_refused(make_session, queue, name):
    session = make_session()
    (session / name).write_text("x")
    with pytest.raises(SessionRefusedError, match="cannot be uploaded"):
        queue.add(session)


@pytest.mark.parametrize("name", ["..", "../up ", "a\nb"])
def test_hostile_names_of_sessions_too(make_session, name):
    with pytest.raises(UploadError):
        list_files(make_session().parent / name)


def test_a_session_in_use_is_refused(make_session, queue):
    session = make_session()
    (session / "index.sqlite-journal").touch()
    with pytest.raises(SessionRefusedError, match="being changed right now"):
        queue.add(session)


@pytest.mark.parametrize("where", ["s1/f", "s1/d/f"])
def test_no_link_on_the_way_to_a_file_is_followed(tmp_path, where):
    inside, outside = tmp_path / "s1", tmp_path / "outside"
    outside.mkdir()
    inside.mkdir()
    (outside / "f").write_text("secret")
    if where == "s1/f":
        (inside / "f").symlink_to(outside / "f")
    else:
        (inside / "d").symlink_to(outside, target_is_directory=True)
    with pytest.raises(UploadError), open_file(inside, where.removeprefix("s1/")):
        pass


def test_a_file_that_changed_or_went_is_told(make_session):
    session = make_session(extra_bytes=100)
    plan = plan_file(session, "extra.bin", 50, lambda _: None)
    data = bytearray((session / "extra.bin").read_bytes())
    data[60] ^= 1
    (session / "extra.bin").write_bytes(data)
    read_part(session, "extra.bin", plan.parts[0])
    with pytest.raises(SessionChangedError, match="has changed"):
        read_part(session, "extra.bin", plan.parts[1])
    (session / "extra.bin").unlink()
    with pytest.raises(SessionChangedError, match="not there any more"):
        read_part(session, "extra.bin", plan.parts[0])


def test_a_disk_that_does_not_give_the_data_back_is_told(make_session, monkeypatch):
    session = make_session(extra_bytes=100)
    real = os.open

    def broken(path, *args, **kwargs):
        if path == "extra.bin":
            raise OSError(5, "Input/output error")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(DiskReadError, match="Input/output error"):
        plan_file(session, "extra.bin", 50, lambda _: None)
