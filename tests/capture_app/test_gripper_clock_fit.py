"""The clock fit against exact truths."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture_app.gripper.clock_fit import ClockFit, ClockState, DeviceTime, Ping

S = 1_000_000_000
MS = 1_000_000


def exchange(
    ppm: float, jitter_ms: tuple[float, float], seconds: float, seed: int, offset_ns: int = 7 * S
) -> tuple[ClockState, float]:
    """A fit after pings at 20 Hz under independent jitter; also the device's rate in µs per true ns."""
    rng = random.Random(seed)
    rate = (1 + ppm * 1e-6) / 1000
    fit = ClockFit()
    t = 0.0
    while t < seconds * 1e9:
        there, back = (rng.uniform(*jitter_ms) * MS for _ in range(2))
        received, sent = t + there, t + there + 200_000
        fit.add(Ping(offset_ns + round(t), round(received * rate), round(sent * rate), offset_ns + round(sent + back)))
        t += rng.uniform(0.8, 1.2) * 50 * MS
    assert fit.state is not None
    return fit.state, rate


@settings(max_examples=25, deadline=None)
@given(st.floats(-6000, 6000), st.integers(0, 10**6))
def test_constant_delay_is_dated_to_microseconds(ppm: float, seed: int) -> None:
    state, rate = exchange(ppm, (1.0, 1.0), 10, seed)
    for t in (0, 5 * S, 10 * S):
        assert abs(state.to_host_ns(t * rate) - (7 * S + t)) < 10_000
    assert state.drift_ppm == pytest.approx((1 / (1 + ppm * 1e-6) - 1) * 1e6, abs=2)


@settings(max_examples=25, deadline=None)
@given(st.floats(-6000, 6000), st.integers(0, 10**6), st.sampled_from([(0.1, 1.1), (1.0, 5.0)]))
def test_jitter_stays_within_bounds_and_uncertainty(ppm: float, seed: int, jitter_ms: tuple[float, float]) -> None:
    state, rate = exchange(ppm, jitter_ms, 20, seed)
    for t in (10 * S, 20 * S):
        error = abs(state.to_host_ns(t * rate) - (7 * S + t))
        assert error < 0.15 * jitter_ms[1] * MS
        assert error < state.uncertainty_ns


def test_constant_asymmetry_stays_within_uncertainty() -> None:
    fit = ClockFit()
    for i in range(100):
        t = i * 50 * MS
        fit.add(Ping(t, (t + 1 * MS) // 1000, (t + 1 * MS) // 1000, t + 5 * MS))  # 1 ms there, 4 ms back
    state = fit.state
    assert state is not None
    error = abs(state.to_host_ns(4_000_000) - 4 * S)
    assert error == pytest.approx(1.5 * MS, rel=0.01)
    assert error <= state.uncertainty_ns


def test_it_waits_until_it_knows_and_forgets_what_is_old() -> None:
    fit = ClockFit()
    for i in range(39):
        fit.add(Ping(i * 50 * MS, i * 50_000 + 1000, i * 50_000 + 1000, i * 50 * MS + 2 * MS))
        assert not fit.good
    # From here on the resonator is 1000 ppm faster; after the span only that remains.
    for i in range(39, 1000):
        device = i * 50_050 + 1000
        fit.add(Ping(i * 50 * MS, device, device, i * 50 * MS + 2 * MS))
    assert fit.state is not None
    assert fit.state.drift_ppm == pytest.approx(-999, abs=1)


@given(st.lists(st.integers(0, 4 * 3600 * 1000), min_size=2, max_size=30), st.floats(-6000, 6000))
def test_device_time_unwraps_over_any_silence(times_ms: list[int], ppm: float) -> None:
    clock = DeviceTime()
    start = 4_000_000_000
    clock.unwrap(start, 0)
    for t_ms in sorted(times_ms):
        true_us = start + round(t_ms * 1000 * (1 + ppm * 1e-6))
        assert clock.unwrap(true_us % 2**32, t_ms * MS) == true_us
