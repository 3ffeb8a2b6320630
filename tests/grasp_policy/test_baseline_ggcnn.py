"""The planar baseline's conventions, on scenes and network answers that are known exactly."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from analytic_scene import AnalyticScene, Box, Plane, look_at
from scipy.spatial.transform import Rotation

from grasp_policy.actions import SENSOR_CAMERA
from grasp_policy.baselines.ggcnn import DEPTH_M, PlanarClosedLoop
from grasp_policy.baselines.ggcnn_images import (
    SIDE,
    Crop,
    Maps,
    angle_of,
    as_maps,
    closing_direction,
    fill_holes,
    normalize,
    peaks,
)
from wildgrasp.geometry import PinholeCamera, inverse, pose, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA, gripper_mask

TABLE_M = -0.2
BLOCK = Box((-0.02, -0.06, TABLE_M), (0.02, 0.06, TABLE_M + 0.06))
OTHER = Box((-0.02, 0.12, TABLE_M), (0.02, 0.20, TABLE_M + 0.06))
EYE = SENSOR_CAMERA.resized(320, 180)
START = look_at((0.03, 0.02, TABLE_M + 0.45), (0.0, 0.05, TABLE_M))
CAMERAS = [SENSOR_CAMERA, PinholeCamera.from_hfov(640, 480, 1.1), PinholeCamera(1280, 720, 900, 910, 600, 380)]


def everything_allowed(poses):
    return np.ones(len(poses), bool)


class Oracle:
    """A network that knows where grasps are: surface points with a quality, an angle from a closing direction."""

    def __init__(self, *grasps) -> None:
        self.grasps = list(grasps)  # (point [3], closing [3], quality) in the base
        self.camera, self.T_base_camera = EYE, np.eye(4)
        self.asked = 0

    def __call__(self, depth) -> Maps:
        self.asked += 1
        quality, angle = np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
        for point, closing, value in self.grasps:
            column, row = self.camera.project(transform(inverse(self.T_base_camera), np.array([point])))[0].round()
            if 0 <= column < SIDE and 0 <= row < SIDE:
                quality[int(row), int(column)] = value
                angle[int(row), int(column)] = angle_of(np.array(closing), self.T_base_camera)
        return Maps(quality, angle, np.full((SIDE, SIDE), 40, np.float32))


def run(policy: PlanarClosedLoop, oracle: Oracle, scene: AnalyticScene, steps: int = 20, allowed=everything_allowed):
    crop = Crop.beside(gripper_mask(EYE, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M))
    oracle.camera = crop.camera(EYE)
    policy.reset()
    T, decisions = START, []
    for _ in range(steps):
        oracle.T_base_camera = T @ NOMINAL_T_FINGERTIP_CAMERA
        color, depth, _ = scene.render(EYE, oracle.T_base_camera)
        policy.observe(color, depth, EYE, oracle.T_base_camera)
        decisions.append(policy.decide(T, allowed))
        T = decisions[-1].T_base_fingertip
        if decisions[-1].kind != "move":
            break
    return decisions


SCENE = AnalyticScene((Plane(offset=TABLE_M), BLOCK, OTHER))
ON_BLOCK = (0.0, 0.01, TABLE_M + 0.06)
ON_OTHER = (0.0, 0.16, TABLE_M + 0.06)
SLANTED = (np.cos(0.3), np.sin(0.3), 0.0)


def test_a_grasp_of_the_network_becomes_the_same_grasp_in_the_world():
    oracle = Oracle((ON_BLOCK, SLANTED, 1.0))
    decisions = run(PlanarClosedLoop(oracle), oracle, SCENE)
    assert decisions[-1].kind == "close"
    assert oracle.asked == len(decisions)  # the loop is closed
    T = decisions[-1].T_base_fingertip
    np.testing.assert_allclose(T[:3, 3], np.array(ON_BLOCK) - [0, 0, DEPTH_M], atol=0.004)
    np.testing.assert_allclose(T[:3, 2], [0, 0, -1], atol=1e-9)
    assert abs(T[:3, 0] @ SLANTED) > np.cos(0.02)
    turn = Rotation.from_matrix(START[:3, :3].T @ T[:3, :3]).magnitude()
    assert turn < np.pi / 2 + 0.3  # of the two equal grasps, the nearer


def test_it_stays_with_its_grasp_when_another_becomes_better():
    oracle = Oracle((ON_BLOCK, SLANTED, 1.0), (ON_OTHER, SLANTED, 0.6))
    policy = PlanarClosedLoop(oracle)
    first = run(policy, oracle, SCENE, steps=1)[0]
    assert first.kind == "move"
    policy_reset, policy.reset = policy.reset, lambda: None
    oracle.grasps = [(ON_BLOCK, SLANTED, 0.6), (ON_OTHER, SLANTED, 1.0)]
    kept = run(policy, oracle, SCENE)[-1]
    policy_reset()
    changed = run(policy, oracle, SCENE, steps=1)
    assert kept.kind == "close"
    assert abs(kept.T_base_fingertip[1, 3] - ON_BLOCK[1]) < 0.003
    assert np.linalg.norm(changed[0].T_base_fingertip[:3, 3] - first.T_base_fingertip[:3, 3]) > 0.01


def test_it_follows_a_grasp_that_moves_and_keeps_one_that_is_hidden():
    oracle = Oracle((ON_BLOCK, SLANTED, 1.0))
    policy = PlanarClosedLoop(oracle)
    run(policy, oracle, SCENE, steps=1)
    policy.reset = lambda: None
    moved = (0.0, 0.04, TABLE_M + 0.06)
    oracle.grasps = [(moved, SLANTED, 1.0)]
    run(policy, oracle, SCENE, steps=3)
    oracle.grasps = []
    last = run(policy, oracle, SCENE)[-1]
    assert last.kind == "close"
    assert abs(last.T_base_fingertip[1, 3] - moved[1]) < 0.003


def test_where_one_way_round_is_not_allowed_it_turns_the_fingers():
    ways = []
    for way in (np.array(SLANTED), -np.array(SLANTED)):
        oracle = Oracle((ON_BLOCK, SLANTED, 1.0))
        one_way_round = partial(lambda way, poses: poses[:, :3, 0] @ way > -0.95, way)
        last = run(PlanarClosedLoop(oracle), oracle, SCENE, steps=40, allowed=one_way_round)[-1]
        assert last.kind == "close"
        ways.append(last.T_base_fingertip)
    assert ways[0][:3, 0] @ ways[1][:3, 0] < -0.99
    np.testing.assert_allclose(ways[0][:3, 3], ways[1][:3, 3], atol=0.005)


@pytest.mark.parametrize("quality", [0.0, 0.05])
def test_without_a_grasp_it_is_stuck(quality):
    oracle = Oracle((ON_BLOCK, SLANTED, quality))
    decisions = run(PlanarClosedLoop(oracle), oracle, SCENE)
    assert [d.kind for d in decisions] == ["stuck"]
    assert "nothing to grasp" in decisions[0].reason


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_crops_camera_sees_the_same_directions(camera):
    gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    for crop in (Crop.beside(gripper), Crop.beside(np.zeros_like(gripper))):
        assert crop.left >= 0 and crop.top >= 0
        assert crop.left + crop.side <= camera.width and crop.top + crop.side <= camera.height
        rows, columns = (crop.cut(index.astype(np.float32)) for index in np.indices((camera.height, camera.width)))
        small, depth = crop.camera(camera), np.full((SIDE, SIDE), 0.7)
        seen = camera.project(small.points(depth))  # where the small camera's pixels are in the whole image
        half_px = 0.5 * max(1.0, crop.side / SIDE)
        assert np.abs(seen[..., 0] - columns).max() <= half_px + 1e-6
        assert np.abs(seen[..., 1] - rows).max() <= half_px + 1e-6


def test_the_window_ends_above_the_palm_and_shows_the_fingertips():
    camera = CAMERAS[1]
    gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    crop = Crop.beside(gripper)
    assert 0.02 < crop.cut(gripper.astype(np.uint8)).mean() < 0.25
    column, row = crop.camera(camera).project(NOMINAL_T_CAMERA_FINGERTIP[:3, 3])
    assert 0 < column < SIDE and 0 < row < SIDE


def test_angles_are_anticlockwise_in_the_image_and_the_same_for_half_a_turn():
    T = pose(Rotation.from_rotvec([0.3, 2.0, -0.5]).as_matrix(), np.array([1.0, 2.0, 3.0]))
    up_right_in_image = T[:3, :3] @ np.array([1.0, -1.0, 0.0])
    assert angle_of(up_right_in_image, T) == pytest.approx(np.pi / 4)
    for angle in np.linspace(-1.5, 1.5, 13):
        direction = closing_direction(angle, T)
        assert angle_of(direction, T) == pytest.approx(angle)
        assert angle_of(-direction, T) == pytest.approx(angle)


def test_smoothing_does_not_mix_up_plus_and_minus_90_degrees():
    angle = np.full((SIDE, SIDE), np.pi / 2 - 0.05)
    angle[:, ::2] = -np.pi / 2 + 0.05
    ones = np.ones((SIDE, SIDE))
    maps = as_maps(ones, np.cos(2 * angle), np.sin(2 * angle), ones * 0.2)
    assert np.abs(np.abs(maps.angle) - np.pi / 2).max() < 0.06
    np.testing.assert_allclose(maps.width_px, 30.0, atol=1e-4)


def test_holes_are_filled_from_around_them_and_the_input_has_no_mean():
    rng = np.random.default_rng(0)
    depth = np.full((SIDE, SIDE), 0.6, np.float32) + np.linspace(0, 0.1, SIDE, dtype=np.float32)
    holed = np.where(rng.random((SIDE, SIDE)) < 0.1, np.float32(0), depth)
    holed[100:120, 50:70] = 0
    filled = fill_holes(holed)
    assert np.abs(filled - depth).max() < 0.01
    np.testing.assert_array_equal(filled[holed > 0], holed[holed > 0])
    assert abs(normalize(filled).mean()) < 1e-6
    assert np.abs(normalize(np.where(depth > 0.65, np.float32(9), depth))).max() == 1.0
    assert not fill_holes(np.zeros((SIDE, SIDE), np.float32)).any()


def test_peaks_are_apart_and_best_first():
    quality = np.zeros((SIDE, SIDE), np.float32)
    for row, column, value in ((50, 50, 0.9), (52, 51, 0.8), (200, 100, 0.95), (20, 280, 0.3), (280, 20, 0.05)):
        quality[row, column] = value
    assert peaks(quality, 0.1, 3).tolist() == [[200, 100], [50, 50], [20, 280]]
    assert peaks(quality, 0.1, 2).tolist() == [[200, 100], [50, 50]]
    assert len(peaks(quality, 0.96, 3)) == 0
