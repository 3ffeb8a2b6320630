"""Labels: properties of the cost to go and of the frustum overlap that hold whatever the poses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_policy.actions import FINE, candidates
from grasp_policy.labels import frustum_overlap, funnel_cost, grasp_pixels, paper_target, soft_labels
from wildgrasp.geometry import inverse, pose, se3_exp, so3_exp
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA

FLIP = pose(np.diag([-1.0, -1.0, 1.0]))
seeds = st.integers(0, 10**6)


def random_poses(seed: int, count: int, size: float = 0.3) -> np.ndarray:
    scale = [size, size, size, 1.5, 1.5, 1.5]
    return se3_exp(np.random.default_rng(seed).normal(size=(count, 6)) * scale)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_cost_is_zero_only_at_a_grasp_and_takes_the_nearest(seed: int) -> None:
    grasps, poses = random_poses(seed, 3), random_poses(seed + 1, 8)
    np.testing.assert_allclose(funnel_cost(grasps, grasps), 0.0, atol=1e-7)
    cost = funnel_cost(poses, grasps)
    assert (cost > 0).all()
    np.testing.assert_allclose(cost, np.min([funnel_cost(poses, g[None]) for g in grasps], axis=0))


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_cost_is_the_same_turned_by_half_a_turn_and_moved_with_the_world(seed: int) -> None:
    grasps, poses = random_poses(seed, 3), random_poses(seed + 1, 8)
    world = random_poses(seed + 2, 1)[0]
    cost = funnel_cost(poses, grasps)
    np.testing.assert_allclose(funnel_cost(poses @ FLIP, grasps), cost, atol=1e-7)
    np.testing.assert_allclose(funnel_cost(poses, grasps @ FLIP), cost, atol=1e-7)
    np.testing.assert_allclose(funnel_cost(world @ poses, world @ grasps), cost, atol=1e-7)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_cost_is_the_same_in_a_mirror(seed: int) -> None:
    """Left-right mirroring of a view mirrors all poses at the camera's y-z plane, so it may keep its labels."""
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    grasps, poses = random_poses(seed, 3), random_poses(seed + 1, 8)
    np.testing.assert_allclose(
        funnel_cost(mirror @ poses @ mirror, mirror @ grasps @ mirror), funnel_cost(poses, grasps), atol=1e-7
    )


def test_the_candidates_are_their_own_mirror_image() -> None:
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    moves = candidates(0.4, FINE)
    mirrored = mirror @ moves @ mirror
    distance = np.abs(mirrored[:, None] - moves[None]).max(axis=(2, 3)).min(axis=1)
    np.testing.assert_allclose(distance, 0.0, atol=1e-12)


def test_aligning_comes_before_advancing() -> None:
    grasp = np.eye(4)[None]
    behind = pose(t=np.array([0.04, 0.0, -0.05]))  # 4 cm beside the axis, 5 cm before the grasp
    sideways = behind @ pose(t=np.array([-0.02, 0.0, 0.0]))
    forward = behind @ pose(t=np.array([0.0, 0.0, 0.02]))
    cost = funnel_cost(np.stack([behind, sideways, forward]), grasp)
    assert cost[1] < cost[0] and cost[1] < cost[2]
    on_axis = pose(t=np.array([0.0, 0.0, -0.05]))
    ahead = funnel_cost(np.stack([on_axis, on_axis @ pose(t=np.array([0.0, 0.0, 0.02]))]), grasp)
    assert ahead[1] < ahead[0]


def test_going_past_the_grasp_costs_more_than_stopping_short() -> None:
    short, past = pose(t=np.array([0, 0, -0.02])), pose(t=np.array([0, 0, 0.02]))
    cost = funnel_cost(np.stack([short, past]), np.eye(4)[None])
    assert cost[1] > cost[0]


@pytest.mark.parametrize("seed", range(5))
def test_greedy_descent_over_the_fine_candidates_reaches_the_grasp(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grasps = np.stack([pose(t=np.array([0.2, 0, 0])), pose(so3_exp(np.array([0.3, 0.4, 1.0])))])
    T = grasps[1] @ pose(so3_exp(rng.normal(size=3) * 0.3), np.array([*rng.normal(size=2) * 0.08, -0.4]))
    for _ in range(40):
        height = max(0.25, 0.25 + np.linalg.norm(T[:3, 3] - grasps[1, :3, 3]))
        options = np.concatenate([T[None], T @ candidates(height, FINE)])
        cost = funnel_cost(options, grasps)
        T = options[cost.argmin()]
        if cost.argmin() == 0:
            break
    assert cost.min() < 0.025


@given(seeds, st.floats(1e-4, 1.0))
@settings(max_examples=30, deadline=None)
def test_soft_labels_are_probabilities_in_the_order_of_cost(seed: int, temperature: float) -> None:
    cost = np.random.default_rng(seed).uniform(0, 10, (4, 16))
    labels = soft_labels(cost, temperature)
    np.testing.assert_allclose(labels.sum(axis=-1), 1.0)
    assert (np.diff(np.take_along_axis(labels, cost.argsort(axis=-1), -1), axis=-1) <= 0).all()
    np.testing.assert_allclose(soft_labels(cost + 5.0, temperature), labels, rtol=1e-6)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_frustum_overlap_is_one_for_the_same_view_and_does_not_depend_on_the_world(seed: int) -> None:
    truth, world = random_poses(seed, 2)
    near = truth @ candidates(0.4, FINE)
    overlap = frustum_overlap(near, truth)
    assert ((overlap > 0.2) & (overlap < 1)).all()
    assert frustum_overlap(truth[None], truth)[0] == 1.0
    np.testing.assert_allclose(frustum_overlap(world @ near, world @ truth), overlap, atol=2e-3)


def test_frusta_that_do_not_meet_overlap_by_nothing() -> None:
    assert (
        frustum_overlap(np.stack([pose(t=np.array([5.0, 0, 0])), pose(np.diag([-1.0, 1, -1]))]), np.eye(4)).max() == 0
    )


def test_grasp_pixel_is_where_the_fingertips_are_seen_when_the_gripper_is_there() -> None:
    grasp = random_poses(3, 1)[0]
    pixel = grasp_pixels((grasp @ NOMINAL_T_FINGERTIP_CAMERA)[None], grasp)[0]
    assert abs(pixel[0] - 39.5) < 1e-6 and 22 < pixel[1] < 44
    behind = grasp @ pose(t=np.array([0, 0, 0.5])) @ inverse(NOMINAL_T_CAMERA_FINGERTIP)
    assert (grasp_pixels(behind[None], grasp)[0] < -100).all()


def test_paper_target_is_one_at_the_end_and_falls_before() -> None:
    np.testing.assert_allclose(paper_target(np.array([0, 1, 10])), [1.0, 0.999, 0.999**10])
