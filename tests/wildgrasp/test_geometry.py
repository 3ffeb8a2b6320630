"""SE(3) is a group, its charts are inverse to each other, and the camera projects what it unprojects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wildgrasp.geometry import (
    PinholeCamera,
    from_vector,
    interpolate,
    inverse,
    orthonormalize,
    pose,
    rotation_angle,
    se3_exp,
    se3_log,
    skew,
    so3_exp,
    so3_log,
    to_vector,
    transform,
)

settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("quick")

vectors = arrays(np.float64, 3, elements=st.floats(-3, 3, allow_subnormal=False))
short = vectors.filter(lambda w: np.linalg.norm(w) < np.pi - 1e-3)
poses = st.builds(lambda w, t: pose(so3_exp(w), t), vectors, vectors)


@given(poses, poses, poses)
def test_poses_are_a_group(A, B, C):
    np.testing.assert_allclose((A @ B) @ C, A @ (B @ C), atol=1e-12)
    np.testing.assert_allclose(A @ inverse(A), np.eye(4), atol=1e-12)
    np.testing.assert_allclose(inverse(A @ B), inverse(B) @ inverse(A), atol=1e-12)


@given(poses, poses, arrays(np.float64, (5, 3), elements=st.floats(-10, 10)))
def test_transform_follows_the_chain(A, B, points):
    np.testing.assert_allclose(transform(A @ B, points), transform(A, transform(B, points)), atol=1e-10)
    np.testing.assert_allclose(transform(inverse(A), transform(A, points)), points, atol=1e-10)


@given(vectors)
def test_exp_is_a_rotation(w):
    R = so3_exp(w)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1.0)
    np.testing.assert_allclose(R @ w, w, atol=1e-9)  # the axis stays


@given(short)
def test_rotation_log_inverts_exp(w):
    np.testing.assert_allclose(so3_log(so3_exp(w)), w, atol=1e-7)


@given(short, vectors)
def test_pose_log_inverts_exp(w, v):
    xi = np.concatenate([v, w])
    np.testing.assert_allclose(se3_log(se3_exp(xi)), xi, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-9, 1e-5, 9.9e-5, 1.01e-4, 1e-3, np.pi - 1e-9, np.pi])
def test_angle_is_accurate_near_zero_and_pi(angle):
    axis = np.array([0.6, 0.0, 0.8])
    assert rotation_angle(so3_exp(angle * axis)) == pytest.approx(angle, abs=1e-11)


@given(vectors, vectors)
def test_skew_is_the_cross_product(a, b):
    np.testing.assert_allclose(skew(a) @ b, np.cross(a, b), atol=1e-12)


@given(poses)
def test_stored_form_round_trips(T):
    v = to_vector(T)
    assert v[6] >= 0
    assert np.linalg.norm(v[3:]) == pytest.approx(1.0)
    np.testing.assert_allclose(from_vector(v), T, atol=1e-12)
    np.testing.assert_allclose(from_vector(np.r_[v[:3], -2.5 * v[3:]]), T, atol=1e-12)  # same rotation, not normalised


def test_a_zero_quaternion_is_no_pose():
    with pytest.raises(ValueError):
        from_vector(np.zeros(7))


@given(short, arrays(np.float64, (3, 3), elements=st.floats(-1e-3, 1e-3)))
def test_orthonormalize_finds_the_nearest_rotation(w, noise):
    R = so3_exp(w)
    found = orthonormalize(R + noise)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(found) == pytest.approx(1.0)
    assert np.linalg.norm(found - (R + noise)) <= np.linalg.norm(noise) + 1e-12  # no rotation is nearer


def test_orthonormalize_of_a_reflection_is_a_rotation():
    assert np.linalg.det(orthonormalize(np.diag([1.0, 1.0, -0.9]))) == pytest.approx(1.0)


@given(poses, short, vectors, st.floats(0, 1))
def test_interpolation_is_a_constant_motion(T0, w, t, u):
    T1 = pose(T0[:3, :3] @ so3_exp(w), t)
    T = interpolate(T0, T1, u)
    np.testing.assert_allclose(T[:3, 3], (1 - u) * T0[:3, 3] + u * t, atol=1e-9)
    turned = rotation_angle(T0[:3, :3].T @ T[:3, :3])
    assert turned == pytest.approx(u * np.linalg.norm(w), abs=1e-7)
    np.testing.assert_allclose(interpolate(T0, T1, 1.0), T1, atol=1e-7)


def test_batches_equal_single_poses():
    rng = np.random.default_rng(0)
    xi = rng.normal(size=(4, 5, 6))
    T = se3_exp(xi)
    for i in np.ndindex(4, 5):
        np.testing.assert_allclose(T[i], se3_exp(xi[i]), atol=1e-12)
        np.testing.assert_allclose(inverse(T)[i], inverse(T[i]), atol=1e-12)
        np.testing.assert_allclose(to_vector(T)[i], to_vector(T[i]), atol=1e-12)
        np.testing.assert_allclose(se3_log(T)[i], se3_log(T[i]), atol=1e-9)


# --- camera ---

CAMERA = PinholeCamera(64, 48, 50.0, 52.0, 30.0, 25.0)
pixels = arrays(np.float64, (6, 2), elements=st.floats(-100, 200))
depths = arrays(np.float64, 6, elements=st.floats(0.1, 10))


@given(pixels, depths)
def test_projection_inverts_unprojection(uv, z):
    np.testing.assert_allclose(CAMERA.project(CAMERA.unproject(uv, z)), uv, atol=1e-8)


def test_projection_is_what_the_matrix_says():
    p = np.array([0.2, -0.1, 1.7])
    uvw = CAMERA.matrix @ p
    np.testing.assert_allclose(CAMERA.project(p), uvw[:2] / uvw[2])


@given(pixels, depths)
def test_cropping_and_resizing_move_pixels(uv, z):
    points = CAMERA.unproject(uv, z)
    np.testing.assert_allclose(CAMERA.cropped(7, 5, 20, 20).project(points), uv - [7, 5], atol=1e-8)
    # The image's outer border, half a pixel outside of the pixels' centres, is what scales.
    np.testing.assert_allclose(CAMERA.resized(32, 96).project(points) + 0.5, (uv + 0.5) * [0.5, 2.0], atol=1e-8)


def test_point_image_projects_to_its_own_pixels():
    points = CAMERA.points(np.full((48, 64), 1.3, np.float32))
    v, u = np.mgrid[:48, :64]
    np.testing.assert_allclose(CAMERA.project(points), np.stack([u, v], axis=-1), atol=1e-9)


def test_field_of_view():
    camera = PinholeCamera.from_hfov(640, 480, np.deg2rad(60))
    left = camera.unproject(np.array([-0.5, camera.cy]), np.array(1.0))
    assert np.rad2deg(np.arctan2(-left[0], 1.0)) == pytest.approx(30.0)
