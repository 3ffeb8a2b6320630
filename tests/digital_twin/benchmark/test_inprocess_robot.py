"""The in-process robot keeps its promises: limits, waiting, interpolation, and time that passes only in waits."""

import numpy as np
import pytest

from digital_twin.benchmark.inprocess import CYCLE_S, InProcessArm, InProcessCamera, InProcessGripper, VirtualRobot
from digital_twin.world.cell_piles import CellScene
from digital_twin.world.cell_reality import Reality
from digital_twin.world.robot_cell import CellSettings, RobotCell
from digital_twin.world.scene import build_scene
from robot_runner.arm.base import MotionLimits
from robot_runner.arm.kinematics import UR5, forward
from wildgrasp.errors import RobotError
from wildgrasp.geometry import inverse, pose, rotation_angle, se3_log, so3_exp

LIMITS = MotionLimits()


@pytest.fixture(scope="module")
def cell():
    scene = build_scene(1, n_objects=0)
    return RobotCell(CellSettings(reality=Reality(camera_latency_s=0.048)), CellScene(scene.spec, {}))


@pytest.fixture
def robot(cell):
    cell.reset()
    return VirtualRobot(cell)


def record_motion(robot, arm, timeout_s=10.0):
    """Flange poses [N, 4, 4] of every cycle until arrival."""
    poses = [forward(UR5, robot.cell.q)]
    for _ in range(round(timeout_s / CYCLE_S)):
        if arm.wait(0.0):
            return np.array(poses)
        robot.advance()
        poses.append(forward(UR5, robot.cell.q))
    raise AssertionError("it did not arrive")


GOALS = [
    pose(t=np.array([0.0, 0.1, 0.2])),
    pose(so3_exp(np.array([0.3, -0.2, 0.5]))),
    pose(so3_exp(np.array([0.0, 0.3, 0.0])), np.array([0.05, -0.1, 0.1])),
]


@pytest.mark.parametrize("T_move", GOALS)
def test_straight_moves_arrive_within_speed_limits(robot, T_move):
    arm = InProcessArm(robot)
    start = arm.state().T_base_tool
    goal = start @ T_move
    arm.move_to(goal, LIMITS)
    poses = record_motion(robot, arm)
    assert np.allclose(poses[-1], goal, atol=1e-3)
    speeds = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1) / CYCLE_S
    turns = rotation_angle(np.swapaxes(poses[:-1, :3, :3], 1, 2) @ poses[1:, :3, :3]) / CYCLE_S
    assert speeds.max() <= 1.05 * LIMITS.speed_m_s
    assert turns.max() <= 1.05 * LIMITS.angular_speed_rad_s
    accelerations = np.diff(speeds) / CYCLE_S
    assert np.abs(accelerations).max() <= 1.5 * LIMITS.acceleration_m_s2
    line = goal[:3, 3] - start[:3, 3]
    if np.linalg.norm(line) > 0:
        line /= np.linalg.norm(line)
        offsets = poses[:, :3, 3] - start[:3, 3]
        assert np.linalg.norm(offsets - np.outer(offsets @ line, line), axis=1).max() < 1e-3


def test_joint_moves_respect_the_joint_speed(robot):
    arm = InProcessArm(robot)
    goal = arm.state().q + np.array([0.8, -0.2, 0.3, 0.0, 0.1, -1.0])
    arm.move_joints(goal, LIMITS)
    fastest = 0.0
    while not arm.wait(CYCLE_S):
        fastest = max(fastest, np.abs(arm.state().qd).max())
    assert np.allclose(arm.state().q, goal, atol=1e-3)
    assert 0.5 < fastest <= 1.05 * LIMITS.joint_speed_rad_s


def test_waits_no_longer_than_told_and_only_then_does_time_pass(robot):
    arm = InProcessArm(robot)
    arm.move_to(arm.state().T_base_tool @ pose(t=np.array([0, 0, 0.2])), LIMITS)
    before = arm.state()
    assert arm.state().t_ns == before.t_ns and np.array_equal(arm.state().q, before.q)
    assert not arm.wait(0.08)
    assert arm.state().t_ns == before.t_ns + 80_000_000
    assert arm.state().moving


def test_wait_returns_early_when_only_little_remains(robot):
    arm = InProcessArm(robot)
    goal = arm.state().T_base_tool @ pose(t=np.array([0, 0, 0.1]))
    arm.move_to(goal, LIMITS)
    assert arm.wait(5.0, remaining_m=0.01)
    rest = np.linalg.norm(arm.state().T_base_tool[:3, 3] - goal[:3, 3])
    assert 0.002 < rest < 0.015
    assert arm.wait(5.0)


def test_out_of_reach_is_refused_and_nothing_moves(robot):
    arm = InProcessArm(robot)
    before = arm.state().q
    with pytest.raises(RobotError):
        arm.move_to(pose(t=np.array([3.0, 0, 0])), LIMITS)
    assert arm.wait(0.1)
    assert np.allclose(arm.state().q, before, atol=1e-6)


def test_stop_decelerates_and_holds(robot):
    arm = InProcessArm(robot)
    arm.move_to(arm.state().T_base_tool @ pose(t=np.array([0, 0, 0.2])), LIMITS)
    arm.wait(0.5)
    moving_at = arm.state().T_base_tool
    arm.stop()
    assert arm.wait(2.0)
    assert np.linalg.norm(arm.state().T_base_tool[:3, 3] - moving_at[:3, 3]) < 0.06
    assert not arm.state().moving
    arm.stop()


def test_past_poses_are_those_that_were(robot):
    arm = InProcessArm(robot)
    arm.move_to(arm.state().T_base_tool @ pose(t=np.array([0, 0, 0.1])), LIMITS)
    seen = []
    for _ in range(20):
        arm.wait(0.016)
        seen.append(arm.state())
    for state in seen:
        error = se3_log(inverse(state.T_base_tool) @ arm.tool_pose_at(state.t_ns))
        assert np.abs(error).max() < 1e-9
    middle = arm.tool_pose_at((seen[5].t_ns + seen[6].t_ns) // 2)
    assert seen[6].T_base_tool[2, 3] < middle[2, 3] < seen[5].T_base_tool[2, 3]


def test_gripper_closes_and_reports_nothing_held(robot):
    gripper = InProcessGripper(robot)
    gripper.move_to(0.0, 25.0)
    assert gripper.state().busy
    state = gripper.wait(5.0)
    assert state.width_m < 1e-3 and not state.grip_detected
    with pytest.raises(RobotError):
        gripper.move_to(0.11, 25.0)
        gripper.wait(0.01)


def test_a_frame_is_stamped_with_its_exposure_and_arrives_after_the_latency(robot):
    camera = InProcessCamera(robot, Reality(camera_latency_s=0.048), seed=0)
    try:
        info = camera.open()
        before = robot.now_ns
        frame = camera.read()
    finally:
        camera.close()
    assert frame.t_host_ns == before
    assert robot.now_ns == before + 48_000_000
    assert frame.depth.shape == (info.intrinsics.height, info.intrinsics.width)
    center = frame.depth[200:240, 300:340]
    assert 0.5 < np.median(center[center > 0]) < 0.9  # the table, seen from the start pose
