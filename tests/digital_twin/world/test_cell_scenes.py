"""The wall's hooks hold and let go, for good; the sheet carries its pile; both come back with a reset."""

import numpy as np
import pytest

from digital_twin.benchmark.workspace import WALL_START_Q, guard_limits, scene_volume, start_joints
from digital_twin.world.cell_sheet import SHIFT_M, SHIFT_S, TURN_RAD, draw_shift
from digital_twin.world.cell_wall import HOOK_FORCE_N, WALL_IN_BASE_M
from digital_twin.world.robot_cell import CellSettings, RobotCell
from robot_runner.guard import check_joints

CYCLE_S = 0.008


@pytest.fixture(scope="module")
def wall():
    return RobotCell(CellSettings(seed=1, scene="wall", start_q=WALL_START_Q))


@pytest.fixture(scope="module")
def sheet():
    return RobotCell(CellSettings(seed=2, scene="dynamic"))


def let_pass(cell, seconds, pull=None):
    """``pull``: object and force [3] in the world on its centre of mass."""
    q = cell.q
    for _ in range(round(seconds / CYCLE_S)):
        if pull is not None:
            cell.data.xfrc_applied[cell.object_bodies[pull[0]], :3] = pull[1]
        cell.step(q, CYCLE_S)
    cell.data.xfrc_applied[:] = 0.0


def test_what_hangs_stays_where_it_is_in_front_of_the_wall(wall):
    wall.reset()
    before = wall.objects()
    let_pass(wall, 1.0)
    assert len(before) >= 3
    volume = scene_volume("wall")
    for name, T in wall.objects().items():
        assert np.linalg.norm(T[:3, 3] - before[name][:3, 3]) < 1e-4
        assert T[0, 3] < WALL_IN_BASE_M
        assert volume.contains(T[:3, 3])


def test_a_hook_holds_less_than_its_force_and_lets_go_beyond_for_good(wall):
    wall.reset()
    name = next(iter(wall.objects()))
    start = wall.objects()[name][:3, 3]
    weight = 9.81 * float(wall.model.body_mass[wall.object_bodies[name]])
    let_pass(wall, 0.3, (name, [-0.7 * HOOK_FORCE_N, 0, 0]))
    assert np.linalg.norm(wall.objects()[name][:3, 3] - start) < 0.003
    let_pass(wall, 0.05, (name, [-1.5 * (HOOK_FORCE_N + weight), 0, 0]))
    let_pass(wall, 0.3)
    assert wall.objects()[name][2, 3] < start[2] - 0.1  # it falls, and no hook catches it again
    wall.reset()
    let_pass(wall, 0.2)
    np.testing.assert_allclose(wall.objects()[name][:3, 3], start, atol=1e-4)


def test_an_object_that_is_taken_away_leaves_its_hook(wall):
    wall.reset()
    names = list(wall.objects())
    wall.remove_object(names[0])
    let_pass(wall, 0.2)
    assert list(wall.objects()) == names[1:]


def test_start_poses_before_the_wall_are_acceptable_and_the_wall_is_not_entered():
    limits = guard_limits("wall")
    for seed in range(10):
        q = np.array(start_joints(np.random.default_rng(seed), 0.04, 0.2, "wall"))
        assert check_joints(q, q, limits).kind != "refuse"
    T = check_joints(np.array(WALL_START_Q), np.array(WALL_START_Q), limits).T_base_fingertip
    assert abs(T[0, 3] - (WALL_IN_BASE_M - 0.5)) < 0.06
    assert T[0, 2] > 0.99  # pointing at it


def test_the_sheet_takes_its_pile_along_and_comes_back_with_a_reset(sheet):
    sheet.reset()
    before = sheet.objects()
    goal = np.array([0.10, -0.05, 0.5])
    sheet.sheet.pull(goal)
    let_pass(sheet, SHIFT_S + 0.5)
    np.testing.assert_allclose(sheet.data.qpos[[sheet.model.joint(n).qposadr[0] for n in JOINTS]], goal, atol=0.005)
    moved = {name: T[:3, 3] - before[name][:3, 3] for name, T in sheet.objects().items()}
    along = np.mean([shift[:2] for shift in moved.values()], axis=0)
    assert np.linalg.norm(along - goal[:2]) < 0.05  # turning about the middle hardly moves their mean
    sheet.reset()
    for name, T in sheet.objects().items():
        np.testing.assert_allclose(T, before[name], atol=1e-9)


JOINTS = ("sheet_x", "sheet_y", "sheet_turn")


def test_every_pull_is_farther_than_the_papers_least_and_stays_on_the_table():
    rng = np.random.default_rng(0)
    place = np.zeros(3)
    for _ in range(100):
        goal = draw_shift(rng, place)
        assert np.linalg.norm(goal[:2] - place[:2]) >= SHIFT_M[0]
        assert abs(goal[2] - place[2]) >= TURN_RAD[0]
        assert np.linalg.norm(goal[:2]) < 0.16
        assert abs(goal[2]) < 0.8
        place = goal
