"""The clock fit against exact truths."""

from __future__ import annotations

import random
from collections.abc import Callable

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


@settings(max_examples=8, deadline=None)
@given(st.floats(-6000, 6000), st.integers(0, 10**6))
def test_constant_delay_is_dated_to_microseconds(ppm: float, seed: int) -> None:
    state, rate = exchange(ppm, (1.0, 1.0), 10, seed)
    for t in (0, 5 * S, 10 * S):
        assert abs(state.to_host_ns(t * rate) - (7 * S + t)) < 10_000
    assert state.drift_ppm == pytest.approx((1 / (1 + ppm * 1e-6) - 1) * 1e6, abs=2)


@settings(max_examples=8, deadline=None)
@given(st.floats(-6000, 6000), st.integers(0, 10**6), st.sampled_from([(0.1, 1.1), (1.0, 5.0)]))
def test_jitter_stays_within_bounds_and_uncertainty(ppm: float, seed: int, jitter_ms: tuple[float, float]) -> None:
    state, rate = exchange(ppm, jitter_ms, 20, seed)
    for t in (10 * S, 20 * S):
        error = abs(state.to_host_ns(t * rate) - (7 * S + t))
        assert error < 0.15 * jitter_ms[1] * MS
        assert error < state.uncertainty_ns


Delay = Callable[[], float]  # ms


def way(rng: random.Random, kind: str) -> Delay:
    """One direction of a cable with a driver, a hub and a busy computer behind it."""
    base, spread = rng.uniform(0.05, 2.0), rng.uniform(0.2, 5.0)
    return {
        "constant": lambda: base,
        "uniform": lambda: base + rng.uniform(0, spread),
        "queue": lambda: base + rng.expovariate(3 / spread),
        "frames": lambda: base + rng.uniform(0, 1) + (rng.random() < 0.1) * rng.uniform(0, 10),
        "spikes": lambda: base + rng.uniform(0, 0.2) + (rng.random() < 0.3) * rng.uniform(0, 16),
    }[kind]


def event_errors(seed: int, kind: str) -> list[tuple[float, float]]:
    """(error, uncertainty) in ns of events: unequal ways, lost pings, a slow reader, a warming resonator."""
    rng = random.Random(seed)
    there, back = way(rng, kind), way(rng, kind)
    ppm, ppm_per_s = rng.uniform(-6000, 6000), rng.uniform(-0.15, 0.15)
    lost, poll_ms = rng.choice((0, 0.05, 0.2)), rng.choice((0, 1, 3))

    def device_us(t: float) -> float:
        return (t * (1 + ppm * 1e-6) + ppm_per_s * 1e-6 * t * t / 2e9) / 1000

    fit, out, waiting, t, event = ClockFit(), [], [], 0.0, 0.3e9
    end = rng.choice((4, 10, 20)) * S
    while t < end:
        if rng.random() >= lost:
            received = t + there() * MS
            d, wait_us = int(device_us(received)), rng.randrange(100, 2500)
            returned = received + wait_us * 1000 + (back() + rng.uniform(0, poll_ms)) * MS
            fit.add(Ping(7 * S + round(t), d, d + wait_us, 7 * S + round(returned)))
        while event < t:
            waiting.append(event)
            event += rng.uniform(0.05, 0.5) * S
        if fit.state is not None:
            for e in waiting:
                dated = fit.state.to_host_ns(device_us(e)) - 7 * S
                out.append((abs(dated - e), fit.state.uncertainty_at(device_us(e))))
            waiting.clear()
        t += rng.uniform(0.75, 1.25) * (50 if fit.good else 20) * MS
    return out


def test_the_uncertainty_is_honest_and_not_idle() -> None:
    kinds = ("constant", "uniform", "queue", "frames", "spikes")
    results = [r for seed in range(40) for r in event_errors(seed, kinds[seed % len(kinds)])]
    assert len(results) > 500
    assert sum(error <= bound for error, bound in results) >= 0.99 * len(results)
    assert sorted(bound for _, bound in results)[len(results) // 2] < 2 * MS


def test_a_host_that_slept_starts_a_new_fit_instead_of_mixing_two() -> None:
    fit = ClockFit()

    def run(start_ms: int, end_ms: int, slept_ms: int) -> None:
        for t in range(start_ms, end_ms, 50):
            fit.add(Ping(t * MS, (t + slept_ms + 1) * 1000, (t + slept_ms + 1) * 1000, (t + 2) * MS))

    run(0, 20_000, 0)
    run(20_000, 21_000, 60_000)  # its clock stood still for a minute
    assert not fit.good
    run(21_000, 24_000, 60_000)
    assert fit.state is not None
    assert abs(fit.state.to_host_ns(84_000_000) - 24 * S) < 10_000


def test_the_uncertainty_grows_where_there_are_no_pings() -> None:
    state, rate = exchange(0.0, (1.0, 2.0), 10, 1)
    known = state.uncertainty_at(9 * S * rate)
    assert known == state.uncertainty_at(1 * S * rate) == round(state.uncertainty_ns)
    assert state.uncertainty_at(60 * S * rate) > 5 * known
    assert state.uncertainty_at(-5 * S * rate) > known


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
