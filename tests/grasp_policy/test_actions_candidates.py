"""The candidates as the paper prints them, the close rule and the finishing move."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import AnalyticScene, Box, Plane
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_policy.actions import (
    CANDIDATES,
    FINE,
    PAPER,
    PRESETS,
    SENSOR_CAMERA,
    VIEW_CAMERA,
    candidates,
    depth_between_fingers,
    finishing_move,
    median_depth,
    step_size,
)
from grasp_policy.scene.views import Views
from wildgrasp.geometry import inverse, pose, so3_exp, so3_log
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA, gripper_boxes

depths = st.floats(0.0, 3.0)
presets = st.sampled_from([PAPER, FINE])


def test_paper_preset_is_section_5a():
    assert step_size(0.05, PAPER) == pytest.approx((0.015, np.deg2rad(10), 0.01))
    assert step_size(0.1, PAPER) == pytest.approx((0.015, np.deg2rad(10), 0.01))
    assert step_size(0.3, PAPER) == pytest.approx((0.015 + 0.5 * 0.035, np.deg2rad(20), 0.01))
    assert step_size(0.5, PAPER) == pytest.approx((0.05, np.deg2rad(30), 0.01))
    assert step_size(5.0, PAPER) == pytest.approx((0.05, np.deg2rad(30), 0.01))
    assert PAPER.close_margin_m == 0.015
    assert (PAPER.finish_m, PAPER.centre_m) == (0.0, 0.0)


def test_the_35_candidates_exactly():
    d, a, z = 0.0325, np.deg2rad(20.0), 0.01
    translations = [(d, 0, z), (-d, 0, z), (0, d, z), (0, -d, z), (0, 0, d + z)]
    rotations = [(0, 0, 0), (a, 0, 0), (-a, 0, 0), (0, a, 0), (0, -a, 0), (0, 0, a), (0, 0, -a)]
    moves = candidates(0.3, PAPER)
    assert moves.shape == (CANDIDATES, 4, 4)
    for k, t in enumerate(translations):
        for r, w in enumerate(rotations):
            np.testing.assert_allclose(moves[7 * k + r], pose(so3_exp(np.array(w, float)), np.array(t)), atol=1e-12)


def test_fine_preset_takes_small_steps_near_the_object():
    assert step_size(0.25, FINE) == pytest.approx((0.008, np.deg2rad(5), 0.003))
    assert step_size(0.65, FINE) == pytest.approx((0.05, np.deg2rad(30), 0.01))
    assert PRESETS == {"paper": PAPER, "fine": FINE}


@settings(deadline=None)  # the first call loads scipy
@given(depths, presets)
def test_candidates_are_35_different_rigid_motions_that_go_forward(depth, preset):
    moves = candidates(depth, preset)
    d, a, z = step_size(depth, preset)
    R = moves[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1, atol=1e-12)
    assert (moves[:, 2, 3] >= z - 1e-12).all()
    angles = np.linalg.norm(so3_log(R), axis=1)
    assert np.all((np.abs(angles - a) < 1e-9) | (angles < 1e-9))
    np.testing.assert_allclose(np.linalg.norm(moves[:, :3, 3] - [0, 0, z], axis=1), d, atol=1e-12)
    assert len({move.round(9).tobytes() for move in moves}) == CANDIDATES


@given(presets, st.lists(depths, min_size=2, max_size=2).map(sorted))
def test_steps_grow_with_depth(preset, pair):
    near, far = (np.array(step_size(depth, preset)) for depth in pair)
    assert (near <= far + 1e-15).all()


@given(presets, depths)
def test_every_sideways_move_and_turn_has_its_opposite(preset, depth):
    _, _, z = step_size(depth, preset)
    moves = candidates(depth, preset)
    shifts = moves[:28:7, :3, 3] - [0, 0, z]
    np.testing.assert_allclose(shifts[0::2], -shifts[1::2], atol=1e-12)
    turns = so3_log(moves[1:7, :3, :3])
    np.testing.assert_allclose(turns[0::2], -turns[1::2], atol=1e-9)


def test_view_camera_is_the_sensor_at_an_eighth():
    assert (VIEW_CAMERA.width, VIEW_CAMERA.height) == (80, 45)
    assert VIEW_CAMERA.fx == pytest.approx(SENSOR_CAMERA.fx / 8)
    corner = VIEW_CAMERA.unproject(np.array([-0.5, -0.5]), np.array(1.0))
    np.testing.assert_allclose(SENSOR_CAMERA.project(corner), (-0.5, -0.5), atol=1e-9)


# --- The close rule ---


def view_of(scene: AnalyticScene, T_world_fingertip: np.ndarray) -> Views:
    color, depth, normal = scene.render(VIEW_CAMERA, T_world_fingertip @ NOMINAL_T_FINGERTIP_CAMERA)
    return Views(color[None], depth[None], normal[None].astype(np.float32), depth[None] > 0)


def looking_down(height: float) -> np.ndarray:
    """Fingertips at a height above the table, pointing straight down."""
    return pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, height]))


BLOCK = AnalyticScene((Plane(), Box((-0.02, -0.06, 0.0), (0.02, 0.06, 0.10))))


def between(scene: AnalyticScene, T_world_fingertip: np.ndarray) -> float:
    return depth_between_fingers(view_of(scene, T_world_fingertip), VIEW_CAMERA, NOMINAL_T_FINGERTIP_CAMERA)


@given(st.floats(0.0, 0.05))
def test_depth_between_the_fingers_is_how_far_a_block_reaches_in(depth_past_tips: float):
    # Depth is along the camera's axis, 10° from the approach, and a pixel is some 6 mm wide.
    assert between(BLOCK, looking_down(0.10 - depth_past_tips)) == pytest.approx(depth_past_tips, abs=0.006)


def test_the_bare_table_and_things_beside_the_fingers_do_not_reach_in():
    beside = AnalyticScene((Plane(), Box((0.12, -0.06, 0.0), (0.20, 0.06, 0.10))))
    for scene in (AnalyticScene((Plane(),)), beside):
        assert between(scene, looking_down(0.01)) < 0.0


def test_where_nothing_is_known_nothing_reaches_in():
    nothing = Views.nothing(1, 45, 80)
    assert depth_between_fingers(nothing, VIEW_CAMERA, NOMINAL_T_FINGERTIP_CAMERA) == -np.inf
    behind = inverse(pose(t=np.array([0.0, 0.0, -0.3])))  # a camera in front of the fingers sees nothing between them
    assert depth_between_fingers(view_of(BLOCK, looking_down(0.02)), VIEW_CAMERA, behind) == -np.inf


def test_one_stray_pixel_does_not_count():
    view = view_of(AnalyticScene((Plane(),)), looking_down(0.03))
    tip = VIEW_CAMERA.project(inverse(NOMINAL_T_FINGERTIP_CAMERA)[:3, 3]).round().astype(int)
    view.depth[0, tip[1], tip[0]] = 0.05
    assert depth_between_fingers(view, VIEW_CAMERA, NOMINAL_T_FINGERTIP_CAMERA) < PAPER.close_margin_m


@given(st.lists(st.floats(0.05, 2.0), min_size=1, max_size=30))
def test_median_depth_counts_valid_pixels_only(values):
    view = Views.nothing(1, 45, 80)
    view.depth.flat[: len(values)] = values
    view.valid.flat[: len(values)] = True
    assert median_depth(view) == pytest.approx(np.median(np.float32(values)))


def test_median_depth_of_an_empty_view_is_the_fallback():
    assert median_depth(Views.nothing(1, 45, 80), empty_m=0.7) == 0.7


# --- The finishing move ---


def everything_allowed(poses):
    return np.ones(len(poses), bool)


def finish(points, allowed=everything_allowed, preset=FINE, T=None):
    """(aside, ahead) in metres."""
    move = finishing_move(np.reshape(points, (-1, 3)).astype(float), np.eye(4) if T is None else T, allowed, preset)
    np.testing.assert_array_equal(move[:3, :3], np.eye(3))
    assert move[1, 3] == 0.0
    return float(move[0, 3]), float(move[2, 3])


def test_finishing_move_goes_all_the_way_when_clear():
    assert finish([]) == pytest.approx((0.0, 0.05))
    between = np.array([[0.0, 0.0, 0.005], [0.02, 0.0, -0.02], [-0.03, 0.005, 0.02]])
    assert finish(between) == pytest.approx((0.0, 0.05))
    assert finish([], preset=PAPER) == (0.0, 0.0)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_finishing_move_passes_what_stands_under_one_finger_by_moving_aside(side):
    edge = np.array([[side * x, y, 0.016] for x in (0.04, 0.045, 0.05, 0.055, 0.061) for y in (-0.005, 0.005)])
    aside, ahead = finish(edge)
    assert (aside, ahead) == pytest.approx((side * 0.012, 0.05))  # no farther than it takes
    assert finish(edge[-1:]) == pytest.approx((0.0, 0.05))  # one stray point is noise


def test_finishing_move_stops_before_the_fingers_touch_what_is_under_both():
    under_both = np.array(
        [[side * x, y, 0.016] for side in (1, -1) for x in (0.05, 0.061, 0.07) for y in (-0.005, 0.005)]
    )
    assert finish(under_both) == pytest.approx((0.0, 0.010))


def test_finishing_move_stops_before_the_palm_touches():
    palm = gripper_boxes(MAX_OPENING_M)["palm"]
    face = palm.center[2] + palm.half[2]
    tall = np.array([[x, 0.0, face + 0.011] for x in (-0.02, 0.0, 0.02)])
    assert finish(tall) == pytest.approx((0.0, 0.005))


def test_finishing_move_asks_for_every_pose_on_the_way():
    asked = []

    def only_above_the_table(poses):
        asked.append(poses.copy())
        return poses[:, 2, 3] > 0.012

    T = looking_down(0.025)
    assert finish([], only_above_the_table, T=T) == pytest.approx((0.0, 0.010))
    np.testing.assert_allclose(asked[0][:, 2, 3], 0.025 - np.arange(1, 11) * 0.005)
    # A free pose beyond one that is not does not count.
    assert finish([], lambda poses: np.arange(len(poses)) != 1) == pytest.approx((0.0, 0.005))
    assert finish([], lambda poses: np.zeros(len(poses), bool)) == (0.0, 0.0)


@given(st.lists(st.tuples(*[st.floats(-0.12, 0.12)] * 3), max_size=40))
def test_the_gripper_is_clear_of_the_scene_all_along_its_finishing_move(points):
    aside, ahead = finish(points) if points else (0.0, 0.0)
    for advance in np.arange(0.005, ahead + 1e-9, 0.005):
        inside = np.zeros(len(points), bool)
        for box in gripper_boxes(MAX_OPENING_M).values():
            inside |= (np.abs(np.array(points) - [aside, 0.0, advance] - box.center) < box.half).all(axis=1)
        assert inside.sum() < 2
