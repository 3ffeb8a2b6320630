"""The scene in torch and the CPU's own kernels are the same scene, voxel by voxel and pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import TABLE, look_at

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.scene.scene import make_scene
from grasp_policy.scene.torch_scene import TorchScene
from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.voxels import FREE
from wildgrasp.geometry import PinholeCamera

CAMERA = PinholeCamera.from_hfov(320, 180, np.deg2rad(65.0))
VOLUME = Volume((-0.2, -0.2, -0.03), (80, 77, 40))
POSES = [look_at((0.15 * np.cos(a), 0.15 * np.sin(a), 0.4), (0, 0, 0.02)) for a in range(3)]


@pytest.fixture(scope="module")
def both() -> tuple[TsdfScene, TorchScene]:
    scenes = TsdfScene(VOLUME), TorchScene(VOLUME, device="cpu")
    rng = np.random.default_rng(0)
    for T in POSES:
        color, depth, _ = TABLE.render(CAMERA, T)
        depth[rng.random(depth.shape) < 0.1] = np.nan
        seen = [scene.integrate(color, depth, CAMERA, T, ignore=depth > 0.45) for scene in scenes]
        assert seen[0] == seen[1] > 0
    return scenes


def test_voxels_are_equal_but_for_rounding_of_pixels(both):
    (distance, color), (distance_torch, color_torch) = (scene.to_dense() for scene in both)
    assert np.mean(np.isnan(distance) != np.isnan(distance_torch)) < 1e-4
    difference = np.abs(distance - distance_torch)
    assert np.mean(difference[~np.isnan(difference)] > 1.5 * 0.02 / float(FREE)) < 1e-3
    assert np.mean((color != color_torch).any(axis=-1)) < 1e-3


def test_views_and_surfaces_are_equal(both):
    views, views_torch = (scene.render(VIEW_CAMERA, np.stack(POSES)) for scene in both)
    assert np.mean(views.valid != views_torch.valid) < 0.01
    common = views.valid & views_torch.valid
    assert common.mean() > 0.3
    assert np.quantile(np.abs(views.depth - views_torch.depth)[common], 0.99) < 1e-3
    assert np.quantile(np.abs(views.normal - views_torch.normal)[common], 0.95) < 1e-2
    assert np.mean((views.color != views_torch.color)[common]) < 0.02
    counts = [len(scene.surface_points()) for scene in both]
    assert counts[0] == pytest.approx(counts[1], rel=0.01)
    assert len(both[1].mesh().faces) == pytest.approx(len(both[0].mesh().faces), rel=0.01)


def test_the_device_decides_what_makes_the_scene():
    assert isinstance(make_scene(VOLUME), TsdfScene)
    assert isinstance(make_scene(VOLUME, "meta"), TorchScene)
