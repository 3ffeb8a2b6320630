"""The Q-policy's step on an analytic scene: the evaluator is a plain function, so every decision is predictable."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import AnalyticScene, Box, Plane

from grasp_policy.actions import CANDIDATES, FINE, PAPER, SENSOR_CAMERA, candidates, median_depth
from grasp_policy.observer import SceneObserver
from grasp_policy.q_policy import QPolicy
from grasp_policy.registry import make_policy
from grasp_policy.scene.tsdf import Volume
from wildgrasp.errors import CheckpointError
from wildgrasp.geometry import pose
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA, gripper_mask

WORKSPACE = Volume((-0.2, -0.2, -0.03), (80, 80, 80))
BLOCK = AnalyticScene((Plane(), Box((-0.02, -0.05, 0.0), (0.02, 0.05, 0.08))))
GRIPPER = gripper_mask(SENSOR_CAMERA, NOMINAL_T_CAMERA_FINGERTIP, 0.11, margin_px=0)


def looking_down(height: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    return pose(np.diag([1.0, -1.0, -1.0]), np.array([x, y, height]))


def everything_allowed(poses):
    return np.ones(len(poses), bool)


def show(policy, T_base_fingertip, scene=BLOCK):
    """One observation as the wrist camera makes it: with the gripper in the picture, 12 cm away and bright."""
    T = T_base_fingertip @ NOMINAL_T_FINGERTIP_CAMERA
    color, depth, _ = scene.render(SENSOR_CAMERA, T)
    color[GRIPPER], depth[GRIPPER] = 255, 0.12
    policy.observe(color, depth, SENSOR_CAMERA, T)


def prefer(index):
    def evaluator(state, views):
        assert len(state) == 1
        assert len(views) == CANDIDATES
        return np.eye(CANDIDATES, dtype=np.float32)[index]

    return evaluator


@pytest.mark.parametrize("preset", [FINE, PAPER], ids=lambda p: p.name)
@pytest.mark.parametrize("index", [0, 11, 34])
def test_takes_the_candidate_with_the_highest_value(index, preset):
    policy = QPolicy(prefer(index), preset, workspace=WORKSPACE)
    T = looking_down(0.25)
    show(policy, T)
    decision = policy.decide(T, everything_allowed)
    assert decision.kind == "move"
    assert decision.chosen == index
    observer = SceneObserver(WORKSPACE)
    show(observer, T)
    expected = T @ candidates(median_depth(observer.views(T)), preset)
    np.testing.assert_allclose(decision.candidates, expected)
    np.testing.assert_allclose(decision.T_base_fingertip, expected[index])
    assert decision.values.shape == (CANDIDATES,)
    assert len(decision.views) == CANDIDATES
    assert {"fuse", "views", "q"} <= set(decision.timings_ms)


def test_candidates_that_are_not_allowed_are_never_taken():
    policy = QPolicy(prefer(3), workspace=WORKSPACE)
    T = looking_down(0.25)
    show(policy, T)
    free = np.arange(CANDIDATES) == 20
    decision = policy.decide(T, lambda poses: free)
    assert decision.chosen == 20
    assert np.isnan(decision.values[~free]).all()
    assert np.isfinite(decision.values[20])
    stuck = policy.decide(T, lambda poses: np.zeros(len(poses), bool))
    assert stuck.kind == "stuck"
    assert stuck.candidates is not None
    np.testing.assert_array_equal(stuck.T_base_fingertip, T)


def test_values_that_are_no_numbers_are_never_taken():
    values = np.full(CANDIDATES, np.nan, np.float32)
    values[5], values[6] = -3.0, np.inf
    policy = QPolicy(lambda state, views: values, workspace=WORKSPACE)
    T = looking_down(0.25)
    show(policy, T)
    assert policy.decide(T, everything_allowed).chosen == 5
    values[5] = np.nan
    assert policy.decide(T, everything_allowed).kind == "stuck"


def test_does_not_move_blind():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    T = looking_down(0.25)
    assert policy.decide(T, everything_allowed).kind == "stuck"
    empty = AnalyticScene(())
    show(policy, T, empty)
    assert policy.decide(T, everything_allowed).kind == "stuck"


def test_outside_the_volume_there_is_nothing_to_decide_and_back_inside_there_is():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    T, away = looking_down(0.25), looking_down(0.25, x=2.0)
    show(policy, T)
    policy.observe(
        np.full((360, 640, 3), 90, np.uint8),
        np.full((360, 640), 0.5, np.float32),
        SENSOR_CAMERA,
        away @ NOMINAL_T_FINGERTIP_CAMERA,
    )
    decision = policy.decide(away, everything_allowed)
    assert decision.kind == "stuck" and "outside the workspace" in decision.reason
    np.testing.assert_array_equal(decision.T_base_fingertip, away)
    assert policy.decide(T, everything_allowed).kind == "move"


@pytest.mark.parametrize("missing", [0.0, np.nan])
def test_without_depth_it_goes_on_from_what_it_has_seen(missing):
    once, twice = (QPolicy(prefer(7), workspace=WORKSPACE) for _ in range(2))
    T = looking_down(0.25)
    for policy in (once, twice):
        show(policy, T)
    blind = np.full((360, 640), missing, np.float32)
    twice.observe(np.zeros((360, 640, 3), np.uint8), blind, SENSOR_CAMERA, T @ NOMINAL_T_FINGERTIP_CAMERA)
    decisions = [policy.decide(T, everything_allowed) for policy in (once, twice)]
    np.testing.assert_array_equal(decisions[0].views.depth, decisions[1].views.depth)
    np.testing.assert_array_equal(decisions[0].T_base_fingertip, decisions[1].T_base_fingertip)


def test_a_pose_that_is_no_pose_is_refused_and_the_scene_stays():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    T = looking_down(0.25)
    show(policy, T)
    before = policy.decide(T, everything_allowed)
    with pytest.raises(ValueError, match="rigid motion"):
        show(policy, np.full((4, 4), np.nan))
    np.testing.assert_array_equal(policy.decide(T, everything_allowed).views.depth, before.views.depth)


def test_closes_with_the_finishing_move_when_the_block_is_between_the_fingers():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    for height in (0.20, 0.12, 0.08):
        show(policy, looking_down(height))
        assert policy.decide(looking_down(height), everything_allowed).kind == "move"
    T = looking_down(0.045)
    show(policy, T)
    decision = policy.decide(T, lambda poses: poses[:, 2, 3] > 0.022)
    assert decision.kind == "close"
    np.testing.assert_allclose(decision.T_base_fingertip, looking_down(0.025), atol=1e-9)
    paper = QPolicy(prefer(0), PAPER, workspace=WORKSPACE)
    show(paper, looking_down(0.20))
    show(paper, T)
    np.testing.assert_allclose(paper.decide(T, everything_allowed).T_base_fingertip, T)


def test_takes_things_no_deeper_between_the_fingers_than_the_pads_hold():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    for height in (0.20, 0.12, 0.08, 0.045):
        show(policy, looking_down(height))
    decision = policy.decide(looking_down(0.045), everything_allowed)
    assert decision.kind == "close"
    between_m = float(decision.reason.split(" mm")[0]) * 1e-3
    assert between_m > FINE.close_margin_m
    advance_m = 0.045 - decision.T_base_fingertip[2, 3]
    assert advance_m > 0
    assert between_m + advance_m == pytest.approx(FINE.deepest_m, abs=0.005)  # whole steps of 5 mm


def test_closes_on_low_things_where_there_is_no_going_further():
    """The table stops the fingers before the close margin of a low thing is between them."""
    low = AnalyticScene((Plane(), Box((-0.02, -0.05, 0.0), (0.02, 0.05, 0.016))))
    T = looking_down(0.004)

    def decide(preset, allowed):
        policy = QPolicy(prefer(0), preset, workspace=WORKSPACE)
        for height in (0.20, 0.12, 0.06):
            show(policy, looking_down(height), low)
        show(policy, T, low)
        return policy.decide(T, allowed)

    def above_the_table(poses):
        return poses[:, 2, 3] > 0.003

    stopped = decide(FINE, above_the_table)
    assert stopped.kind == "close"
    np.testing.assert_allclose(stopped.T_base_fingertip, T)
    assert decide(PAPER, above_the_table).kind != "close"


def test_the_fused_scene_carries_the_last_centimetres_where_the_sensor_is_blind():
    policy = QPolicy(prefer(0), workspace=WORKSPACE)
    show(policy, looking_down(0.20))
    T = looking_down(0.04)
    color = np.zeros((360, 640, 3), np.uint8)
    policy.observe(color, np.zeros((360, 640), np.float32), SENSOR_CAMERA, T @ NOMINAL_T_FINGERTIP_CAMERA)
    assert policy.decide(T, everything_allowed).kind == "close"


def test_the_gripper_leaves_no_trace_in_the_scene():
    observer = SceneObserver(WORKSPACE)
    T = looking_down(0.15)
    show(observer, T)
    gripper_depth = (T @ NOMINAL_T_FINGERTIP_CAMERA)[2, 3] - 0.13  # height of what stands 12 cm before the camera
    points = observer.surface_points().points
    assert len(points) > 100
    assert points[:, 2].max() < min(gripper_depth, 0.09)


def test_reset_starts_a_new_episode_and_replaces_the_volume():
    policy = QPolicy(prefer(0))
    T = looking_down(0.25, x=3.0)  # no workspace given: the volume goes where the first image looks
    far_block = AnalyticScene((Plane(), Box((2.98, -0.05, 0.0), (3.02, 0.05, 0.08))))
    show(policy, T, far_block)
    assert policy.decide(T, everything_allowed).kind == "move"
    policy.reset()
    assert policy.decide(T, everything_allowed).kind == "stuck"
    here = looking_down(0.25)
    show(policy, here)
    assert policy.decide(here, everything_allowed).kind == "move"


def test_the_same_episode_gives_the_same_decisions():
    def run() -> list[np.ndarray]:
        policy = QPolicy(lambda state, views: views.depth.mean(axis=(1, 2)), workspace=WORKSPACE)
        T, poses = looking_down(0.3), []
        for _ in range(5):
            show(policy, T)
            decision = policy.decide(T, lambda poses: poses[:, 2, 3] > 0.02)
            poses.append(decision.T_base_fingertip)
            T = decision.T_base_fingertip
        return poses

    np.testing.assert_array_equal(run(), run())


def test_a_policy_that_does_not_exist_is_named_with_those_that_do():
    with pytest.raises(CheckpointError, match=r"no policy 'heurisitc'.*heuristic"):
        make_policy("heurisitc", WORKSPACE, 0)
