"""Grasping in one shot from a signed-distance volume, of VGN's kind (Breyer et al. 2020, "Volumetric grasping").

It looks at the scene from several sides, fuses what it saw into one small volume, lets a network say where in it which
grasp is how good, takes the best that can be reached, and goes there without looking again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from grasp_policy.baselines.approach import Approach
from grasp_policy.baselines.looking_around import LookingAround
from grasp_policy.baselines.steps import table_height
from grasp_policy.baselines.vgn_grid import Depth, Volumes, cube_corner, detections, fuse
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import Array, PinholeCamera, pose
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

Predict = Callable[[NDArray[np.float32]], Volumes]  # of a grid [40, 40, 40]


class OneShot:
    """Implements ``Policy``. The base frame's z points up; what is to be grasped stands on a table.

    ``predict`` is the network; ``workspace`` as in ``SceneObserver``: it only serves to find the table and the pile.
    """

    def __init__(self, predict: Predict, workspace: Volume | None = None) -> None:
        self._predict = predict
        self._observer = SceneObserver(workspace)
        self.reset()

    def reset(self) -> None:
        self._observer.reset()
        self._images: list[Depth] = []
        self._looking: LookingAround | None = None
        self._corner = np.zeros(3)  # of the cube, in the base
        self._target: Array | None = None  # T_base_fingertip
        self._approach = Approach(_STANDOFF_M)

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: NDArray[np.float64],
    ) -> None:
        if self._target is not None:
            return
        if self._looking is None:
            self._observer.observe(color, depth, camera, T_base_camera)
        gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
        self._images.append(Depth(np.where(gripper, np.float32(0), depth), camera, np.array(T_base_camera)))

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        T = np.asarray(T_base_fingertip, np.float64)
        if self._looking is None:
            surface = self._observer.surface_points()
            table = table_height(surface)
            if table is None:
                return Decision("stuck", T, "no level surface in sight")
            standing = surface.points[surface.points[:, 2] > table + _LOWEST_OBJECT_M]
            if not len(standing):
                return Decision("stuck", T, "nothing stands on the table")
            middle = np.median(standing, axis=0)
            self._corner, self._looking = cube_corner(middle, table), LookingAround(middle, T)
        if self._target is None:
            look = self._looking.next_step(T, allowed)
            if look is not None:
                return Decision("move", look, "looking around")
            self._target = self._shoot(allowed)
        if self._target is None:
            return Decision("stuck", T, "the network sees no grasp that can be reached")
        return self._approach.step(T, self._target, allowed)

    def _shoot(self, allowed: Allowed) -> Array | None:
        """The best grasp that may be reached."""
        grid = fuse(self._images, self._corner)
        found = detections(grid, self._predict(grid), self._corner, _LEAST_QUALITY, MAX_OPENING_M)
        poses = found.T_base_fingertip
        poses = poses[poses[:, 2, 2] < -_LEAST_DOWNWARD]
        if not len(poses):
            return None
        behind = poses @ pose(t=np.array([0.0, 0.0, -_STANDOFF_M]))
        free = np.asarray(allowed(behind), bool) & np.asarray(allowed(poses), bool)
        return poses[free][0] if free.any() else None


_STANDOFF_M = 0.10
_LEAST_QUALITY = 0.5  # the authors give up below 0.9; who does not try here has failed
_LEAST_DOWNWARD = 0.5  # of the approach: more level ones would sweep the palm through what stands around
_LOWEST_OBJECT_M = 0.008
