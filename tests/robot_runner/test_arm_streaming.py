"""The streamed motion keeps its caps whatever goals arrive, arrives exactly, and stops when told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_runner.arm.base import MotionLimits
from robot_runner.arm.kinematics import UR5, forward
from robot_runner.arm.streamer import STOP_RAD_S2, Mode, Streamer
from wildgrasp.geometry import rotation_angle, se3_exp

DT = 1 / 125
HOME = np.array([0.0, -1.57, 1.35, -1.35, -1.57, 0.0])
LIMITS = MotionLimits()


def stream(streamer, cycles):
    return np.array([streamer.next() for _ in range(cycles)])


def until_settled(streamer, at_most=3000):
    path = []
    while not streamer.settled:
        path.append(streamer.next())
        assert len(path) < at_most
    return np.array(path).reshape(-1, 6)


def twists(path):
    """Linear and angular speeds of the flange along a joint path."""
    T = forward(UR5, path)
    linear = np.linalg.norm(np.diff(T[:, :3, 3], axis=0), axis=1) / DT
    angular = rotation_angle(np.swapaxes(T[:-1, :3, :3], 1, 2) @ T[1:, :3, :3]) / DT
    return T, linear, angular


SMALL_TWIST = st.lists(st.floats(-0.12, 0.12), min_size=6, max_size=6).map(np.array)


@given(goals=st.lists(st.tuples(SMALL_TWIST, st.integers(1, 60)), min_size=1, max_size=3))
@settings(max_examples=6, deadline=None)
def test_caps_hold_however_often_the_goal_is_replaced(goals):
    streamer = Streamer(UR5, DT, HOME)
    path = [np.tile(HOME, (3, 1))]
    for twist, cycles in goals:
        streamer.move_to(forward(UR5, HOME) @ se3_exp(twist), LIMITS)
        path.append(stream(streamer, cycles))
    path.append(until_settled(streamer))
    path = np.concatenate(path)
    T, linear, angular = twists(path)
    assert linear.max() <= LIMITS.speed_m_s * 1.02
    assert angular.max() <= LIMITS.angular_speed_rad_s * 1.02
    assert np.abs(np.diff(path, axis=0)).max() / DT <= LIMITS.joint_speed_rad_s * 1.01
    acceleration = np.linalg.norm(np.diff(T[:, :3, 3], 2, axis=0), axis=1) / DT**2
    assert acceleration.max() <= LIMITS.acceleration_m_s2 * 1.1
    assert not streamer.fault
    np.testing.assert_allclose(T[-1], forward(UR5, HOME) @ se3_exp(goals[-1][0]), atol=1e-5)


def test_a_move_from_rest_is_straight_and_ends_exactly():
    streamer = Streamer(UR5, DT, HOME)
    start, goal = forward(UR5, HOME), forward(UR5, HOME)
    goal[:3, 3] += [0.05, -0.1, -0.12]
    streamer.move_to(goal, LIMITS)
    T = forward(UR5, until_settled(streamer))
    direction = (goal - start)[:3, 3] / np.linalg.norm((goal - start)[:3, 3])
    offset = T[:, :3, 3] - start[:3, 3]
    across = offset - (offset @ direction)[:, None] * direction
    assert np.linalg.norm(across, axis=1).max() < 2e-4
    np.testing.assert_allclose(T[-1], goal, atol=1e-6)


def test_jerk_is_bounded():
    streamer = Streamer(UR5, DT, HOME)
    goal = forward(UR5, HOME)
    goal[2, 3] -= 0.15
    streamer.move_to(goal, LIMITS)
    path = np.concatenate([np.tile(HOME, (8, 1)), until_settled(streamer)])
    jerk = np.linalg.norm(np.diff(forward(UR5, path)[:, :3, 3], 3, axis=0), axis=1) / DT**3
    assert jerk.max() <= 2.5 * LIMITS.acceleration_m_s2 / 0.04


@given(q=st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6).map(lambda d: HOME + 0.1 + np.array(d)))
@settings(max_examples=8, deadline=None)
def test_joint_moves_keep_their_caps_and_arrive_together(q):
    streamer = Streamer(UR5, DT, HOME)
    streamer.move_joints(q, LIMITS)
    path = np.concatenate([HOME[None], until_settled(streamer)])
    np.testing.assert_allclose(path[-1], q, atol=1e-6)
    assert np.abs(np.diff(path, axis=0)).max() / DT <= LIMITS.joint_speed_rad_s * 1.001
    assert np.abs(np.diff(path, 2, axis=0)).max() / DT**2 <= LIMITS.joint_acceleration_rad_s2 * 1.1


def test_stop_decelerates_and_holds():
    streamer = Streamer(UR5, DT, HOME)
    goal = forward(UR5, HOME)
    goal[2, 3] -= 0.2
    streamer.move_to(goal, LIMITS)
    moving = stream(streamer, 60)
    speed = np.abs(moving[-1] - moving[-2]).max() / DT
    streamer.stop()
    path = until_settled(streamer)
    assert np.abs(path[-1] - moving[-1]).max() <= speed**2 / (2 * STOP_RAD_S2) + speed * 0.06
    assert streamer.mode is Mode.HOLD
    np.testing.assert_array_equal(stream(streamer, 5), np.tile(streamer.next(), (5, 1)))


def test_a_line_that_leaves_the_reach_stops_with_a_reason_and_does_not_jump():
    streamer = Streamer(UR5, DT, HOME)
    goal = forward(UR5, HOME)
    goal[0, 3] -= 1.0
    streamer.move_to(goal, LIMITS)
    path = until_settled(streamer)
    assert "reach" in streamer.fault
    assert np.abs(np.diff(path, axis=0)).max() / DT <= LIMITS.joint_speed_rad_s * 1.01


def test_a_joint_goal_beyond_the_limits_stops_with_a_reason():
    streamer = Streamer(UR5, DT, np.array([6.2, *HOME[1:]]))
    streamer.move_joints(np.array([6.4, *HOME[1:]]), LIMITS)
    path = until_settled(streamer)
    assert "limit" in streamer.fault
    assert path[:, 0].max() <= 2 * np.pi


@pytest.mark.parametrize("first", ["line", "joints"])
def test_changing_between_lines_and_joints_in_motion_is_smooth(first):
    streamer = Streamer(UR5, DT, HOME)
    goal = forward(UR5, HOME)
    goal[1, 3] += 0.2
    moves = {
        "line": lambda: streamer.move_to(goal, LIMITS),
        "joints": lambda: streamer.move_joints(HOME + 0.4, LIMITS),
    }
    moves[first]()
    before = stream(streamer, 50)
    moves["joints" if first == "line" else "line"]()
    path = np.concatenate([before, until_settled(streamer)])
    assert np.abs(np.diff(path, 2, axis=0)).max() / DT**2 <= 8.0
