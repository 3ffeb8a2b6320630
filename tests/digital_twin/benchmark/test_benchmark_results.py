"""The numbers of an evaluation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.benchmark.results import EpisodeRow, Evaluation, wilson_interval


def row(number=0, success=True, truth=True, steps=10, reason="", object="mug", ms=None):
    return EpisodeRow(1, number, object, steps, "success", reason, success, truth, 0.03, 5.0, 1.0, ms or {})


def test_wilson_agrees_with_published_values():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81/263 and 0/20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_rate_and_mirrors(counts):
    k, n = counts
    low, high = wilson_interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    mirrored = wilson_interval(n - k, n)
    assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))


def test_nothing_is_known_without_attempts():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_counts_truth_and_lists_disagreements():
    rows = (row(0), row(1, success=True, truth=False, reason="wedged"), row(2, False, False, reason="out of steps"))
    result = Evaluation("tabletop", "heuristic", rows)
    assert (result.attempts, result.successes) == (3, 1)
    assert [r.number for r in result.disagreements] == [1]
    assert result.reasons() == {"wedged": 1, "out of steps": 1}


def test_stage_times_are_weighted_by_steps():
    rows = (row(0, steps=10, ms={"fuse": 4.0}), row(1, steps=30, ms={"fuse": 8.0}))
    assert Evaluation("tabletop", "x", rows).mean_ms()["fuse"] == pytest.approx(7.0)


def test_throughput_counts_the_processors_time():
    rows = (row(0, steps=10, ms={"processor": 100.0}), row(1, steps=30, ms={"processor": 100.0}))
    assert Evaluation("tabletop", "x", rows).per_hour_and_core == pytest.approx(3600 / 2.0)
    assert Evaluation("tabletop", "x", (row(),)).per_hour_and_core == 0.0


def test_json_has_the_documented_keys():
    written = json.loads(json.dumps(Evaluation("tabletop", "x", (row(),)).to_json()))
    assert {"attempts", "successes", "rate", "wilson_low", "wilson_high", "episodes"} <= written.keys()
    assert {"object", "steps", "outcome", "reason", "seconds"} <= written["episodes"][0].keys()


def test_refuses_truth_that_is_not_a_bool():
    with pytest.raises(TypeError):
        row(truth=1)
