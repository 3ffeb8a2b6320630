"""Rendered views against MuJoCo's own rendering of the same scene."""

from __future__ import annotations

import os

import numpy as np
import pytest
from analytic_scene import look_at

from grasp_policy.actions import SENSOR_CAMERA, VIEW_CAMERA
from grasp_policy.scene.tsdf import TsdfScene, Volume

os.environ.setdefault("MUJOCO_GL", "egl")  # no screen needed
mujoco = pytest.importorskip("mujoco")

_FOVY_DEG = float(np.rad2deg(2 * np.arctan(SENSOR_CAMERA.height / 2 / SENSOR_CAMERA.fy)))
_XML = f"""
<mujoco>
  <visual>
    <headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/>
    <map znear="0.02" zfar="10"/><global offwidth="640" offheight="360"/><quality offsamples="0"/>
  </visual>
  <statistic extent="1"/>
  <worldbody>
    <body name="eye" mocap="true"><camera name="eye" fovy="{_FOVY_DEG}"/></body>
    <geom type="plane" size="1 1 0.1" rgba="0.6 0.6 0.6 1"/>
    <geom type="capsule" size="0.025 0.06" pos="-0.07 0.03 0.025" euler="90 0 20" rgba="0.2 0.3 0.8 1"/>
    <geom type="cylinder" size="0.035 0.05" pos="0.07 -0.03 0.05" rgba="0.8 0.3 0.2 1"/>
    <geom type="box" size="0.03 0.02 0.03" pos="0.02 0.09 0.03" euler="0 0 35" rgba="0.2 0.7 0.3 1"/>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def photograph():
    """Photographs the scene from a camera pose: (colour, depth) of the sensor."""
    model = mujoco.MjModel.from_xml_string(_XML)
    data = mujoco.MjData(model)
    renderer = mujoco.Renderer(model, SENSOR_CAMERA.height, SENSOR_CAMERA.width)

    def take(T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        data.mocap_pos[0] = T[:3, 3]
        R = np.ascontiguousarray(T[:3, :3] @ np.diag([1.0, -1.0, -1.0]))  # OpenGL's camera looks along its −z
        mujoco.mju_mat2Quat(data.mocap_quat[0], R.ravel())
        mujoco.mj_forward(model, data)
        renderer.update_scene(data, "eye")
        color = renderer.render().copy()
        renderer.enable_depth_rendering()
        depth = renderer.render().copy()
        renderer.disable_depth_rendering()
        return color, np.where(depth < 5, depth, 0).astype(np.float32)

    yield take
    renderer.close()


def test_views_from_new_places_agree_with_mujoco(photograph):
    scene = TsdfScene(Volume((-0.25, -0.25, -0.04), (100, 100, 48)))
    for a in np.arange(5) * 2 * np.pi / 5:
        T = look_at((0.2 * np.cos(a), 0.2 * np.sin(a), 0.4), (0, 0, 0.02))
        scene.integrate(*photograph(T), SENSOR_CAMERA, T)
    poses = np.stack([look_at((0.12 * np.cos(a), 0.12 * np.sin(a), 0.35), (0, 0, 0.03)) for a in (0.4, 2.0, 3.9)])
    views = scene.render(VIEW_CAMERA, poses)
    for n, T in enumerate(poses):
        color, depth = photograph(T)
        u, v = SENSOR_CAMERA.project(VIEW_CAMERA.points(np.ones((45, 80)))).round().astype(int).transpose(2, 0, 1)
        truth = depth[v, u]
        rim = np.abs(truth - depth[v - 2, u]) + np.abs(truth - depth[v, u - 2]) > 0.01
        sure = views.valid[n] & (truth > 0) & ~rim
        assert sure.mean() > 0.7
        error = np.abs(views.depth[n] - truth)[sure]
        assert np.median(error) < 0.001
        assert np.quantile(error, 0.95) < 0.005
        difference = np.abs(views.color[n].astype(int) - color[v, u])[sure].max(axis=-1)
        assert np.median(difference) < 6
