"""What a camera draws: only what may be in the picture, the nearest things first.

Without a GPU a picture costs what is shaded. What something nearer hides is never shaded, if the nearer thing has been
drawn before; and of a furnished room most things lie beside the picture. MuJoCo draws geoms in the order in which they
were added to its scene, and adds those of a model whose group is visible.
"""

from __future__ import annotations

import copy

import mujoco
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import Array, PinholeCamera

LAYERS = 16  # of geoms, from near to far; within one they are drawn in any order
_SHOWN, _HIDDEN = 0, 5  # geom groups
_MARGIN = 1.02  # of the picture's half angles, for the width of a pixel


class DrawingOrder:
    """Fills a MuJoCo scene for one camera of a model.

    It works on a copy of the model, in whose geom groups it writes what is to be added next.
    """

    def __init__(self, model: mujoco.MjModel, camera_name: str, camera: PinholeCamera) -> None:
        self._model = copy.copy(model)
        self._options, self._pert = mujoco.MjvOption(), mujoco.MjvPerturb()
        self._drawable = self._options.geomgroup[model.geom_group] > 0
        self._options.geomgroup[:] = 0
        self._options.geomgroup[_SHOWN] = 1
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = model.camera(camera_name).id
        self._walls = _walls(camera)

    def fill(self, scene: mujoco.MjvScene, data: mujoco.MjData) -> None:
        """The scene [in place] as it is seen now: lights, camera, and geoms from near to far."""
        model, groups = self._model, self._model.geom_group
        layers = np.array_split(self._nearest_first(data), LAYERS)
        groups[:] = _HIDDEN
        mujoco.mjv_updateScene(model, data, self._options, self._pert, self._view, mujoco.mjtCatBit.mjCAT_ALL, scene)
        for layer in layers:
            groups[layer] = _SHOWN
            mujoco.mjv_addGeoms(model, data, self._options, self._pert, mujoco.mjtCatBit.mjCAT_ALL, scene)
            groups[layer] = _HIDDEN

    def _nearest_first(self, data: mujoco.MjData) -> NDArray[np.intp]:
        """Geoms whose box is at least partly in the picture, by its distance from the camera."""
        camera = self._view.fixedcamid
        R = data.geom_xmat.reshape(-1, 3, 3)
        middle, half = self._model.geom_aabb[:, :3], self._model.geom_aabb[:, 3:]
        to_camera = np.einsum("nji,nj->ni", R, data.cam_xpos[camera] - data.geom_xpos) - middle  # in the box's axes
        outside = np.maximum(np.abs(to_camera) - half, 0.0)
        inwards = np.einsum("wj,nji->nwi", self._walls @ data.cam_xmat[camera].reshape(3, 3).T, R)
        farthest_in = np.einsum("nwi,ni->nw", np.abs(inwards), half) - np.einsum("nwi,ni->nw", inwards, to_camera)
        seen = np.flatnonzero(self._drawable & (farthest_in > 0).all(axis=1))
        return seen[np.argsort((outside[seen] ** 2).sum(axis=1), kind="stable")]


def _walls(camera: PinholeCamera) -> Array:
    """Inward normals [4, 3] of the pyramid that a camera sees, in MuJoCo's camera frame (x right, y up, z back)."""
    x = _MARGIN * max(camera.cx, camera.width - camera.cx) / camera.fx
    y = _MARGIN * max(camera.cy, camera.height - camera.cy) / camera.fy
    return np.array([[1.0, 0.0, -x], [-1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, -1.0, -y]])
