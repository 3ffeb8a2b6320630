"""Alignment against exact synthetic observations."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processing.tracking.alignment import (
    RansacConfig,
    StereoCamera,
    ransac_pose,
    rigid_fit,
)
from wildgrasp.geometry import PinholeCamera, se3_exp, transform

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
