"""Records survive whatever happens around them."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildgrasp.errors import SessionError
from wildgrasp.sessions.blobs import HEADER, MAGIC, MAX_PAYLOAD, BlobWriter, Damage, Kind, read_record, walk

payloads = st.lists(st.binary(max_size=200), min_size=1, max_size=8)


def write(path, contents: list[bytes]) -> list[int]:
    path.unlink(missing_ok=True)
    writer = BlobWriter(path)
    offsets = [writer.append(Kind.ARRAY, -i, content).offset for i, content in enumerate(contents)]
    writer.close()
    return offsets


@settings(max_examples=60, deadline=None, derandomize=True)
@given(payloads)
def test_records_come_back_by_offset_and_by_walking(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("blobs") / "a.wgb"
    offsets = write(path, contents)
    assert [read_record(path, offset).payload for offset in offsets] == contents
    walked = list(walk(path))
    assert [offset for offset, _ in walked] == offsets
    assert [(r.kind, r.t_ns, r.payload) for _, r in walked] == [(7, -i, c) for i, c in enumerate(contents)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(payloads, st.data())
def test_a_cut_loses_only_what_was_cut(tmp_path_factory, contents, data):
    path = tmp_path_factory.mktemp("blobs") / "a.wgb"
    offsets = write(path, contents)
    size = path.stat().st_size
    cut = data.draw(st.integers(0, size))
    path.write_bytes(path.read_bytes()[:cut])
    ends = [*offsets[1:], size]
    whole = [content for content, end in zip(contents, ends, strict=True) if end <= cut]
    assert [r.payload for _, r in walk(path) if not isinstance(r, Damage)] == whole
    damage = [r for _, r in walk(path) if isinstance(r, Damage)]
    torn = cut - max([0, *(end for end in ends if end <= cut)])
    assert [d.length for d in damage] == ([torn] if torn else [])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(payloads, st.data())
def test_a_flipped_bit_loses_only_its_own_record(tmp_path_factory, contents, data):
    path = tmp_path_factory.mktemp("blobs") / "a.wgb"
    offsets = write(path, contents)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if at in {offset + 5 + i for offset in offsets for i in range(3)}:
        return  # the header's three zero bytes mean nothing
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    hit = max(i for i, offset in enumerate(offsets) if offset <= at)
    kept = {offset for offset, r in walk(path) if not isinstance(r, Damage)}
    assert kept >= set(offsets) - {offsets[hit]}
    assert offsets[hit] not in kept
    with pytest.raises(SessionError, match="damaged"):
        read_record(path, offsets[hit])


def test_a_record_inside_a_payload_is_not_taken_for_one(tmp_path):
    inner = tmp_path / "inner.wgb"
    write(inner, [b"inside"])
    path = tmp_path / "a.wgb"
    write(path, [inner.read_bytes(), b"next"])
    assert [r.payload for _, r in walk(path)] == [inner.read_bytes(), b"next"]


def test_a_file_made_of_beginnings_is_given_up_in_bounded_work(tmp_path, monkeypatch):
    path = tmp_path / "a.wgb"
    trap = HEADER.pack(MAGIC, 7, 0, MAX_PAYLOAD, 0)[:20] + MAGIC * 250_000
    path.write_bytes(trap)
    read = 0
    original = type(path.open("rb")).read

    def counting(file, size=-1):
        nonlocal read
        data = original(file, size)
        read += len(data)
        return data

    class Counted:
        def __init__(self, file):
            self._file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def __getattr__(self, name):
            return getattr(self._file, name)

        def read(self, size=-1):
            return counting(self._file, size)

    opened = type(path).open
    monkeypatch.setattr(type(path), "open", lambda self, *args: Counted(opened(self, *args)))
    assert all(isinstance(r, Damage) for _, r in walk(path))
    assert read < 200_000_000


@pytest.mark.parametrize("offset", [-1, 3, 10_000])
def test_an_offset_that_holds_nothing_is_an_error(tmp_path, offset):
    path = tmp_path / "a.wgb"
    write(path, [b"x"])
    with pytest.raises(SessionError):
        read_record(path, offset)


def test_a_failing_write_leaves_no_half_record(tmp_path, monkeypatch):
    path = tmp_path / "a.wgb"
    writer = BlobWriter(path)
    writer.append(Kind.ARRAY, 0, b"first")
    real, calls = os.writev, []

    def full(fd, parts):
        calls.append(1)
        if len(calls) == 1:
            return real(fd, [bytes(parts[0])[:7]])  # a part fits
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(OSError):
        writer.append(Kind.ARRAY, 0, b"second")
    monkeypatch.undo()
    writer.append(Kind.ARRAY, 0, b"third")
    writer.close()
    assert [r.payload for _, r in walk(path)] == [b"first", b"third"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 30), min_size=1))
def test_a_record_in_parts_is_whole_however_little_is_written_at_once(tmp_path_factory, parts, sizes):
    path = tmp_path_factory.mktemp("blobs") / "a.wgb"
    real, turn = os.writev, itertools.cycle(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", lambda fd, data: real(fd, [b"".join(data)[: next(turn)]]))
        write_parts(path, parts)
    assert [r.payload for _, r in walk(path)] == [b"".join(parts)]


def write_parts(path, parts: list[bytes]) -> None:
    writer = BlobWriter(path)
    writer.append(Kind.ARRAY, 3, *parts)
    writer.close()
