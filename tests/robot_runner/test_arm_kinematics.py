"""Kinematics: exact truths, round trips, and the refusal to leave the branch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_runner.arm.kinematics import UR5, UR5E, forward, inverse_near, jacobian, singularity_margin, within_limits
from wildgrasp.geometry import rotation_angle, so3_log

MODELS = pytest.mark.parametrize("model", [UR5, UR5E], ids=lambda m: m.name)
HOME = np.array([0.0, -1.57, 1.57, -1.57, -1.57, 0.0])
JOINTS = st.lists(st.floats(-3, 3), min_size=6, max_size=6).map(np.array)


@pytest.mark.parametrize(
    ("model", "position"),
    [
        (UR5, [-0.425 - 0.39225, -0.10915 - 0.0823, 0.089159 - 0.09465]),
        (UR5E, [-0.425 - 0.3922, -0.1333 - 0.0996, 0.1625 - 0.0997]),
    ],
)
def test_stretched_out_flange_is_where_the_link_lengths_put_it(model, position):
    T = forward(model, np.zeros(6))
    np.testing.assert_allclose(T[:3, 3], position, atol=1e-12)
    np.testing.assert_allclose(T[:3, :3], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)


@MODELS
@given(q=JOINTS)
@settings(max_examples=40, deadline=None)
def test_jacobian_is_the_derivative_of_forward(model, q):
    h = 1e-6
    plus, minus = (forward(model, q + sign * h * np.eye(6)) for sign in (1, -1))
    linear = (plus[:, :3, 3] - minus[:, :3, 3]) / (2 * h)
    angular = so3_log(plus[:, :3, :3] @ np.swapaxes(minus[:, :3, :3], 1, 2)) / (2 * h)
    np.testing.assert_allclose(jacobian(model, q), np.concatenate([linear, angular], axis=1).T, atol=1e-7)


@MODELS
@given(q=JOINTS, step=st.lists(st.floats(-0.15, 0.15), min_size=6, max_size=6).map(np.array))
@settings(max_examples=60, deadline=None)
def test_inverse_recovers_the_joints_from_nearby(model, q, step):
    if min(singularity_margin(model, q), singularity_margin(model, q + step)) < 0.08:
        return
    found, ok = inverse_near(model, forward(model, q + step), q)
    assert ok
    T, T_goal = forward(model, found), forward(model, q + step)
    assert np.linalg.norm(T[:3, 3] - T_goal[:3, 3]) < 1e-6
    assert rotation_angle(T[:3, :3].T @ T_goal[:3, :3]) < 1e-6


@MODELS
def test_a_straight_line_is_followed_without_a_branch_jump(model):
    q, T = HOME.copy(), forward(model, HOME)
    for _ in range(60):
        T = T.copy()
        T[2, 3] -= 0.005
        found, ok = inverse_near(model, T, q)
        assert ok
        assert np.abs(found - q).max() < 0.05
        q = found


@MODELS
def test_batch_equals_one_by_one(model):
    rng = np.random.default_rng(1)
    goals = forward(model, HOME + rng.uniform(-0.2, 0.2, (12, 6)))
    batch, ok = inverse_near(model, goals, HOME)
    assert ok.all()
    for goal, expected in zip(goals, batch, strict=True):
        np.testing.assert_allclose(inverse_near(model, goal, HOME)[0], expected, atol=1e-9)


@MODELS
def test_out_of_reach_and_not_a_number_are_refused(model):
    far = forward(model, HOME)
    far[0, 3] += 2.0
    nan = np.full((4, 4), np.nan)
    good = forward(model, HOME + 0.05)
    _, ok = inverse_near(model, np.stack([far, nan, good]), HOME)
    assert ok.tolist() == [False, False, True]


def test_stretched_arm_is_singular_and_home_is_not():
    assert singularity_margin(UR5, np.array([0, -1.57, 0.0, -1.57, -1.57, 0])) < 0.02
    assert singularity_margin(UR5, HOME) > 0.05


def test_joint_limits_with_margin():
    assert within_limits(UR5, HOME)
    assert not within_limits(UR5, np.array([6.2, 0, 0, 0, 0, 0]), margin_rad=0.1)
