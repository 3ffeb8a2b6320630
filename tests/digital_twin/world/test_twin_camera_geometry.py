"""What the twin's camera shows is where the pinhole model says, to a fraction of a pixel."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from digital_twin.world.d415 import D415, DEPTH_SCALE
from digital_twin.world.gripper_model import CAMERA, CAMERA_NAME, camera_pose, gripper_spec
from digital_twin.world.objects import quaternion
from digital_twin.world.scene import empty_spec
from wildgrasp import rig
from wildgrasp.geometry import inverse, pose, so3_exp, transform

T_WORLD_FINGERTIP = pose(so3_exp(np.array([2.6, 0.5, -0.3])), np.array([0.1, -0.2, 0.4]))
PIXELS = np.array([[100.0, 60.0], [319.5, 200.0], [560.0, 130.0], [420.0, 20.0]])
DEPTHS = np.array([0.5, 0.45, 0.8, 0.35])
RADIUS = 0.006


@pytest.fixture(scope="module")
def looking():
    """A gripper at an odd pose whose camera sees small spheres at known pixels and depths."""
    spec = empty_spec()
    spec.worldbody.add_light(pos=[0, 0, 2])
    mount = spec.worldbody.add_body(name="mount", pos=T_WORLD_FINGERTIP[:3, 3], quat=quaternion(T_WORLD_FINGERTIP))
    spec.attach(gripper_spec(), prefix="g/", frame=mount.add_frame())
    T_world_camera = T_WORLD_FINGERTIP @ rig.NOMINAL_T_FINGERTIP_CAMERA
    points = transform(T_world_camera, CAMERA.unproject(PIXELS, DEPTHS))
    for k, point in enumerate(points):
        spec.worldbody.add_geom(name=f"dot_{k}", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[RADIUS, 0, 0], pos=point)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with D415(model, "g/" + CAMERA_NAME, noise=False) as camera:
        yield model, data, camera, T_world_camera


def test_the_camera_sits_where_the_rig_says(looking):
    _, data, _, T_world_camera = looking
    assert camera_pose(data, "g/" + CAMERA_NAME) == pytest.approx(T_world_camera, abs=1e-9)
    assert inverse(T_WORLD_FINGERTIP) @ T_world_camera == pytest.approx(rig.NOMINAL_T_FINGERTIP_CAMERA, abs=1e-9)


def test_known_points_appear_at_their_pixels(looking):
    model, data, camera, _ = looking
    ids = camera.geom_ids(data)
    for k, pixel in enumerate(PIXELS):
        v, u = np.nonzero(ids == model.geom(f"dot_{k}").id)
        assert len(u) > 20
        # The outline of a sphere off the axis is a little off its centre's projection: by about f·r²/z² tan(angle).
        assert np.array([u.mean(), v.mean()]) == pytest.approx(pixel, abs=0.35)


def test_depth_is_metric(looking):
    _, data, camera, _ = looking
    _, depth = camera.exact(data)
    _, raw = camera.render(data)
    for (u, v), z in zip(PIXELS, DEPTHS, strict=True):
        ray = np.linalg.norm([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, 1.0])
        nearest = z - RADIUS / ray  # the sphere's point on the ray through its centre
        assert depth[round(v), round(u)] == pytest.approx(nearest, abs=2e-4)
        assert raw[round(v), round(u)] * DEPTH_SCALE == pytest.approx(depth[round(v), round(u)], abs=0.6 * DEPTH_SCALE)


def test_the_gripper_is_seen_below_the_middle(looking):
    model, data, camera, _ = looking
    pads = camera.body_mask(data, "g/left_finger") | camera.body_mask(data, "g/right_finger")
    v, _ = np.nonzero(pads)
    assert v.min() > CAMERA.cy
    assert not camera.body_mask(data, "world").all()
    assert model.ncam == 1
