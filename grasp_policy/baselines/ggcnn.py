"""Planar grasping in a closed loop, of GG-CNN's kind (Morrison, Corke, Leitner: "Closing the Loop …", RSS 2018).

A small fully convolutional network says for every pixel of one depth image how good a grasp from above would be there,
at which angle and how wide. It is asked anew at every step; the gripper is always on its way to what it said last.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from grasp_policy.baselines.approach import Approach
from grasp_policy.baselines.ggcnn_images import Crop, Maps, closing_direction, fill_holes, peaks
from grasp_policy.baselines.steps import gripper_pose
from grasp_policy.policy import Allowed, Decision
from wildgrasp.geometry import Array, PinholeCamera
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

Predict = Callable[[NDArray[np.float32]], Maps]  # of filled depth [300, 300] in metres

DEPTH_M = 0.025  # of the fingertips past the surface that the grasp's pixel shows
TABLE_GAP_M = 0.004


class PlanarClosedLoop:
    """Goes for the best grasp of the first image, then for the peak nearest to the last. Implements ``Policy``.

    The base frame's z points up; all grasps are straight from above. ``predict`` is the network.
    """

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._crop: tuple[PinholeCamera, NDArray[np.bool_], Crop] | None = None
        self.reset()

    def reset(self) -> None:
        self._seen: tuple[NDArray[np.float32], PinholeCamera, Array] | None = None
        self._approach = Approach(_STANDOFF_M)
        self._recent: list[tuple[Array, Array]] = []  # surface point [3] and closing direction [3] of the last grasps

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: NDArray[np.float64],
    ) -> None:
        gripper, crop = self._window(camera)
        measured = np.where(np.isfinite(depth) & (depth > 0) & ~gripper, depth, 0).astype(np.float32)
        self._seen = crop.cut(measured), crop.camera(camera), np.array(T_base_camera, np.float64)

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        T = np.asarray(T_base_fingertip, np.float64)
        if self._seen is None or not self._seen[0].any():
            return Decision("stuck", T, "the camera shows no depth")
        self._look(*self._seen)
        if not self._recent:
            return Decision("stuck", T, "the network sees nothing to grasp")
        return self._approach.step(T, self._target(), allowed)

    def _look(self, depth: NDArray[np.float32], camera: PinholeCamera, T_base_camera: Array) -> None:
        """Ask the network, and remember which of its grasps is meant."""
        filled = fill_holes(depth)
        maps = self._predict(filled)
        best = peaks(np.where(depth > 0, maps.quality, 0), _LEAST_QUALITY, _PEAKS)  # no grasps in holes, as published
        if not len(best):
            return
        pixels = best[:, ::-1].astype(np.float64)
        points = camera.unproject(pixels, filled[best[:, 0], best[:, 1]]) @ T_base_camera[:3, :3].T
        points += T_base_camera[:3, 3]
        chosen = 0
        if self._recent:
            away = np.linalg.norm(points - self._recent[-1][0], axis=1)
            chosen = int(away.argmin())
            if away[chosen] > _SAME_M:  # hidden at the moment, by a finger or the sensor's minimum range
                return
        closing = closing_direction(float(maps.angle[tuple(best[chosen])]), T_base_camera)
        self._recent = [*self._recent, (points[chosen], closing)][-_AVERAGED:]

    def _target(self) -> Array:
        """T_base_fingertip [4, 4]: the mean of the recent grasps."""
        point = np.mean([p for p, _ in self._recent], axis=0)
        double = np.zeros(2)
        for _, (x, y, _) in self._recent:
            angle = 2 * np.arctan2(y, x)
            double += np.cos(angle), np.sin(angle)
        angle = np.arctan2(double[1], double[0]) / 2
        closing = np.array([np.cos(angle), np.sin(angle), 0.0])
        return gripper_pose(point - [0, 0, DEPTH_M], _DOWN, closing)

    def _window(self, camera: PinholeCamera) -> tuple[NDArray[np.bool_], Crop]:
        if self._crop is None or self._crop[0] != camera:
            gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
            self._crop = camera, gripper, Crop.beside(gripper)
        return self._crop[1:]


_DOWN = np.array([0.0, 0.0, -1.0])
_STANDOFF_M = 0.07  # the last look; nearer, what is to be grasped is within the sensor's minimum range
_LEAST_QUALITY = 0.1
_PEAKS = 3
_SAME_M = 0.05  # a grasp further from the last one is another
_AVERAGED = 3
