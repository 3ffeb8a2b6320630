"""The pose graph against exact motions, wrong ones and noisy ones."""

from __future__ import annotations

import numpy as np
import pytest

from processing.tracking.pose_graph import Edge, PoseGraphConfig, optimize
from wildgrasp.geometry import inverse, se3_exp, se3_log

CONFIG = PoseGraphConfig()
LIKE_FLOOR = np.array([1.0] * 3 + [CONFIG.floor_rad / CONFIG.floor_m] * 3)  # noise as the graph expects it
PAIRS = [(k, k + 1) for k in range(9)] + [(k, k + 3) for k in range(7)] + [(0, 9), (2, 8)]


def world(seed: int, noise: float = 0.0):
    rng = np.random.default_rng(seed)
    T = se3_exp(np.cumsum(rng.normal(0, [0.05] * 3 + [0.1] * 3, (10, 6)), axis=0))
    start = T @ se3_exp(rng.normal(0, 0.01, (10, 6)))
    start[0] = T[0]
    edges = [
        Edge(i, j, se3_exp(noise * LIKE_FLOOR * rng.normal(size=6)) @ inverse(T[j]) @ T[i], 1e12 * np.eye(6))
        for i, j in PAIRS
    ]
    return T, start, edges


@pytest.mark.parametrize("seed", range(3))
def test_exact_motions_give_exact_poses(seed):
    T, start, edges = world(seed)
    np.testing.assert_allclose(optimize(start, edges, CONFIG).T_world_camera, T, atol=1e-6)


def test_a_wrong_motion_loses_its_say():
    T, start, edges = world(1, noise=1e-4)
    edges.append(Edge(1, 6, se3_exp(np.full(6, 0.05)) @ inverse(T[6]) @ T[1], 1e12 * np.eye(6)))
    graph = optimize(start, edges, CONFIG)
    assert graph.weights[-1] < 1e-3
    assert np.linalg.norm(graph.T_world_camera[:, :3, 3] - T[:, :3, 3], axis=1).max() < 1e-3


def test_parts_that_nothing_connects_stay_where_they_are():
    _, start, edges = world(2)
    graph = optimize(start, [e for e in edges if e.j < 5], CONFIG)
    np.testing.assert_array_equal(graph.T_world_camera[5:], start[5:])
    assert np.all(graph.sigma_m[5:] == 0)


def test_sigma_tells_the_error():
    errors, sigmas = [], []
    for seed in range(30):
        T, start, edges = world(seed, noise=3e-4)
        graph = optimize(start, edges, CONFIG)
        errors.append(np.linalg.norm(graph.T_world_camera[1:, :3, 3] - T[1:, :3, 3], axis=1))
        sigmas.append(graph.sigma_m[1:])
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(np.mean(np.square(sigmas))), rel=0.4)


def test_no_motions_no_change():
    T, _, _ = world(0)
    np.testing.assert_array_equal(optimize(T, [], CONFIG).T_world_camera, T)


def test_poses_are_as_near_as_their_motions_allow():
    T, start, edges = world(4, noise=2e-4)
    found = optimize(start, edges, CONFIG).T_world_camera
    assert np.abs(se3_log(inverse(T) @ found)).max() < 2e-3
