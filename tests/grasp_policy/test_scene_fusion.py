"""Fusion against a plain reference, voxel by voxel, and against what it promises on bad input."""

from __future__ import annotations

import numpy as np
import pytest
from analytic_scene import TABLE, AnalyticScene, Box, Plane, Sphere, look_at
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_kinds import new_scene, scene_kind  # noqa: F401  (the fixture runs all tests with each kind)

from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.voxels import FREE
from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp, transform

CAMERA = PinholeCamera.from_hfov(160, 90, np.deg2rad(65.0))
VOLUME = Volume((-0.15, -0.15, -0.03), (60, 52, 36))
ABOVE = look_at((0.05, -0.08, 0.40), (0.0, 0.0, 0.02))
ALPHA = 0.8
QUANTUM = 0.02 / float(FREE)


def reference(volume: Volume, frames, truncation=0.02, alpha=ALPHA):
    """Distances [X, Y, Z] (NaN: unseen), and where rounding to a pixel or truncation is a close call."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1)
    points = np.array(volume.origin) + index * volume.voxel_m
    distance = np.full(volume.shape, np.nan)
    close_call = np.zeros(volume.shape, bool)
    for depth, camera, T in frames:
        p = transform(inverse(T), points.reshape(-1, 3)).reshape(points.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            uv = np.nan_to_num(camera.project(p) + 0.5, nan=-1, posinf=-1, neginf=-1)
        u, v = np.floor(np.clip(uv, -1, 1e6)).astype(int).transpose(3, 0, 1, 2)
        seen = (p[..., 2] > 0.02) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
        d = np.where(seen, depth[np.clip(v, 0, camera.height - 1), np.clip(u, 0, camera.width - 1)], 0)
        signed = d - p[..., 2]
        near_pixel_edge = np.abs(uv - np.round(uv)).min(axis=-1) < 2e-3
        close_call |= near_pixel_edge | (np.abs(signed + truncation) < 1e-5) | (np.abs(p[..., 2] - 0.02) < 1e-5)
        seen &= (d > 0) & (signed >= -truncation)
        new = np.minimum(signed, truncation)
        distance = np.where(seen, np.where(np.isnan(distance), new, distance + alpha * (new - distance)), distance)
    return distance, close_call


def fused(frames, volume=VOLUME, **options) -> TsdfScene:
    scene = new_scene(volume, **options)
    for color, depth, camera, T in frames:
        scene.integrate(color, depth, camera, T)
    return scene


def observe(T, camera=CAMERA, scene=TABLE):
    color, depth, _ = scene.render(camera, T)
    return color, depth, camera, T


poses = st.builds(
    lambda x, y, z, roll: look_at((x, y, z), (0.02, 0.0, 0.02)) @ pose(so3_exp(np.array([0, 0, roll]))),
    st.floats(-0.3, 0.3),
    st.floats(-0.3, 0.3),
    st.floats(0.05, 0.5),
    st.floats(-3, 3),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(poses, min_size=1, max_size=3), st.integers(0, 2**31), st.floats(0.0, 0.3))
def test_skipping_blocks_gives_what_visiting_every_voxel_gives(views, seed, missing):
    rng = np.random.default_rng(seed)
    frames = [observe(T) for T in views]
    for _, depth, _, _ in frames:
        depth[rng.random(depth.shape) < missing] = 0
    distance, _ = fused(frames).to_dense()
    expected, close_call = reference(VOLUME, [frame[1:] for frame in frames])
    sure = ~close_call
    assert sure.mean() > 0.9
    assert np.array_equal(np.isnan(distance[sure]), np.isnan(expected[sure]))
    known = sure & ~np.isnan(expected)
    # Each fusion rounds once; float32 adds a little of its own.
    np.testing.assert_allclose(distance[known], expected[known], atol=len(frames) * QUANTUM + 1e-6)


def test_new_observations_replace_old_ones_with_weight_alpha():
    wall = [AnalyticScene((Plane(offset=z),)) for z in (0.0, 0.006)]
    straight_down = look_at((0, 0, 0.4), (0, 0, 0))
    volume = Volume((-0.02, -0.02, -0.02), (8, 8, 16))
    scene = fused([observe(straight_down, scene=w) for w in wall], volume)
    distance, _ = scene.to_dense()
    z = volume.origin[2] + 0.005 * np.arange(16)
    first, second = np.minimum(z, 0.02), np.minimum(z - 0.006, 0.02)
    expected = np.where(first < -0.02, np.nan, np.where(second < -0.02, first, first + ALPHA * (second - first)))
    np.testing.assert_allclose(distance, np.broadcast_to(expected, (8, 8, 16)), atol=3 * QUANTUM)


def test_colour_is_averaged_with_the_same_weight():
    plane = Plane(color=(200, 100, 0))
    T = look_at((0, 0, 0.4), (0, 0, 0))
    scene = fused([observe(T, scene=AnalyticScene((plane,)))], Volume((-0.02, -0.02, -0.02), (8, 8, 16)))
    scene.integrate(*observe(T, scene=AnalyticScene((Plane(color=(100, 100, 50)),))))
    _, color = scene.to_dense()
    assert np.abs(color[:, :, 4].astype(int) - np.array([120, 100, 40])).max() <= 1


def test_what_is_not_seen_stays():
    scene = fused([observe(ABOVE)])
    before, color_before = scene.to_dense()
    # The camera jumps to where the volume is out of sight, and to where only a part of it is in sight.
    assert scene.integrate(*observe(look_at((3.0, 3.0, 1.0), (4.0, 4.0, 0.0)))) == 0
    away, color_away = scene.to_dense()
    np.testing.assert_array_equal(away, before)
    np.testing.assert_array_equal(color_away, color_before)
    corner = look_at((0.25, 0.25, 0.25), (0.2, 0.2, 0.0))
    assert scene.integrate(*observe(corner)) > 0
    after, _ = scene.to_dense()
    fresh, _ = fused([observe(corner)]).to_dense()
    unseen_now = np.isnan(fresh)
    np.testing.assert_array_equal(after[unseen_now], before[unseen_now])
    only_now = np.isnan(before) & ~unseen_now
    np.testing.assert_array_equal(after[only_now], fresh[only_now])


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf, -1.0])
def test_depth_that_is_no_measurement_changes_nothing(bad):
    scene = fused([observe(ABOVE)])
    before, _ = scene.to_dense()
    color, depth, camera, T = observe(ABOVE, scene=AnalyticScene((Plane(offset=0.05),)))
    assert scene.integrate(color, np.full_like(depth, bad), camera, T) == 0
    after, _ = scene.to_dense()
    np.testing.assert_array_equal(after, before)
    half = depth.copy()
    half[::2] = bad
    masked = np.zeros(depth.shape, bool)
    masked[::2] = True
    one, other = new_scene(VOLUME), new_scene(VOLUME)
    one.integrate(color, half, camera, T)
    other.integrate(color, depth, camera, T, ignore=masked)
    np.testing.assert_array_equal(one.to_dense()[0], other.to_dense()[0])


def test_an_object_that_moves_away_is_gone_after_a_few_frames():
    with_ball = AnalyticScene((Plane(), Sphere((0.0, 0.0, 0.04), 0.03)))
    scene = fused([observe(ABOVE, scene=with_ball)] * 3)
    for _ in range(4):
        scene.integrate(*observe(ABOVE, scene=AnalyticScene((Plane(),))))
    points = scene.surface_points().points
    assert np.abs(points[:, 2]).max() < 0.005


def test_what_a_pose_that_jumps_leaves_behind_is_gone_where_one_looks_again():
    floor = observe(ABOVE, scene=AnalyticScene((Plane(),)))
    jumped = (*floor[:3], pose(t=np.array([0.0, 0.0, 0.03])) @ ABOVE)
    scene = fused([floor, floor, jumped])
    assert np.median(scene.surface_points().points[:, 2]) > 0.01  # believed at first, as new observations are
    for _ in range(4):
        scene.integrate(*floor)
    points = scene.surface_points().points
    u, v = CAMERA.project(transform(inverse(ABOVE), points)).T
    seen_again = (u > 2) & (v > 2) & (u < CAMERA.width - 3) & (v < CAMERA.height - 3)
    assert seen_again.sum() > 1000
    assert np.abs(points[seen_again, 2]).max() < 0.005


@pytest.mark.parametrize(
    "T",
    [
        np.full((4, 4), np.nan),
        np.diag([2.0, 2.0, 2.0, 1.0]),
        pose(t=np.array([np.inf, 0.0, 0.0])),
        pose(t=np.array([0.0, 0.0, 1e8])),
    ],
)
def test_a_pose_that_is_no_rigid_motion_is_refused_and_nothing_changes(T):
    scene = fused([observe(ABOVE)])
    before, _ = scene.to_dense()
    color, depth, camera, _ = observe(ABOVE)
    with pytest.raises(ValueError, match="rigid motion"):
        scene.integrate(color, depth, camera, T)
    with pytest.raises(ValueError, match="rigid motion"):
        scene.render(camera, T[None])
    np.testing.assert_array_equal(scene.to_dense()[0], before)


def test_images_that_do_not_fit_are_refused():
    scene = new_scene(VOLUME)
    color, depth, camera, T = observe(ABOVE)
    with pytest.raises(ValueError, match="do not fit"):
        scene.integrate(color, depth[1:], camera, T)
    with pytest.raises(ValueError, match="do not fit"):
        scene.integrate(color, depth, camera, T, ignore=np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="uint8"):
        scene.integrate(color.astype(np.float32), depth, camera, T)


def test_reset_forgets_everything():
    scene = fused([observe(ABOVE)])
    scene.reset()
    assert np.isnan(scene.to_dense()[0]).all()
    assert not scene.render(CAMERA, ABOVE[None]).valid.any()
    assert len(scene.surface_points()) == 0
    scene.integrate(*observe(ABOVE))
    np.testing.assert_array_equal(scene.to_dense()[0], fused([observe(ABOVE)]).to_dense()[0])


def test_volumes_whose_sides_are_no_multiple_of_a_block_and_other_layouts_of_memory():
    odd = Volume(VOLUME.origin, (57, 49, 33))
    color, depth, camera, T = observe(ABOVE)
    scene = new_scene(odd)
    scene.integrate(color[:, ::-1][:, ::-1], np.asfortranarray(depth.astype(np.float64)), camera, T)
    distance, _ = scene.to_dense()
    whole, _ = fused([observe(ABOVE)]).to_dense()
    np.testing.assert_array_equal(distance, whole[:57, :49, :33])


def test_volume_around_a_point_contains_it_in_the_middle():
    volume = Volume.around((0.3, -0.2, 0.1), (0.8, 0.8, 0.6))
    assert volume.shape == (160, 160, 120)
    middle = np.array(volume.origin) + (np.array(volume.shape) - 1) / 2 * volume.voxel_m
    np.testing.assert_allclose(middle, (0.3, -0.2, 0.1))
    assert volume.contains(np.array([[0.3, -0.2, 0.1], [0.3, -0.2, 0.5]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="positive size"):
        Volume((0, 0, 0), (8, 8, 8), 0.0)
    with pytest.raises(ValueError, match="finite origin"):
        Volume((0, 0, np.nan), (8, 8, 8))
    with pytest.raises(ValueError, match="alpha"):
        new_scene(volume, alpha=0.0)


def test_surface_points_and_mesh_lie_on_the_sphere():
    ball = AnalyticScene((Sphere((0.0, 0.0, 0.05), 0.05),))
    views = [look_at((0.3 * np.cos(a), 0.3 * np.sin(a), 0.05), (0, 0, 0.05), up=(0, 0, 1)) for a in range(6)]
    scene = fused([observe(T, scene=ball) for T in views], Volume((-0.08, -0.08, -0.03), (32, 32, 32)))
    surface = scene.surface_points()
    radial = surface.points - [0, 0, 0.05]
    radius = np.linalg.norm(radial, axis=1)
    assert len(surface) > 500
    assert np.quantile(np.abs(radius - 0.05), 0.99) < 0.6 * scene.volume.voxel_m
    assert np.median(np.sum(radial / radius[:, None] * surface.normals, axis=1)) > 0.99
    mesh = scene.mesh()
    corners = mesh.vertices[mesh.faces]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = np.sum(outward * (corners.mean(axis=1) - [0, 0, 0.05]), axis=1) > 0
    assert facing.mean() > 0.99
    area = np.linalg.norm(outward, axis=1).sum() / 2
    seen_part = np.ptp(mesh.vertices[:, 2]) * 2 * np.pi * 0.05  # area of a sphere's zone
    assert area == pytest.approx(seen_part, rel=0.15)


def test_mesh_file_can_be_read_back(tmp_path):
    mesh = fused([observe(ABOVE)]).mesh()
    path = tmp_path / "scene.ply"
    mesh.save_ply(path)
    header, _, body = path.read_bytes().partition(b"end_header\n")
    assert f"element vertex {len(mesh.vertices)}".encode() in header
    assert f"element face {len(mesh.faces)}".encode() in header
    assert len(body) == 27 * len(mesh.vertices) + 13 * len(mesh.faces)
    again = pytest.importorskip("trimesh").load(path, process=False)  # somebody else's reader
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_array_equal(again.visual.vertex_colors[:, :3], mesh.colors)


def test_a_box_keeps_its_size():
    box = AnalyticScene((Plane(), Box((-0.04, -0.03, 0.0), (0.04, 0.03, 0.05))))
    views = [look_at((0.2 * np.cos(a), 0.2 * np.sin(a), 0.3), (0, 0, 0.03)) for a in np.arange(8) * np.pi / 4]
    points = fused([observe(T, scene=box) for T in views]).surface_points().points
    on_box = points[points[:, 2] > 0.02]
    # The sides that the last view sees. Just behind a silhouette, up to the truncation, the moving average believes the
    # last view's "behind a surface" rather than an earlier view's "free", so the far sides stand off until seen again.
    low, high = np.quantile(on_box, [0.01, 0.99], axis=0)
    np.testing.assert_allclose([high[0], low[1], high[2]], [0.04, -0.03, 0.05], atol=0.003)
    assert np.all(np.abs(on_box - [0.0, 0.0, 0.025]).max(axis=0) < np.array([0.04, 0.03, 0.025]) + 0.02)
