"""Errors of trajectories whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.accuracy import accuracy_table, compare, compare_poses, honesty
from wildgrasp.geometry import pose, se3_exp
from wildgrasp.sessions.session import Poses

twists = st.lists(st.floats(-1, 1), min_size=6, max_size=6).map(np.array)


def path(n: int = 30) -> np.ndarray:
    return se3_exp(np.random.default_rng(2).normal(0, 0.3, (n, 6)))


@settings(deadline=None)
@given(twists)
def test_the_choice_of_world_does_not_matter(xi):
    a = compare(se3_exp(xi) @ path(), path())
    assert a.ate_mm < 1e-6
    assert a.rpe_mm < 1e-6
    assert a.rpe_deg < 1e-4


def test_position_noise_is_what_ate_reports():
    truth = path(2000)
    noise = np.random.default_rng(0).normal(0, 0.001, (2000, 3))
    estimate = truth.copy()
    estimate[:, :3, 3] += noise
    assert compare(estimate, truth).ate_mm == pytest.approx(np.sqrt(3), rel=0.05)


def test_honesty_is_the_error_in_units_of_what_was_stated():
    truth, rng = path(2000), np.random.default_rng(0)
    sigma = rng.uniform(0.001, 0.003, 2000)
    estimate = truth.copy()
    estimate[:, :3, 3] += rng.normal(size=(2000, 3)) * sigma[:, None] / np.sqrt(3)
    honest, boasting = honesty(estimate, truth, sigma), honesty(estimate, truth, sigma / 2)
    assert honest.sigma_ratio == pytest.approx(1, rel=0.05)
    assert boasting.sigma_ratio == pytest.approx(2, rel=0.05)
    assert honest.within_1_sigma == pytest.approx(0.608, abs=0.04)  # chi-squared with three degrees of freedom
    assert honest.within_2_sigma > 0.98
    assert honesty(estimate, truth, np.full(2000, np.nan)) is None


def test_a_step_at_every_frame_is_what_rpe_reports():
    truth = np.broadcast_to(np.eye(4), (20, 4, 4))
    step = se3_exp(np.array([0.002, 0, 0, 0, 0, np.deg2rad(0.5)]))
    estimate = np.array([np.linalg.matrix_power(step, i) for i in range(20)])
    a = compare(estimate, truth, rpe_frames=2)
    assert a.rpe_mm == pytest.approx(4.0, rel=1e-3)
    assert a.rpe_deg == pytest.approx(1.0, rel=1e-6)


def test_lost_frames_are_left_out_and_counted():
    truth = path()
    estimate = truth.copy()
    estimate[5] = pose(t=np.array([9.0, 9, 9]))
    status = ["ok"] * 30
    status[5] = "lost"
    ids = np.arange(30)
    a = compare_poses(Poses(ids, estimate, status, np.zeros(30)), Poses(ids, truth, ["ok"] * 30, np.zeros(30)))
    assert (a.frames, a.lost_frames) == (29, 1)
    assert a.ate_mm < 1e-6


def test_too_little_to_compare():
    p = Poses(np.arange(2), path(2), ["ok", "ok"], np.zeros(2))
    assert compare_poses(p, p) is None
    with pytest.raises(ValueError, match="three or more"):
        compare(path(2), path(2))


def test_the_table_has_a_row_per_name():
    a = compare(path(), path())
    assert accuracy_table({"one": a, "two": a}).row_count == 2
