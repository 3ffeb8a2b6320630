"""The bandwidth limit and the waiting between attempts, in virtual time."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildgrasp.clocks import VirtualClock
from wildgrasp.upload.body import BLOCK, PartBody
from wildgrasp.upload.pacing import LONGEST_DELAY_S, Backoff, Pacer


@settings(deadline=None, derandomize=True)
@given(limit=st.floats(0.01, 1000), blocks=st.lists(st.integers(1, 100_000), min_size=2, max_size=50))
def test_the_limit_is_kept_over_any_stretch(limit, blocks):
    clock = VirtualClock()
    pacer = Pacer(limit, clock)
    left = []
    for block in blocks:
        pacer.pass_bytes(block)
        left.append(clock.now_ns())
    for start in range(len(blocks) - 1):
        seconds = (left[-1] - left[start]) * 1e-9
        assert 8 * sum(blocks[start:-1]) <= limit * 1e6 * seconds * (1 + 1e-6) + 8e-3 * limit * len(blocks)


def test_after_a_pause_nothing_is_made_up_for():
    clock = VirtualClock()
    pacer = Pacer(8.0, clock)  # a byte per microsecond
    pacer.pass_bytes(1000)
    clock.sleep_until_ns(10**12)
    start = clock.now_ns()
    for _ in range(11):
        pacer.pass_bytes(1000)
    assert clock.now_ns() - start == 10 * 1000 * 1000


def test_without_a_limit_no_time_passes():
    clock = VirtualClock()
    for _ in range(100):
        Pacer(0.0, clock).pass_bytes(10**9)
    assert clock.now_ns() == 0


def test_delays_double_up_to_a_bound_with_chance_and_start_again_after_success():
    backoff = Backoff(VirtualClock(), random.Random(0))
    delays = [backoff.failed() for _ in range(20)]
    for number, delay in enumerate(delays):
        longest = min(2.0**number, LONGEST_DELAY_S)
        assert longest / 2 <= delay <= longest
    assert len(set(delays)) == len(delays)
    backoff.succeeded()
    assert backoff.failed() <= 1.0
    assert backoff.failing_s == 0.0


def test_two_devices_do_not_come_back_together():
    delays = [Backoff(VirtualClock(), random.Random(seed)).failed() for seed in range(50)]
    assert len(set(delays)) == 50


def test_a_stop_ends_the_waiting():
    class StoppingClock(VirtualClock):
        def sleep_until_ns(self, t_ns: int) -> None:
            super().sleep_until_ns(t_ns)
            if t_ns >= 10 * 10**9:
                stop.set()

    stop, clock = threading.Event(), StoppingClock()
    Backoff(clock, random.Random()).wait(60.0, stop)
    assert 10.0 <= clock.now_ns() * 1e-9 <= 10.5


def test_a_body_is_paced_and_counted_only_while_it_is_sent():
    counted = []
    body = PartBody(b"x" * (3 * BLOCK + 5), counted.append)
    assert len(body.read()) == 3 * BLOCK + 5  # for the signature
    assert counted == []
    body.seek(0)
    body.sending()
    sent = b"".join(iter(lambda: body.read(10 * BLOCK), b""))
    assert len(sent) == sum(counted) == 3 * BLOCK + 5
    assert max(counted) == BLOCK


@pytest.mark.parametrize("limit", [4.0, 40.0])
def test_an_upload_takes_as_long_as_its_limit_says(queue, make_session, make_uploader, limit):
    session = make_session(extra_bytes=200_000)
    queue.add(session)
    uploader = make_uploader(limit_mbps=limit)
    uploader.run(threading.Event())
    seconds = uploader._clock.now_ns() * 1e-9
    assert queue.item(session).state == "uploaded"
    assert seconds == pytest.approx(8e-6 * queue.item(session).bytes_total / limit, rel=0.15)
