"""Kernels read no voxel that is not there: run once more as plain Python, where that raises an error."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.voxels import FREE, UNSEEN
from wildgrasp.geometry import PinholeCamera, pose

CAMERA = PinholeCamera.from_hfov(12, 8, np.deg2rad(60.0))
# Each axis with its last voxel at the end of the tables with which voxels are found.
VOLUME = Volume((0.0, 0.0, 0.0), (16, 16, 16), 0.01)


def scene_of(quanta: np.ndarray) -> TsdfScene:
    """A scene with signed distances [blocks × 512]."""
    scene = TsdfScene(VOLUME, truncation_m=0.03)
    scene.assign(quanta.astype(np.int16), np.full((quanta.size, 3), 200, np.uint8))
    return scene


def look_from(*position: float) -> np.ndarray:
    """A camera somewhere (in voxels) that looks at the volume's middle."""
    eye, middle = np.array(position) * VOLUME.voxel_m, np.full(3, 7.5 * VOLUME.voxel_m)
    z = (middle - eye) / np.linalg.norm(middle - eye)
    x = np.cross([0.3, 1.0, 0.2], z)
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(z, x), z], axis=1), eye)


def scenes() -> list[TsdfScene]:
    """Noise of few values, so that crossings lie exactly on voxels; specks; solid matter; matter here and there."""
    rng = np.random.default_rng(0)
    noise = rng.choice([FREE, 1, 0, -1, -9000, UNSEEN], size=16**3, p=[0.4, 0.1, 0.2, 0.1, 0.1, 0.1])
    specks = np.full(16**3, FREE)
    specks[rng.choice(16**3, 200, replace=False)] = 0
    return [scene_of(n) for n in (noise, specks, np.full(16**3, -1), rng.choice([1, -1], size=16**3))]


def look_everywhere() -> None:
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(6, 3))
    far = 7.5 + 1e5 * directions[:2] / np.linalg.norm(directions[:2], axis=1)[:, None]
    near = [*(7.5 + 25 * directions), (0.5, 7.5, 7.5), (7.5, 15.5, 7.5), (1.0, 1.0, 1.0), *far]
    poses = np.stack([look_from(*p) for p in near])
    for scene in scenes():
        scene.surface_points()
        scene.mesh()
        scene.render(CAMERA, poses)


def test_nothing_is_read_outside_the_volume():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "ignore", "-c", "import test_scene_bounds as t; t.look_everywhere()"]
    ran = subprocess.run(command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]


@pytest.mark.parametrize("corner", [(13, 13, 13), (14, 14, 14), (1, 1, 1)])
def test_a_crossing_on_the_last_voxels_makes_no_vertex(corner):
    """One voxel exactly on the surface: cells whose vertex would lie where no gradient can be read have none."""
    scene = TsdfScene(VOLUME, truncation_m=0.03)
    dense = np.full(VOLUME.shape, FREE, np.int16)
    dense[corner] = 0
    blocked = dense.reshape(2, 8, 2, 8, 2, 8).transpose(0, 2, 4, 1, 3, 5).ravel()
    scene.assign(blocked, np.zeros((16**3, 3), np.uint8))
    voxels = scene.surface_points().points / VOLUME.voxel_m
    assert len(voxels) == {(13, 13, 13): 1, (14, 14, 14): 0, (1, 1, 1): 1}[corner]
    assert ((voxels >= 1) & (voxels <= 13)).all()
