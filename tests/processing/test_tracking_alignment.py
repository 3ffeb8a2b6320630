"""Alignment against exact synthetic observations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.tracking.alignment import (
    RansacConfig,
    StereoCamera,
    motion_jacobian,
    ransac_pose,
    refine_pose,
    rigid_fit,
)
from wildgrasp.geometry import PinholeCamera, inverse, rotation_angle, se3_exp, transform

CAMERA = StereoCamera(PinholeCamera.from_hfov(640, 480, np.deg2rad(65.0)))
twists = st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=6).map(np.array)
seeds = st.integers(0, 2**31)


def landmarks(seed: int, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return CAMERA.pinhole.unproject(rng.uniform((60, 60), (580, 420), (n, 2)), rng.uniform(0.4, 1.2, n))


@settings(deadline=None)
@given(twists, seeds)
def test_rigid_fit_is_exact_on_exact_points(xi, seed):
    T, points = se3_exp(xi), landmarks(seed, 5)
    np.testing.assert_allclose(rigid_fit(points, transform(T, points)), T, atol=1e-9)


def test_rigid_fit_never_mirrors():
    rng = np.random.default_rng(0)
    T = rigid_fit(rng.normal(size=(50, 3, 3)), rng.normal(size=(50, 3, 3)))
    np.testing.assert_allclose(np.linalg.det(T[:, :3, :3]), 1.0)


@settings(deadline=None)
@given(seeds)
def test_observing_and_lifting_are_inverse(seed):
    points = landmarks(seed)
    np.testing.assert_allclose(CAMERA.points(CAMERA.observe(points)), points, atol=1e-12)


@settings(deadline=None)
@given(seeds)
def test_jacobian_is_the_derivative(seed):
    points = landmarks(seed, 4)
    J = motion_jacobian(CAMERA.jacobian(points), points)
    for k in range(6):
        step = np.zeros(6)
        step[k] = 1e-6
        ahead, back = (CAMERA.observe(transform(se3_exp(s * step), points)) for s in (1, -1))
        np.testing.assert_allclose(J[..., k], (ahead - back) / 2e-6, rtol=1e-4, atol=1e-3)


@settings(deadline=None)
@given(twists, seeds)
def test_refinement_reaches_the_exact_pose_and_shrugs_off_outliers(xi, seed):
    T, points = se3_exp(0.5 * xi), landmarks(seed)
    observed = CAMERA.observe(transform(T, points))
    observed[::10, :2] += 40.0
    observed[1::10, 2] = np.nan
    fit = refine_pose(points, observed, CAMERA, se3_exp(0.02 * np.ones(6)) @ T, iterations=30)
    np.testing.assert_allclose(fit.T_camera_reference, T, atol=1e-6)


def test_sigma_is_the_spread_of_the_estimates():
    rng, T, points = np.random.default_rng(3), se3_exp(np.array([0.05, 0, 0.03, 0, 0.1, 0])), landmarks(7, 200)
    exact = CAMERA.observe(transform(T, points))
    fits = [refine_pose(points, exact + rng.normal(0, 0.2, exact.shape), CAMERA, T) for _ in range(200)]
    origins = np.array([inverse(f.T_camera_reference)[:3, 3] for f in fits])
    spread = np.sqrt(np.sum(origins.var(axis=0)))
    assert np.mean([f.sigma_m for f in fits]) == pytest.approx(spread, rel=0.2)


@settings(deadline=None)
@given(twists, seeds)
def test_ransac_finds_the_majority(xi, seed):
    T, points = se3_exp(0.5 * xi), landmarks(seed)
    observed = CAMERA.observe(transform(T, points))
    wrong = np.zeros(len(points), bool)
    wrong[:40] = True
    observed[wrong, :2] += 25.0
    inliers = ransac_pose(points, observed, CAMERA, RansacConfig(), np.random.default_rng(0))
    np.testing.assert_array_equal(inliers, ~wrong)


def test_ransac_gives_up_honestly():
    rng, points = np.random.default_rng(0), landmarks(0, 4)
    assert ransac_pose(points, CAMERA.observe(points), CAMERA, RansacConfig(), rng) is None


def test_refinement_gives_up_honestly():
    same = np.tile([[0.0, 0.0, 0.5]], (20, 1))
    assert refine_pose(same, CAMERA.observe(same), CAMERA, np.eye(4)) is None


def test_uncertain_rotation_of_identity_is_small():
    points = landmarks(1)
    fit = refine_pose(points, CAMERA.observe(points), CAMERA, np.eye(4))
    assert rotation_angle(fit.T_camera_reference[:3, :3]) < 1e-9
    assert fit.sigma_m < 1e-9
