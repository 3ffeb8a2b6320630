"""The expert looks ahead at what the close rule would do; physics tells it what comes of that."""

import numpy as np
import pytest

from digital_twin.benchmark import expert as expert_module
from digital_twin.benchmark.expert import Expert
from digital_twin.benchmark.grasp_search import GraspSearch, find_grasps
from digital_twin.world.robot_cell import CellSettings, RobotCell
from grasp_policy.policy import Decision
from robot_runner.guard import raised
from wildgrasp.geometry import pose

ABOVE = pose(t=np.array([0.0, 0.0, -0.15]))  # in the air, where closing takes nothing


@pytest.fixture(scope="module")
def cell():
    return RobotCell(CellSettings(seed=1))


@pytest.fixture(scope="module")
def grasps(cell):
    return find_grasps(cell, np.random.default_rng(0), GraspSearch(wanted=2))


def decide(cell, grasps, closes=lambda T: None):
    """What the expert does from the start pose if the close rule closed where ``closes`` says a pose."""
    expert = Expert(cell, np.random.default_rng(0), grasps=list(grasps))
    expert.reset()

    def close_if_due(observer, view, T, allowed, preset):
        T_close = closes(T)
        return None if T_close is None else Decision("close", T_close, "due")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expert_module, "close_if_due", close_if_due)
        decision = expert.decide(cell.T_base_fingertip(), lambda moves: np.ones(len(moves), bool))
    return decision, expert


def only_at(pose_, T_close):
    return lambda T: T_close if np.allclose(T, pose_) else None


@pytest.mark.parametrize("holds", [True, False])
def test_goes_where_the_close_rule_would_close_if_that_holds(cell, grasps, holds):
    nearest, expert = decide(cell, grasps)
    (end,), _ = raised(nearest.candidates[nearest.chosen][None], expert._limits)
    grasp = grasps[0].T_base_fingertip
    decision, _ = decide(cell, grasps, only_at(end, grasp if holds else grasp @ ABOVE))
    assert decision.kind == "move"
    assert (decision.chosen == nearest.chosen) == holds


def test_takes_the_nearest_candidate_if_every_one_would_close_on_nothing(cell, grasps):
    nearest, _ = decide(cell, grasps)
    start = cell.T_base_fingertip()
    decision, _ = decide(cell, grasps, lambda T: None if np.allclose(T, start) else grasps[0].T_base_fingertip @ ABOVE)
    assert decision.chosen == nearest.chosen


def test_closes_where_the_close_rule_says_so_whatever_comes_of_it(cell, grasps):
    decision, _ = decide(cell, grasps, lambda T: T)
    assert decision.kind == "close"


def test_what_rolls_about_is_no_target(cell, grasps, monkeypatch):
    other = next(g for g in find_grasps(cell, np.random.default_rng(1)) if g.object != grasps[0].object)
    monkeypatch.setattr(cell, "object_speed", lambda name: 0.1 * (name == grasps[0].object))
    _, expert = decide(cell, [grasps[0], other])
    rolling, lying = expert._targets()
    assert np.linalg.norm(rolling[:3, 3]) > 100
    assert np.allclose(lying, other.T_base_fingertip)
    monkeypatch.setattr(cell, "object_speed", lambda name: 0.1)
    assert np.allclose(expert._targets()[0], grasps[0].T_base_fingertip)  # better than none


def test_grasps_of_what_is_gone_are_forgotten_and_others_searched(cell, grasps):
    kept = [g for g in grasps if g.object == grasps[0].object]
    with cell.imagined():
        cell.remove_object(grasps[0].object)
        _, expert = decide(cell, kept)
        names = {g.object for g in expert._grasps}
    assert names and grasps[0].object not in names


def test_no_grasp_is_a_target_at_which_the_close_rule_would_see_too_little(cell, grasps, monkeypatch):
    low, high = grasps[:2]
    heights = {id(low): 0.009, id(high): 0.011}  # the rule asks for 8 mm
    monkeypatch.setattr(expert_module, "find_grasps", lambda cell, rng: [low, high])
    by_pose = {g.T_base_fingertip.tobytes(): heights[id(g)] for g in (low, high)}
    monkeypatch.setattr(expert_module, "height_between", lambda cell, T: by_pose[T.tobytes()])
    rng = np.random.default_rng(0)
    assert Expert(cell, rng)._grasps == [high]
    assert Expert(cell, rng, closes_itself=True)._grasps == [low, high]
    monkeypatch.setattr(expert_module, "height_between", lambda cell, T: 0.0)
    assert Expert(cell, rng)._grasps == [low, high]  # better than none
