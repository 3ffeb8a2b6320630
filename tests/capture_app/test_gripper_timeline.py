"""What the gripper says gets a date, and gets out, whatever the clocks do."""

from __future__ import annotations

from capture_app.gripper.protocol import PongMessage
from capture_app.gripper.timeline import PATIENCE_NS, UNDATED_UNCERTAINTY_NS, Timeline

MS = 1_000_000
S = 1_000_000_000


def talk(timeline: Timeline, begin_ns: int, end_ns: int, device_us_of) -> None:
    """Pings 4 ms long, from the host's time ``begin_ns`` to ``end_ns``."""
    for now_ns in range(begin_ns, end_ns, 5 * MS):
        if timeline.ping_due(now_ns) is not None:
            token = timeline._token
            timeline.pong(PongMessage(token, 0), device_us_of(now_ns + 2 * MS), now_ns + 4 * MS)


def steady(now_ns: int) -> int:
    return now_ns // 1000


def add(timeline: Timeline, device_us: int, now_ns: int) -> None:
    timeline.add(device_us, now_ns, lambda t_ns, sigma_ns: (t_ns, sigma_ns))


def test_a_press_before_the_clock_is_known_waits_for_it_and_is_dated_exactly():
    timeline = Timeline()
    talk(timeline, 0, 1 * S, steady)
    add(timeline, steady(1 * S), 1 * S + 3 * MS)
    assert timeline.dated(1 * S + 3 * MS) == []
    talk(timeline, 1 * S + 5 * MS, 3 * S, steady)
    ((t_ns, sigma_ns),) = timeline.dated(3 * S)
    assert abs(t_ns - 1 * S) <= sigma_ns < UNDATED_UNCERTAINTY_NS


def test_a_press_whose_clock_never_becomes_known_gets_out_dated_by_its_arrival():
    """A computer that stalls for half a second again and again: no two seconds of pings ever agree."""
    timeline = Timeline()
    arrived_ns, late_ns, out = 3 * S, 6 * S, []
    for begin_ns in range(0, 13 * S, S):
        lost_us = 500_000 * (begin_ns // S)
        talk(timeline, begin_ns, begin_ns + S, lambda now_ns, lost_us=lost_us: steady(now_ns) - lost_us)
        assert timeline.state is None
        if begin_ns in (arrived_ns, late_ns):
            add(timeline, steady(begin_ns) - lost_us, begin_ns)
        out += [(item, begin_ns) for item in timeline.dated(begin_ns)]
    assert [item for item, _ in out] == [(t_ns, UNDATED_UNCERTAINTY_NS) for t_ns in (arrived_ns, late_ns)]
    assert [when_ns - t_ns for (t_ns, _), when_ns in out] == [PATIENCE_NS + S] * 2


def test_what_the_host_says_keeps_its_place_behind_what_waits():
    timeline = Timeline()
    add(timeline, steady(1 * S), 1 * S)
    timeline.add_host(1 * S + MS, lambda t_ns, sigma_ns: (t_ns, sigma_ns))
    assert timeline.dated(2 * S) == []
    assert timeline.dated(1 * S + PATIENCE_NS + 2 * MS) == [(1 * S, UNDATED_UNCERTAINTY_NS), (1 * S + MS, 0)]
