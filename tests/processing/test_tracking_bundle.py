"""Bundle adjustment against an exact synthetic world."""

from __future__ import annotations

import numpy as np
import pytest

from processing.tracking.alignment import StereoCamera
from processing.tracking.bundle import BundleProblem, adjust
from wildgrasp.geometry import PinholeCamera, inverse, se3_exp, transform

CAMERA = StereoCamera(PinholeCamera.from_hfov(640, 480, np.deg2rad(65.0)))


def world(seed: int, noise_px: float = 0.0):
    """Six cameras around 80 landmarks that all of them see."""
    rng = np.random.default_rng(seed)
    T = se3_exp(rng.normal(0, [0.05, 0.05, 0.05, 0.1, 0.1, 0.1], (6, 6)))
    T[0] = np.eye(4)
    X = CAMERA.pinhole.unproject(rng.uniform((100, 100), (540, 380), (80, 2)), rng.uniform(0.5, 1.0, 80))
    c, x = (g.ravel() for g in np.meshgrid(np.arange(6), np.arange(80), indexing="ij"))
    seen = CAMERA.observe(np.concatenate([transform(t, X) for t in T]))
    seen += noise_px * rng.normal(size=seen.shape)
    problem = BundleProblem(c, x, seen, np.arange(6) == 0)
    start = se3_exp(rng.normal(0, 0.01, (6, 6))) @ T
    start[0] = T[0]
    return problem, T, X, start, X + rng.normal(0, 0.005, X.shape)


@pytest.mark.parametrize("seed", range(3))
def test_exact_observations_give_the_exact_world(seed):
    problem, T, X, T_start, X_start = world(seed)
    result = adjust(problem, T_start, X_start, CAMERA, iterations=30)
    np.testing.assert_allclose(result.T_camera_world, T, atol=1e-5)
    np.testing.assert_allclose(result.landmarks, X, atol=1e-5)


def test_the_anchor_does_not_move():
    problem, T, _, T_start, X_start = world(1, noise_px=0.2)
    result = adjust(problem, T_start, X_start, CAMERA)
    np.testing.assert_array_equal(result.T_camera_world[0], T[0])
    assert result.sigma_m[0] == 0


def test_missing_depth_and_outliers_are_borne():
    problem, T, _, T_start, X_start = world(2)
    problem.observations[5::7, 2] = np.nan
    problem.observations[3::31, :2] += 30.0
    result = adjust(problem, T_start, X_start, CAMERA, scale_px=0.05, iterations=60)
    np.testing.assert_allclose(result.T_camera_world[:, :3, 3], T[:, :3, 3], atol=2e-4)


def test_sigma_tells_the_error():
    errors, sigmas = [], []
    for seed in range(12):
        problem, T, _, T_start, X_start = world(seed, noise_px=0.2)
        result = adjust(problem, T_start, X_start, CAMERA, scale_px=5.0, iterations=20)
        origin, truth = inverse(result.T_camera_world)[1:, :3, 3], inverse(T)[1:, :3, 3]
        errors.append(np.linalg.norm(origin - truth, axis=1))
        sigmas.append(result.sigma_m[1:])
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(np.mean(np.square(sigmas))), rel=0.35)
