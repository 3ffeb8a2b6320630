"""The recordings on the device: names, trash, rescue, and what a review shows of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from desk import PERIOD_NS, record_frames

from benchmarks.clip import INFO
from capture_app.app.library import Library
from wildgrasp.errors import SessionError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import GripperEvent
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

NOON = datetime(2026, 11, 20, 12, 0, 0)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path)


def test_names_never_meet_even_when_the_clock_repeats_itself(library, frames):
    first = record_frames(library.new_path(NOON), frames[:1])
    second = record_frames(library.new_path(NOON), frames[:1])
    library.discard(second)
    third = library.new_path(NOON)
    assert len({first.name, second.name, third.name}) == 3


def test_what_is_discarded_comes_back_as_it_was(library, frames):
    path = record_frames(library.new_path(NOON), frames[:3])
    library.discard(path)
    assert library.sessions() == []
    assert library.undo_discard() == path
    assert check_session(path).status is Status.GOOD
    library.discard(path)
    library.empty_trash()
    assert library.undo_discard() is None


def test_a_folder_that_cannot_be_discarded_stays(library, frames, tmp_path):
    path = record_frames(library.new_path(NOON), frames[:1])
    library.app_folder.mkdir()
    (library.app_folder / "trash").write_text("in the way")
    with pytest.raises(SessionError, match="still there"):
        library.discard(path)
    assert check_session(path).status is Status.GOOD


def test_rescue_repairs_what_was_cut_off_and_leaves_the_rest(library, frames):
    whole = record_frames(library.new_path(NOON), frames[:3])
    writer = SessionWriter(library.folder / "cut", INFO)
    for i in range(5):
        writer.add_frame(replace(frames[i], t_host_ns=i * PERIOD_NS))
    with Session(whole) as session:
        before = dict(session.meta)
    assert library.rescue() == []  # it is being recorded right now
    writer.abandon()
    assert library.rescue() == [library.folder / "cut"]
    assert check_session(library.folder / "cut").status is Status.GOOD
    assert library.rescue() == []
    with Session(whole) as session:
        assert session.meta == before


def test_what_cannot_be_rescued_stays(library):
    broken = library.folder / "broken" / "blobs"
    broken.mkdir(parents=True)
    (broken / "000000.wgb").write_bytes(b"nothing that anybody could read")
    assert library.rescue() == []
    assert (broken / "000000.wgb").read_bytes() == b"nothing that anybody could read"


def test_a_review_shows_each_pick_where_the_fingers_hold(library, frames):
    events = [
        GripperEvent(5 * PERIOD_NS, "press"),
        GripperEvent(9 * PERIOD_NS, "release"),
        GripperEvent(10 * PERIOD_NS, "mark"),
        GripperEvent(24 * PERIOD_NS, "press"),
    ]
    path = record_frames(library.new_path(NOON), frames, events)
    library.label(path, [(24 * PERIOD_NS, "held")])
    review = library.review(path)
    assert [pick.outcome for pick in review.picks] == ["dropped", "held"]
    assert [round(pick.at_s / 0.033333) for pick in review.picks] == [5, 24]
    assert review.duration_s == pytest.approx((len(frames) - 1) * PERIOD_NS * 1e-9)
    assert abs(review.picks[0].picture.astype(int) - frames[7].color).mean() < 5
    assert not review.rescued and not review.disk_full


def test_a_recording_without_a_frame_can_be_looked_at(library):
    with SessionWriter(library.folder / "empty", INFO):
        pass
    review = library.review(library.folder / "empty")
    assert (review.frames, review.picks, review.cover) == (0, (), None)
