"""What the learned baselines learn from: labels that a known scene fixes, and symmetries that change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from digital_twin.baseline_training.data import make_scenes
from digital_twin.baseline_training.ggcnn_data import PATCH, GgCnnBatches
from digital_twin.baseline_training.labelled_scenes import LabelledScene, Look, labelled_scene
from digital_twin.baseline_training.planar_labels import grasp_pixels, paint, planar_grasps
from digital_twin.baseline_training.vgn_data import VgnBatches, half_turned, quarter_turned
from grasp_policy.baselines.ggcnn_images import SIDE, closing_direction
from grasp_policy.baselines.vgn_grid import VOXEL_M, as_published, cube_corner, detections, near_surface
from grasp_policy.scene.surface import SurfacePoints
from wildgrasp.geometry import PinholeCamera, pose

TABLE_M = -0.3


def wall(width_m: float, height_m: float = 0.06) -> SurfacePoints:
    """A block on a table, ``width_m`` wide along x, 16 cm long, as surface points 4 mm apart."""
    y, z = np.meshgrid(np.arange(-0.08, 0.081, 0.004), TABLE_M + np.arange(0.0, height_m, 0.004))
    side = np.stack([np.full(y.size, width_m / 2), y.ravel(), z.ravel()], axis=1)
    x, y = np.meshgrid(np.arange(-width_m / 2, width_m / 2, 0.004), np.arange(-0.08, 0.081, 0.004))
    top = np.stack([x.ravel(), y.ravel(), np.full(x.size, TABLE_M + height_m)], axis=1)
    points = np.concatenate([side, side * [-1, 1, 1], top])
    normals = np.repeat([[1.0, 0, 0], [-1.0, 0, 0], [0, 0, 1.0]], [len(side), len(side), len(top)], axis=0)
    return SurfacePoints(points, normals, np.zeros((len(points), 3), np.uint8))


def test_planar_labels_lie_on_a_blocks_ridge_and_close_across_it():
    grasps = planar_grasps(LabelledScene(wall(0.04), TABLE_M, (), ()), np.random.default_rng(0))
    assert len(grasps) > 30
    assert np.abs(grasps.top[:, 0]).max() < 0.005
    np.testing.assert_allclose(grasps.top[:, 2], TABLE_M + 0.06, atol=0.001)
    np.testing.assert_allclose(np.abs(grasps.closing[:, 0]), 1, atol=0.05)
    np.testing.assert_allclose(grasps.width_m, 0.04, atol=0.003)


@pytest.mark.parametrize("surface", [wall(0.13), wall(0.04, 0.012), SurfacePoints.none()], ids=["wide", "low", "none"])
def test_what_the_gripper_cannot_take_has_no_label(surface):
    assert len(planar_grasps(LabelledScene(surface, TABLE_M, (), ()), np.random.default_rng(0))) < 3


def test_a_label_is_where_the_grasp_is_in_the_picture():
    camera = PinholeCamera.from_hfov(SIDE, SIDE, 0.8)
    R = Rotation.from_euler("zx", [25, 180], degrees=True).as_matrix()
    look = Look(np.zeros((1, 1), np.float32), pose(R, np.array([0.0, 0.0, 0.2])), np.eye(4))
    grasps = planar_grasps(LabelledScene(wall(0.04), TABLE_M, (), ()), np.random.default_rng(0))
    depth = np.full((SIDE, SIDE), 0.2 - TABLE_M - 0.06, np.float32)
    rows = grasp_pixels(grasps, look, depth, camera)
    assert len(rows) == len(grasps)
    for row, top, closing in zip(rows[:10], grasps.top, grasps.closing, strict=False):
        point = R @ camera.unproject(row[:2].astype(float), np.array(depth[0, 0])) + look.T_base_camera[:3, 3]
        np.testing.assert_allclose(point, top, atol=1e-3)
        assert abs(closing_direction(float(row[2]), look.T_base_camera) @ closing) > 0.999
    assert not len(grasp_pixels(grasps, look, depth - 0.1, camera))  # something is in front of it
    maps = paint(rows, SIDE)
    column, row = np.round(rows[-1, :2]).astype(int)
    np.testing.assert_allclose(maps[1:3, row, column], [np.cos(2 * rows[-1, 2]), np.sin(2 * rows[-1, 2])], atol=1e-5)
    np.testing.assert_allclose(maps[1] ** 2 + maps[2] ** 2, maps[0], atol=1e-5)


def test_half_a_turn_swaps_the_fingers_and_nothing_else():
    R = Rotation.random(20, random_state=1)
    turned = Rotation.from_quat(half_turned(R.as_quat()))
    np.testing.assert_allclose(turned.as_matrix(), R.as_matrix() @ np.diag([-1, -1, 1]), atol=1e-9)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_quarter_turn_takes_the_grasps_along(turns):
    """A turned grid with a turned grasp is the grasp of the turned world."""
    rng, corner = np.random.default_rng(turns), cube_corner(np.zeros(3), TABLE_M)
    middle = corner + 20 * VOXEL_M
    T = pose(Rotation.random(5, random_state=turns).as_matrix(), middle + rng.uniform(-0.05, 0.05, (5, 3)))
    rows = as_published(T, np.full(5, 0.03), corner)
    R = Rotation.from_euler("z", 90 * turns, degrees=True).as_matrix()
    T_world = pose(R @ T[:, :3, :3], (T[:, :3, 3] - middle) @ R.T + middle)
    grid = rng.random((40, 40, 40)).astype(np.float32)
    grid_turned, rows_turned = quarter_turned(grid, rows, turns)
    expected = as_published(T_world, np.full(5, 0.03), corner)
    np.testing.assert_allclose(rows_turned[:, [0, 1, 2, 7]], expected[:, [0, 1, 2, 7]], atol=1e-9)
    np.testing.assert_allclose(np.abs((rows_turned[:, 3:7] * expected[:, 3:7]).sum(axis=1)), 1, atol=1e-9)
    index = np.array([7, 31, 12])
    at = np.round(R @ (index + 0.5 - 20) + 20 - 0.5).astype(int)  # input voxels are measured in their middles
    assert grid_turned[tuple(at)] == grid[tuple(index)]


@pytest.fixture(scope="module")
def scene_arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    (path,) = make_scenes(folder, 1)
    assert list(make_scenes(folder, 1)) == []  # it is there already
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def part(arrays, name):
    return {key.removeprefix(name): value for key, value in arrays.items() if key.startswith(name)}


def test_a_scene_gives_pictures_and_volumes_that_agree_with_each_other(scene_arrays):
    pictures, volumes = part(scene_arrays, "pictures."), part(scene_arrays, "volumes.")
    assert pictures["depth"].shape[1:] == (SIDE, SIDE)
    assert len(pictures["grasps"]) > 20
    grid = volumes["grid"][0].astype(np.float32) / 255
    rows = volumes["grasps"]
    assert len(rows) > 20
    near = near_surface(grid)[tuple(np.round(rows[:, :3]).astype(int).T)]
    assert near.mean() > 0.5  # the fingers' roots are just in front of what is grasped
    R = Rotation.from_quat(rows[:, 3:7]).as_matrix()
    assert (R[:, 2, 2] < -0.5).all()  # from above
    assert len(detections(grid, _answer(rows[0]), np.zeros(3), 0.5, 0.11).quality) == int(near[0])


def _answer(row):
    from grasp_policy.baselines.vgn_grid import Volumes

    quality = np.zeros((40, 40, 40), np.float32)
    quality[tuple(slice(int(v) - 3, int(v) + 5) for v in row[:3])] = 1
    only = np.zeros_like(quality)
    only[tuple(np.round(row[:3]).astype(int))] = 20  # a Gaussian of one voxel leaves 1/16 of a single one
    return Volumes(only, np.broadcast_to(row[3:7, None, None, None], (4, 40, 40, 40)), np.full_like(quality, row[7]))


def test_losses_are_finite_repeatable_and_fall(scene_arrays):
    import torch

    from grasp_policy.baselines.ggcnn_network import GgCnn
    from grasp_policy.baselines.vgn_network import Vgn

    torch.manual_seed(0)
    for network, batches in (
        (GgCnn(), GgCnnBatches([part(scene_arrays, "pictures.")], batch=2)),
        (Vgn(), VgnBatches([part(scene_arrays, "volumes.")], batch=1)),
    ):
        same = [float(batches.loss(network, np.random.default_rng(0)).detach()) for _ in range(2)]
        assert same[0] == same[1] > 0
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(6):
            optimizer.zero_grad()
            loss = batches.loss(network, np.random.default_rng(0))
            loss.backward()
            optimizer.step()
        assert float(loss.detach()) < same[0]
    assert PATCH % 12 == 0


def test_one_seed_is_one_scene():
    first, second = labelled_scene(1000, looks=1), labelled_scene(1000, looks=1)
    np.testing.assert_array_equal(first.surface.points, second.surface.points)
    np.testing.assert_array_equal(first.from_above[0].depth, second.from_above[0].depth)
