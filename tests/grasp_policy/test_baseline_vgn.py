"""The one-shot baseline's conventions, on scenes and network answers that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import AnalyticScene, Box, Plane, look_at
from scipy.spatial.transform import Rotation

from grasp_policy.actions import SENSOR_CAMERA
from grasp_policy.baselines.vgn import OneShot
from grasp_policy.baselines.vgn_grid import (
    FINGER_M,
    SIDE,
    TABLE_M,
    VOXEL_M,
    Depth,
    Volumes,
    as_published,
    cube_corner,
    detections,
    fuse,
    near_surface,
)
from wildgrasp.geometry import pose
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA

TABLE = -0.3  # height of the table in the base
MIDDLE = np.array([0.5, 0.1, TABLE])
CORNER = cube_corner(MIDDLE, TABLE)
OPEN_GRID = np.full((SIDE,) * 3, 0.6, np.float32)  # in front of a surface everywhere


def grasps(count: int, seed: int = 0):
    """Fingertip poses well inside the cube, anyhow turned, and openings."""
    rng = np.random.default_rng(seed)
    R = Rotation.random(count, random_state=seed).as_matrix()
    return pose(R, CORNER + 0.15 + rng.uniform(-0.05, 0.05, (count, 3))), rng.uniform(0.01, 0.09, count)


def answer(rows, quality=1.0) -> Volumes:
    """A network's answer with these grasps [N, 8], as published; elsewhere that there is none."""
    rotation = np.broadcast_to(rows[0, 3:7, None, None, None], (4, *(SIDE,) * 3)).copy()
    out = Volumes(np.zeros((SIDE,) * 3, np.float32), rotation, np.full((SIDE,) * 3, rows[0, 7]))
    for row in rows:
        voxel = tuple(np.round(row[:3]).astype(int))
        out.quality[voxel], out.rotation[:, *voxel], out.width[voxel] = quality, row[3:7], row[7]
    return out


def test_a_grasp_of_the_network_becomes_the_same_grasp_in_the_base():
    for T, width in zip(*grasps(12), strict=True):
        rows = as_published(T[None], np.array([width]), CORNER)
        found = detections(OPEN_GRID, answer(rows), CORNER, 0.01, 0.2)
        assert len(found.quality) == 1
        np.testing.assert_allclose(found.T_base_fingertip[0, :3, :3], T[:3, :3], atol=1e-6)
        assert np.abs(found.T_base_fingertip[0, :3, 3] - T[:3, 3]).max() <= VOXEL_M / 2 + 1e-9
        assert found.width_m[0] == pytest.approx(width)


def test_a_published_grasp_lies_between_the_finger_roots_and_closes_along_y():
    straight_down = Rotation.from_euler("x", 180, degrees=True).as_matrix()
    T = pose(straight_down, CORNER + np.array([0.1, 0.2, 0.06]))
    row = as_published(T[None], np.array([0.03]), CORNER)[0]
    np.testing.assert_allclose(row[:3] * VOXEL_M, [0.1, 0.2, 0.06 + FINGER_M], atol=1e-12)
    R = Rotation.from_quat(row[3:7]).as_matrix()
    np.testing.assert_allclose(R[:, 2], T[:3, 2], atol=1e-12)
    np.testing.assert_allclose(R[:, 1], T[:3, 0], atol=1e-12)
    assert row[7] == pytest.approx(4.0)


def test_the_sign_of_a_quaternion_and_swapped_fingers_change_nothing_but_the_fingers_names():
    T, width = grasps(1)
    row = as_published(T, width, CORNER)
    negative = row.copy()
    negative[:, 3:7] *= -1
    swapped = as_published(T @ pose(Rotation.from_euler("z", 180, degrees=True).as_matrix()), width, CORNER)
    poses = [detections(OPEN_GRID, answer(r), CORNER, 0.01, 0.2).T_base_fingertip[0] for r in (row, negative, swapped)]
    np.testing.assert_allclose(poses[1], poses[0], atol=1e-9)
    np.testing.assert_allclose(poses[2][:3, 3], poses[0][:3, 3], atol=1e-9)
    np.testing.assert_allclose(poses[2][:3, :3], poses[0][:3, :3] @ np.diag([-1, -1, 1]), atol=1e-6)


def test_the_grid_is_a_signed_distance_in_the_cubes_own_units():
    block = Box((0.46, 0.07, TABLE), (0.54, 0.13, TABLE + 0.06))
    scene = AnalyticScene((Plane(offset=TABLE), block))
    T_camera = look_at((0.5, 0.1, TABLE + 0.5), (0.5, 0.1, TABLE))
    _, depth, _ = scene.render(SENSOR_CAMERA, T_camera)
    grid = fuse([Depth(depth, SENSOR_CAMERA, T_camera)] * 3, CORNER)
    height = (np.arange(SIDE) + 0.5) * VOXEL_M - TABLE_M  # of the voxels' middles above the table
    for i, j, top in ((SIDE // 2, SIDE // 2, 0.06), (SIDE // 2 - 10, SIDE // 2, 0.0)):
        expected = ((height - top) / (4 * VOXEL_M) + 1) / 2
        shown = (expected > 0.06) & (expected < 0.94)
        np.testing.assert_allclose(grid[i, j, shown], expected[shown], atol=0.05)
        assert not grid[i, j, (expected > 1.02) | (expected < -0.05)].any()
    assert not fuse([], CORNER).any()
    band = near_surface(grid)
    assert band[SIDE // 2, SIDE // 2, int((0.06 + TABLE_M + 0.03) / VOXEL_M)]
    assert not band[..., -2:].any()


def test_only_good_grasps_near_a_surface_that_fit_are_found():
    T, width = grasps(1)
    row = as_published(T, width, CORNER)
    smoothed = detections(OPEN_GRID, answer(row), CORNER, 0.0, 0.2).quality[0]
    assert not len(detections(OPEN_GRID, answer(row), CORNER, smoothed + 0.01, 0.2).quality)
    assert not len(detections(OPEN_GRID, answer(row), CORNER, 0.01, width[0] - 0.001).quality)
    assert not len(detections(np.zeros_like(OPEN_GRID), answer(row), CORNER, 0.01, 0.2).quality)


def test_best_first_and_one_per_neighbourhood():
    T, width = grasps(2, seed=3)
    T[1, :3, 3] = T[0, :3, 3] + [0.06, 0, 0]
    T[1, :3, :3] = T[0, :3, :3]
    rows = as_published(T, width, CORNER)
    neighbour = rows[:1] + np.array([1, 0, 0, 0, 0, 0, 0, 0])
    out = answer(rows[1:], 0.9)
    for weaker, quality in ((neighbour, 0.2), (rows[:1], 0.5)):
        out.quality[tuple(np.round(weaker[0, :3]).astype(int))] = quality
        out.rotation[:, *np.round(weaker[0, :3]).astype(int)] = weaker[0, 3:7]
    found = detections(OPEN_GRID, out, CORNER, 0.01, 0.2)
    assert len(found.quality) == 2
    assert found.quality[0] > found.quality[1]
    assert abs(found.T_base_fingertip[0, 0, 3] - T[1, 0, 3]) < VOXEL_M


BLOCK = Box((0.48, 0.04, TABLE), (0.52, 0.16, TABLE + 0.06))
SCENE = AnalyticScene((Plane(offset=TABLE), BLOCK))
EYE = SENSOR_CAMERA.resized(320, 180)
START = look_at((0.5, 0.05, TABLE + 0.45), (0.5, 0.1, TABLE))
GRASP = pose(Rotation.from_euler("x", 180, degrees=True).as_matrix(), np.array([0.5, 0.1, TABLE + 0.035]))


class Oracle:
    """Answers with the same grasp in the base, wherever the cube is."""

    def __init__(self, T_base_fingertip) -> None:
        self.T, self.grids = T_base_fingertip, []
        self.policy: OneShot | None = None

    def __call__(self, grid) -> Volumes:
        self.grids.append(grid)
        rows = as_published(self.T[None], np.array([0.04]), self.policy._corner)
        out = answer(rows)
        out.quality[tuple(slice(int(v) - 3, int(v) + 4) for v in rows[0, :3])] = 0.95  # smoothing must not drown it
        return out


def run(oracle: Oracle, allowed=lambda poses: np.ones(len(poses), bool)):
    policy = oracle.policy = OneShot(oracle)
    T, decisions = START, []
    for _ in range(40):
        T_camera = T @ NOMINAL_T_FINGERTIP_CAMERA
        color, depth, _ = SCENE.render(EYE, T_camera)
        policy.observe(color, depth, EYE, T_camera)
        decisions.append(policy.decide(T, allowed))
        T = decisions[-1].T_base_fingertip
        if decisions[-1].kind != "move":
            break
    return decisions


def test_it_looks_around_shoots_once_and_goes_there():
    oracle = Oracle(GRASP)
    decisions = run(oracle)
    assert decisions[-1].kind == "close"
    assert len(oracle.grids) == 1
    assert (oracle.grids[0] > 0.5).sum() > 1000
    T = decisions[-1].T_base_fingertip
    assert np.abs(T[:3, 3] - GRASP[:3, 3]).max() < 3 * VOXEL_M
    np.testing.assert_allclose(np.abs(T[:3, 0] @ GRASP[:3, 0]), 1, atol=1e-6)
    assert T[:3, 2] @ [0, 0, -1] > 0.99
    looks = [d.T_base_fingertip[:3, 2] for d in decisions if d.reason == "looking around"]
    assert max(a @ b for a in looks for b in looks) > 0.99 > 0.9 > min(a @ b for a in looks for b in looks)


def test_a_grasp_from_below_or_out_of_reach_is_not_taken():
    upward = GRASP @ pose(Rotation.from_euler("x", 180, degrees=True).as_matrix())
    assert run(Oracle(upward))[-1].kind == "stuck"
    high = run(Oracle(GRASP), allowed=lambda poses: poses[:, 2, 3] > TABLE + 0.10)[-1]
    assert high.kind == "stuck"
    assert "reached" in high.reason
