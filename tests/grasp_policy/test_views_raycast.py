"""Rendered views against analytic scenes: where a surface is certain they are right, elsewhere they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import TABLE, AnalyticScene, Box, Plane, Sphere, look_at
from scene_kinds import new_scene, scene_kind  # noqa: F401  (the fixture runs all tests with each kind)

from grasp_policy.actions import PAPER, SENSOR_CAMERA, VIEW_CAMERA, candidates
from grasp_policy.scene.tsdf import TsdfScene, Volume
from wildgrasp.geometry import PinholeCamera, pose, so3_exp
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA

VOXEL = 0.005
VOLUME = Volume((-0.2, -0.2, -0.03), (80, 80, 40), VOXEL)
RING = [look_at((0.15 * np.cos(a), 0.15 * np.sin(a), 0.4), (0, 0, 0.02)) for a in np.arange(6) * np.pi / 3]


def fuse(shapes: AnalyticScene, poses=RING, volume=VOLUME, camera=SENSOR_CAMERA, **options) -> TsdfScene:
    scene = new_scene(volume, **options)
    for T in poses:
        color, depth, _ = shapes.render(camera, T)
        scene.integrate(color, depth, camera, T)
    return scene


@pytest.fixture(scope="module")
def table() -> TsdfScene:
    return fuse(TABLE)


def candidate_poses(T_world_camera: np.ndarray) -> np.ndarray:
    T = T_world_camera @ np.linalg.inv(NOMINAL_T_FINGERTIP_CAMERA)
    return T @ candidates(0.4, PAPER) @ NOMINAL_T_FINGERTIP_CAMERA


@pytest.mark.parametrize(
    ("shapes", "median_voxels", "q95_voxels", "median_deg"),
    [
        (AnalyticScene((Plane(),)), 0.05, 0.25, 1.0),
        (AnalyticScene((Plane(normal=(0.0, 0.4, 0.9165), offset=0.01),)), 0.1, 0.5, 3.0),
        (AnalyticScene((Plane(), Sphere((0.0, 0.0, 0.05), 0.05))), 0.1, 0.7, 3.0),
        (AnalyticScene((Plane(), Box((-0.05, -0.04, 0.0), (0.05, 0.04, 0.06)))), 0.1, 0.7, 2.0),
    ],
    ids=["plane", "slope", "sphere", "box"],
)
def test_depth_and_normals_of_all_35_views(shapes, median_voxels, q95_voxels, median_deg):
    scene = fuse(shapes)
    poses = candidate_poses(RING[0])
    views = scene.render(VIEW_CAMERA, poses)
    errors, angles = [], []
    for n, T in enumerate(poses):
        _, depth, normal = shapes.render(VIEW_CAMERA, T)
        seen = views.valid[n] & (depth > 0)
        errors.append(np.abs(views.depth[n] - depth)[seen])
        angles.append(np.rad2deg(np.arccos(np.clip(np.sum(views.normal[n] * normal, axis=-1)[seen], -1, 1))))
    error, angle = np.concatenate(errors) / VOXEL, np.concatenate(angles)
    assert views.valid.mean() > 0.3
    assert np.median(error) < median_voxels
    assert np.quantile(error, 0.95) < q95_voxels
    assert np.median(angle) < median_deg


def test_colour_is_that_of_the_surface(table):
    views = table.render(VIEW_CAMERA, np.stack(RING))
    wrong = 0
    for n, T in enumerate(RING):
        color, depth, _ = TABLE.render(VIEW_CAMERA, T)
        seen = views.valid[n] & (depth > 0)
        difference = np.abs(views.color[n].astype(int) - color)[seen].max(axis=-1)
        wrong += np.mean(difference > 40) / len(RING)
    assert wrong < 0.12  # the rims of objects, where colours of two surfaces share a voxel


def test_contract_of_views(table):
    views = table.render(VIEW_CAMERA, candidate_poses(RING[1]))
    assert views.color.shape == (35, 45, 80, 3)
    assert views.color.dtype == np.uint8
    assert views.depth.dtype == views.normal.dtype == np.float32
    assert views.valid.dtype == bool
    for image in (views.color, views.depth, views.normal):
        assert not image[~views.valid].any()
    assert np.isfinite(views.depth).all()
    assert (views.depth[views.valid] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(views.normal[views.valid], axis=-1), 1, atol=1e-4)
    rays = VIEW_CAMERA.points(np.ones((45, 80)))
    facing = np.sum(views.normal * rays, axis=-1)
    assert (facing[views.valid] < 0).all()


def test_views_in_one_call_are_the_views_one_by_one(table):
    poses = candidate_poses(RING[2])[[0, 7, 20, 34]]
    together = table.render(VIEW_CAMERA, poses)
    for n, T in enumerate(poses):
        alone = table.render(VIEW_CAMERA, T[None])
        np.testing.assert_array_equal(alone.depth[0], together.depth[n])
        np.testing.assert_array_equal(alone.color[0], together.color[n])
        np.testing.assert_array_equal(alone.normal[0], together.normal[n])
    assert len(table.render(VIEW_CAMERA, np.zeros((0, 4, 4)))) == 0


def test_other_resolutions_show_the_same(table):
    large = table.render(SENSOR_CAMERA, RING[0][None])
    odd = SENSOR_CAMERA.resized(77, 43)
    small = table.render(odd, RING[0][None])
    _, depth, _ = TABLE.render(SENSOR_CAMERA, RING[0])
    seen = large.valid[0] & (depth > 0)
    assert np.median(np.abs(large.depth[0] - depth)[seen]) < 0.2 * VOXEL
    u, v = SENSOR_CAMERA.project(odd.points(np.ones((43, 77)))).round().astype(int).transpose(2, 0, 1)
    both = small.valid[0] & large.valid[0][v, u]
    assert np.median(np.abs(small.depth[0] - large.depth[0][v, u])[both]) < 0.2 * VOXEL


def test_unseen_space_shows_nothing():
    scene = new_scene(VOLUME)
    assert not scene.render(VIEW_CAMERA, np.stack(RING)).valid.any()
    # One look from the left: the right side of the box and the table in its shadow are unknown.
    shapes = AnalyticScene((Plane(), Box((-0.03, -0.06, 0.0), (0.03, 0.06, 0.10))))
    from_left = look_at((-0.35, 0, 0.25), (0, 0, 0.03))
    scene = fuse(shapes, [from_left])
    from_right = look_at((0.35, 0, 0.25), (0, 0, 0.03))
    view = scene.render(VIEW_CAMERA, from_right[None])
    _, depth, _ = shapes.render(VIEW_CAMERA, from_right)
    points = VIEW_CAMERA.points(depth) @ from_right[:3, :3].T + from_right[:3, 3]
    right_side = (np.abs(points[..., 0] - 0.03) < 1e-4) & (points[..., 2] < 0.07) & (depth > 0)
    right_side &= np.abs(points[..., 1]) < 0.03  # farther out, one looks past the box's seen parts to the table beyond
    shadow = (
        (points[..., 2] < 1e-4) & (points[..., 0] > 0.04) & (points[..., 0] < 0.07) & (np.abs(points[..., 1]) < 0.03)
    )
    assert right_side.sum() > 20
    assert shadow.sum() > 5
    assert not view.valid[0][right_side].any()
    assert not view.valid[0][shadow].any()


def test_the_back_of_a_surface_shows_nothing_and_hides_what_is_behind():
    wall = AnalyticScene((Plane(normal=(0, 0, 1), offset=0.05),))
    scene = fuse(wall, [look_at((0, 0, 0.4), (0, 0, 0))])
    from_below = look_at((0, 0, -0.3), (0, 0, 0))
    assert not scene.render(VIEW_CAMERA, from_below[None]).valid.any()


def test_cameras_inside_the_volume_and_inside_matter(table):
    close = look_at((-0.02, 0.02, 0.10), (0.06, 0.02, 0.04))
    view = table.render(VIEW_CAMERA, close[None])
    _, depth, _ = TABLE.render(VIEW_CAMERA, close)
    seen = view.valid[0] & (depth > 0)
    assert seen.mean() > 0.5
    assert np.median(np.abs(view.depth[0] - depth)[seen]) < 0.3 * VOXEL
    inside_ball = look_at((0.06, 0.02, 0.068), (0.06, 0.02, 0.3))
    assert not table.render(VIEW_CAMERA, inside_ball[None]).valid.any()


@pytest.mark.parametrize(
    "T",
    [
        look_at((0, 0, 3.0), (0, 0, 6.0)),  # away from the volume
        look_at((5.0, 0, 0.1), (5.0, 5.0, 0.1), up=(0, 0, 1)),  # past it
        pose(so3_exp(np.array([np.pi / 2, 0, 0])), np.array([0.0, 0.0, 0.0])),  # in the table's plane, along it
    ],
    ids=["away", "past", "grazing"],
)
def test_views_past_the_volume_or_along_a_surface_are_defined(table, T):
    view = table.render(VIEW_CAMERA, T[None])
    assert np.isfinite(view.depth).all()
    assert np.isfinite(view.normal).all()
    assert not view.depth[~view.valid].any()


def test_axis_parallel_rays_hit_where_they_should(table):
    # A camera with its optical axis straight down: the middle column's rays have a direction component of exactly zero.
    camera = PinholeCamera(81, 45, 62.8, 62.8, 40.0, 22.0)
    T = pose(np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]), np.array([-0.06, 0.0, 0.4]))
    view = table.render(camera, T[None])
    assert view.valid[0, 22, 40]
    assert view.depth[0, 22, 40] == pytest.approx(0.34, abs=0.2 * VOXEL)  # the box is 6 cm high


def test_thin_objects_are_seen_from_the_side():
    pen = AnalyticScene((Plane(), Box((-0.005, -0.1, 0.03), (0.005, 0.1, 0.045))))
    scene = fuse(pen, [look_at((0, 0.02, 0.4), (0, 0, 0.03))])
    side = look_at((0.3, 0.0, 0.15), (0, 0, 0.03), up=(0, 0, -1))
    view = scene.render(VIEW_CAMERA, side[None])
    _, depth, _ = pen.render(VIEW_CAMERA, side)
    points = VIEW_CAMERA.points(depth) @ side[:3, :3].T + side[:3, 3]
    # The inner part of the side that faces the camera; a row of pixels is 5 mm high there.
    on_side = (points[..., 2] > 0.032) & (points[..., 2] < 0.043) & (np.abs(points[..., 1]) < 0.08) & (depth > 0)
    assert on_side.sum() >= 20
    hit = view.valid[0] & (np.abs(view.depth[0] - depth) < 2 * VOXEL)
    assert hit[on_side].mean() > 0.8


def test_coarser_voxels_and_longer_truncation():
    scene = fuse(TABLE, volume=Volume((-0.2, -0.2, -0.04), (40, 40, 20), 0.01), truncation_m=0.03)
    view = scene.render(VIEW_CAMERA, RING[0][None])
    _, depth, _ = TABLE.render(VIEW_CAMERA, RING[0])
    seen = view.valid[0] & (depth > 0)
    assert seen.mean() > 0.4
    assert np.median(np.abs(view.depth[0] - depth)[seen]) < 0.3 * 0.01
