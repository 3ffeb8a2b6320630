"""Verified grasps are real, and finding them leaves no trace."""

import numpy as np

from digital_twin.benchmark.grasp_search import GraspSearch, find_grasps, grasped_by, height_between
from digital_twin.world.cell_reality import Reality
from digital_twin.world.robot_cell import CellSettings, RobotCell
from wildgrasp.geometry import pose
from wildgrasp.rig import MAX_OPENING_M


def test_finds_grasps_of_objects_and_leaves_the_cell_as_it_was():
    cell = RobotCell(CellSettings(seed=1))
    before = cell.data.qpos.copy()
    grasps = find_grasps(cell, np.random.default_rng(0), GraspSearch(wanted=3))
    assert len(grasps) == 3
    for grasp in grasps:
        assert grasp.object in cell.objects()
        assert 0 < grasp.width_m < MAX_OPENING_M
        assert np.allclose(cell.objects()[grasp.object] @ grasp.T_object_fingertip, grasp.T_base_fingertip)
    assert np.array_equal(cell.data.qpos, before)


def test_finds_nothing_that_frictionless_pads_could_hold():
    cell = RobotCell(CellSettings(seed=1, reality=Reality(pad_friction=1e-5)))
    assert find_grasps(cell, np.random.default_rng(0), GraspSearch(max_trials=6)) == []


def test_foresees_what_a_straight_move_closing_and_lifting_would_take():
    cell = RobotCell(CellSettings(seed=1))
    (grasp,) = find_grasps(cell, np.random.default_rng(0), GraspSearch(wanted=1))
    above = grasp.T_base_fingertip @ pose(t=np.array([0.0, 0.0, -0.15]))
    before = cell.data.qpos.copy()
    cell.place_robot(cell.settings.start_q)
    assert grasped_by(cell, above, 25.0, 0.1) == []
    assert grasped_by(cell, grasp.T_base_fingertip, 1.0, 0.0) == []  # closed, but not lifted
    assert np.array_equal(cell.data.qpos, before)


def test_what_reaches_in_between_the_fingers_is_measured_along_the_approach():
    cell = RobotCell(CellSettings(seed=1))
    cell.place_robot(cell.settings.start_q)
    (grasp,) = find_grasps(cell, np.random.default_rng(0), GraspSearch(wanted=1))
    height_m = height_between(cell, grasp.T_base_fingertip)
    assert 0 < height_m < 0.1
    for back_m in (0.005, 0.03):
        back = grasp.T_base_fingertip @ pose(t=np.array([0.0, 0.0, -back_m]))
        assert np.isclose(height_between(cell, back), height_m - back_m)
    up = pose(np.diag([1.0, -1.0, -1.0]), grasp.T_base_fingertip[:3, 3] + [0, 0, 0.5])
    assert height_between(cell, up @ pose(np.diag([1.0, -1.0, -1.0]))) == -np.inf  # looking up: only air
