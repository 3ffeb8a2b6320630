"""The real-time cell: the unmodified UR client moves the simulated arm, and the camera sees it move."""

import socket

import numpy as np
import pytest

from digital_twin.ur_controller.server import RTDE_PORT
from digital_twin.world.cell_piles import PileSettings
from digital_twin.world.cell_process import start_robot_cell
from digital_twin.world.robot_cell import START_Q
from robot_runner.arm.kinematics import UR5, forward
from wildgrasp.errors import CameraError, RobotError
from wildgrasp.rig import MAX_OPENING_M, T_TOOL_FINGERTIP

ADDRESS = "127.0.0.61"
PILE = PileSettings(objects=(2, 2))


def free_port():
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def twin():
    with start_robot_cell(5, ADDRESS, free_port(), pile=PILE) as twin:
        yield twin


def test_truth_of_a_cell_at_rest(twin):
    truth = twin.truth()
    assert np.allclose(truth.T_base_fingertip, forward(UR5, np.array(START_Q)) @ T_TOOL_FINGERTIP, atol=1e-4)
    assert truth.lifted == ()
    assert truth.finger_width_m == pytest.approx(MAX_OPENING_M, abs=1e-3)
    assert set(truth.objects) == set(twin.object_kinds)


def test_the_unmodified_client_moves_the_arm_and_the_camera_sees_it(twin):
    rtde_control = pytest.importorskip("rtde_control")
    rtde_receive = pytest.importorskip("rtde_receive")
    info = twin.camera.open()
    before = twin.camera.read(5.0)
    assert before.depth_raw.shape == (info.intrinsics.height, info.intrinsics.width)
    control = rtde_control.RTDEControlInterface(twin.host)
    receive = rtde_receive.RTDEReceiveInterface(twin.host)
    try:
        goal = receive.getActualTCPPose()
        goal[2] -= 0.15
        assert control.moveL(goal, 0.25, 0.8)
        fingertip = twin.truth().T_base_fingertip
        assert fingertip[2, 3] == pytest.approx(goal[2] - T_TOOL_FINGERTIP[2, 3], abs=2e-3)
    finally:
        control.disconnect()
        receive.disconnect()
    after = twin.camera.read(5.0)
    assert after.t_host_ns > before.t_host_ns
    seen = [np.median(frame.depth[60:120, 280:360]) for frame in (before, after)]
    assert 0.05 < seen[0] - seen[1] < 0.2  # nearer to the table


def test_the_whole_cell_can_be_seen_between_two_frames(twin):
    twin.camera.open()
    twin.camera.read(5.0)
    picture = twin.camera.outside_view(10.0)
    assert picture.shape == (360, 480, 3) and picture.std() > 10
    assert twin.camera.read(5.0).depth_raw.any()


def test_objects_can_be_taken_away_and_come_back(twin):
    name = next(iter(twin.object_kinds))
    before = twin.truth().objects[name]
    twin.remove_object(name)
    assert name not in twin.truth().objects
    twin.reset_objects()
    assert np.allclose(twin.truth().objects[name], before, atol=2e-3)


def test_a_second_cell_at_the_same_address_is_refused(twin):
    with pytest.raises(RobotError, match=f"{ADDRESS}:{RTDE_PORT}"):
        start_robot_cell(5, ADDRESS, free_port(), pile=PILE)


def test_addresses_of_real_networks_are_refused():
    with pytest.raises(RobotError, match="loopback"):
        start_robot_cell(5, "192.168.0.1", 1502, pile=PILE)


def test_a_closed_cell_says_so(twin):
    twin.close()
    with pytest.raises(RobotError):
        twin.truth()
    with pytest.raises(CameraError):
        twin.camera.read()
    twin.close()
