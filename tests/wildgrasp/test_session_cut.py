"""A cut is real: what was in it is in no file any more, and what is left is a good session."""

from __future__ import annotations

import os
import sqlite3

import pytest

from wildgrasp.errors import SessionError
from wildgrasp.sessions import cut as cut_module
from wildgrasp.sessions.annotate import annotate
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.cut import cut_out, finish_cuts
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

FRAMES = 12
PERIOD_NS = 33_333_333


@pytest.fixture
def recorded(tmp_path, camera_info, make_frame):
    path = tmp_path / "s"
    with SessionWriter(path, camera_info, {"participant": "P1"}) as out:
        for i in range(FRAMES):
            out.add_frame(make_frame(i))
        for i in range(FRAMES):
            out.add_event(GripperEvent(i * PERIOD_NS, "press" if i % 2 == 0 else "release"))
        out.add_servo([ServoSample(i * PERIOD_NS, 0.5, 0.0, 0.0) for i in range(FRAMES)])
    return path


def _bytes(path):
    return b"".join(file.read_bytes() for file in sorted((path / "blobs").iterdir()))


@pytest.mark.parametrize(("first", "last"), [(0, 3), (4, 7), (9, 11), (0, 11), (5, 5)])
def test_what_is_cut_is_gone_and_the_rest_is_untouched(recorded, first, last):
    with Session(recorded) as before:
        kept = [before.frame(i) for i in range(FRAMES) if not first <= i <= last]
        cut = [before.read_blob(before._frame_refs[i]).payload[20:] for i in range(first, last + 1)]
    report = cut_out(recorded, first * PERIOD_NS, last * PERIOD_NS)
    assert (report.frames_removed, report.frames_left) == (last - first + 1, len(kept))
    assert not any(image in _bytes(recorded) for image in cut)
    assert sorted(p.name for p in recorded.parent.iterdir()) == ["s"]
    assert check_session(recorded, deep=True).status is Status.GOOD
    with Session(recorded) as after:
        assert [f.t_host_ns for f in after.frames()] == [f.t_host_ns for f in kept]
        assert all((a.depth_raw == b.depth_raw).all() for a, b in zip(after.frames(), kept, strict=True))
        times = {row.t_ns for row in [*after.events(), *after.servo()]}
        assert not any(first * PERIOD_NS <= t <= last * PERIOD_NS for t in times)
        assert after.gaps() == [Gap("person", first * PERIOD_NS, last * PERIOD_NS, "privacy")]
        assert after.meta["participant"] == "P1"


def test_a_cut_outlives_a_repair(recorded):
    cut_out(recorded, 2 * PERIOD_NS, 4 * PERIOD_NS)
    (recorded / "index.sqlite").unlink()
    repair_session(recorded)
    with Session(recorded) as session:
        assert len(session) == FRAMES - 3
        assert [gap.reason for gap in session.gaps()] == ["privacy"]


def test_labels_of_cut_picks_go_with_them(recorded):
    outcomes = [{"t_press_ns": i * PERIOD_NS, "outcome": "held"} for i in (0, 4, 8)]
    annotate(recorded, "outcomes", outcomes)
    cut_out(recorded, 3 * PERIOD_NS, 5 * PERIOD_NS)
    with Session(recorded) as session:
        assert session.meta["outcomes"] == [outcomes[0], outcomes[2]]


@pytest.mark.parametrize("step", ["writing", "first rename", "second rename", "rmtree"])
def test_a_power_cut_leaves_the_old_or_the_new_session(recorded, step):
    path = recorded
    with pytest.MonkeyPatch.context() as patch:
        _go_off_at(step, patch)
        with pytest.raises(KeyboardInterrupt):
            cut_out(path, 2 * PERIOD_NS, 4 * PERIOD_NS)
    finish_cuts(path.parent)
    assert [p.name for p in path.parent.iterdir()] == ["s"]
    assert check_session(path).status is Status.GOOD
    with Session(path) as session:
        assert len(session) == (FRAMES if step in ("writing", "first rename") else FRAMES - 3)


def _go_off_at(step, patch):
    """KeyboardInterrupt stands for the end: nothing handles it."""

    def off(*_args, **_kwargs):
        raise KeyboardInterrupt

    renames = iter(["first rename", "second rename"])
    rename = os.rename

    def rename_or_off(a, b):
        if next(renames) == step:
            raise KeyboardInterrupt
        rename(a, b)

    patch.setattr(cut_module.os, "rename", rename_or_off)
    if step == "rmtree":
        rmtree = cut_module.shutil.rmtree
        patch.setattr(
            cut_module.shutil, "rmtree", lambda p, **kw: off() if str(p).endswith("cut-old") else rmtree(p, **kw)
        )
    if step == "writing":
        patch.setattr(cut_module, "unpack_frame", off)


def test_a_disk_that_refuses_leaves_the_session_as_it_was(recorded, monkeypatch):
    before = _bytes(recorded)
    monkeypatch.setattr(cut_module.os, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(SessionError, match="as it was before"):
        cut_out(recorded, 0, 5 * PERIOD_NS)
    assert _bytes(recorded) == before
    assert [p.name for p in recorded.parent.iterdir()] == ["s"]


def test_a_session_that_was_cut_off_is_repaired_first(recorded):
    chunk = recorded / "blobs" / "000000.wgb"
    chunk.write_bytes(chunk.read_bytes()[:-7])
    with sqlite3.connect(recorded / "index.sqlite") as db:
        db.execute("DELETE FROM meta WHERE key = 'closed'")
    with pytest.raises(SessionError, match="repair"):
        cut_out(recorded, 0, 1)
    repair_session(recorded)
    cut_out(recorded, 0, 1)
    assert check_session(recorded).status is Status.GOOD
    with Session(recorded) as session:
        assert len(session) == FRAMES - 1


def test_notes_of_a_person_outlive_a_repair(recorded):
    annotate(recorded, "outcomes", [{"t_press_ns": 0, "outcome": "held"}])
    assert check_session(recorded).status is Status.GOOD
    (recorded / "index.sqlite").unlink()
    repair_session(recorded)
    with Session(recorded) as session:
        assert session.meta["outcomes"] == [{"t_press_ns": 0, "outcome": "held"}]


def test_a_note_that_cannot_be_written_changes_nothing(recorded, monkeypatch):
    before = _bytes(recorded)
    monkeypatch.setattr(
        "wildgrasp.sessions.rows.insert_meta", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(SessionError, match="as it was before"):
        annotate(recorded, "outcomes", [])
    assert _bytes(recorded) == before
