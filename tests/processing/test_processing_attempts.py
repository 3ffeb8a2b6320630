"""Attempts from button and servo: the rules as examples, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.attempts import find_attempts
from wildgrasp.sessions.events import GripperEvent, ServoSample

MS = 1_000_000
FRAMES = np.arange(0, 20_000 * MS, 33 * MS, dtype=np.int64)  # 20 s at 30 fps


def events(*pairs, **others):
    """('press', ms) … as events."""
    return [GripperEvent(int(t * MS), kind) for kind, t in pairs]


def servo(keys, load=0.3, until=20_000):
    """Readings at 50 Hz along (ms, opening) corners; loaded where the fingers stand still and are not open."""
    t = np.arange(0, until, 20)
    opening = np.interp(t, *zip(*keys, strict=True))
    still = np.abs(np.gradient(opening)) < 1e-6
    return [
        ServoSample(int(a * MS), float(o), 0.0, load if s and o < 0.9 else 0.03)
        for a, o, s in zip(t, opening, still, strict=True)
    ]


HELD = [(0, 1.0), (5000, 1.0), (5400, 0.4), (8000, 0.4), (8400, 1.0)]


def only(found):
    assert len(found) == 1
    return found[0]


def test_a_thing_is_held():
    a = only(find_attempts(events(("press", 5000), ("release", 8000)), servo(HELD), FRAMES))
    assert a.outcome == "held"
    assert a.opening == pytest.approx(0.4, abs=0.02)
    assert FRAMES[a.frame_grasp] / MS == pytest.approx(5400, abs=60)
    assert FRAMES[a.frame_release] / MS == pytest.approx(8000, abs=34)
    assert a.frame_start == 0
    assert FRAMES[a.frame_end] / MS == pytest.approx(9000, abs=34)


def test_a_first_touch_is_not_yet_the_grasp_but_better_than_a_guess():
    touched = events(("press", 5000), ("contact", 5250), ("release", 8000))
    assert only(find_attempts(touched, servo(HELD), FRAMES)).t_grasp_ns == pytest.approx(5400 * MS, abs=21 * MS)
    assert only(find_attempts(touched, [], FRAMES)).t_grasp_ns == 5250 * MS


def test_fingers_that_close_fully_hold_nothing():
    closed = [(0, 1.0), (5000, 1.0), (5600, 0.01), (8000, 0.01), (8600, 1.0)]
    a = only(find_attempts(events(("press", 5000), ("release", 8000)), servo(closed, load=0.05), FRAMES))
    assert a.outcome == "empty"
    assert "closed fully" in a.reason


def test_fingers_that_close_further_have_dropped_it():
    slipping = [(0, 1.0), (5000, 1.0), (5400, 0.4), (6800, 0.4), (7000, 0.0), (8000, 0.0), (8400, 1.0)]
    a = only(find_attempts(events(("press", 5000), ("release", 8000)), servo(slipping), FRAMES))
    assert a.outcome == "dropped"
    assert "1.4 s after" in a.reason or "1.5 s after" in a.reason


def test_settling_a_little_is_no_drop():
    settling = [(0, 1.0), (5000, 1.0), (5400, 0.40), (6800, 0.38), (8000, 0.37), (8400, 1.0)]
    assert only(find_attempts(events(("press", 5000), ("release", 8000)), servo(settling), FRAMES)).outcome == "held"


def test_a_thin_thing_under_load_is_held():
    thin = [(0, 1.0), (5000, 1.0), (5600, 0.025), (8000, 0.025), (8600, 1.0)]
    assert only(find_attempts(events(("press", 5000), ("release", 8000)), servo(thin), FRAMES)).outcome == "held"


def test_a_double_press_is_one():
    twice = events(("press", 5000), ("release", 5200), ("press", 5400), ("release", 8000))
    a = only(find_attempts(twice, servo(HELD), FRAMES))
    assert (a.t_press_ns, a.t_release_ns) == (5000 * MS, 8000 * MS)


def test_a_tap_is_no_grasp():
    a = only(find_attempts(events(("press", 5000), ("release", 5080)), servo([(0, 1.0), (1, 1.0)]), FRAMES))
    assert a.outcome == "empty"
    assert "tapped" in a.reason


def test_the_recording_ends_while_holding():
    ends = servo([(0, 1.0), (18_000, 1.0), (18_400, 0.4), (20_000, 0.4)])
    a = only(find_attempts(events(("press", 18_000)), ends, FRAMES))
    assert a.outcome == "unfinished"
    assert a.t_release_ns is None
    assert a.frame_release == a.frame_end == len(FRAMES) - 1


def test_without_servo_the_button_decides_and_says_so():
    a = only(find_attempts(events(("press", 5000), ("release", 8000)), [], FRAMES))
    assert a.outcome == "held"
    assert a.opening is None
    assert "button alone" in a.reason


def test_what_the_person_marks_has_failed():
    marked = events(("press", 5000), ("release", 8000), ("mark", 9000))
    a = only(find_attempts(marked, servo(HELD), FRAMES))
    assert a.outcome == "dropped"
    assert "marked" in a.reason


def test_a_mark_belongs_to_the_attempt_before_it():
    keys = [*HELD, (12_000, 1.0), (12_400, 0.4), (14_000, 0.4), (14_400, 1.0)]
    all_events = events(("press", 5000), ("release", 8000), ("mark", 9000), ("press", 12_000), ("release", 14_000))
    assert [a.outcome for a in find_attempts(all_events, servo(keys), FRAMES)] == ["dropped", "held"]


def test_a_missed_release_does_not_end_the_hold():
    missed = events(("press", 5000), ("press", 6000), ("release", 8000))
    assert only(find_attempts(missed, servo(HELD), FRAMES)).t_release_ns == 8000 * MS


def test_nothing_recorded_nothing_found():
    assert find_attempts([], [], FRAMES) == []
    assert find_attempts(events(("press", 5000)), [], np.zeros(0, np.int64)) == []
    assert find_attempts(events(("release", 5000)), [], FRAMES) == []
    assert find_attempts(events(("press", 25_000)), [], FRAMES) == []


times = st.integers(-2000, 22_000)
random_events = st.lists(
    st.tuples(st.sampled_from(["press", "release", "contact", "mark", "fault", "link_lost"]), times), max_size=16
)
random_servo = st.lists(st.tuples(times, st.floats(0, 1), st.floats(-1, 1)), max_size=40)


@settings(deadline=None)
@given(random_events, random_servo)
def test_whatever_the_gripper_tells(raw_events, raw_servo):
    readings = [ServoSample(t * MS, o, 0.0, load) for t, o, load in raw_servo]
    found = find_attempts(events(*raw_events), readings, FRAMES)
    presses = sum(kind == "press" for kind, _ in raw_events)
    assert len(found) <= presses
    last_end = -1
    for n, a in enumerate(found):
        assert a.number == n
        assert a.reason
        assert 0 <= a.frame_start <= a.frame_grasp <= a.frame_release <= a.frame_end < len(FRAMES)
        assert a.t_press_ns <= a.t_grasp_ns
        assert a.t_release_ns is None or a.t_grasp_ns <= a.t_release_ns
        assert a.frame_start >= min(last_end + 1, a.frame_grasp)
        last_end = a.frame_end
    assert [a.outcome == "unfinished" for a in found[:-1]] == [False] * len(found[:-1])


@settings(deadline=None)
@given(random_events, random_servo, st.randoms())
def test_order_of_arrival_does_not_matter(raw_events, raw_servo, random):
    readings = [ServoSample(t * MS, o, 0.0, load) for t, o, load in {t: (t, o, x) for t, o, x in raw_servo}.values()]
    told = events(*{t: (kind, t) for kind, t in raw_events}.values())
    expected = find_attempts(told, readings, FRAMES)
    random.shuffle(readings)
    random.shuffle(told)
    assert find_attempts(told, readings, FRAMES) == expected
