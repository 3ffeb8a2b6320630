"""The paper's tracker (section IV), as a baseline: SIFT, RANSAC with SVD, ICP on the projected point clouds.

    two frames -> SIFT keypoints, matched -> RANSAC + SVD: rigid transform -> ICP on the clouds -> motion

Frame to frame, without keyframes or refinement, as it is written there. Pixels of gripper and grasped objects are
masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from processing.tracking.alignment import rigid_fit
from processing.tracking.features import FeatureConfig, sample_depth, usable_depth
from processing.tracking.trajectory import Status, Trajectory, View
from wildgrasp.geometry import PinholeCamera, inverse, pose, transform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PaperConfig:
    """The paper gives no numbers; these are customary ones."""

    ratio: float = 0.8  # of the distances to the best and the second-best match (Lowe 2004)
    hypotheses: int = 500
    inlier_m: float = 0.01
    min_inliers: int = 12
    voxel_m: float = 0.02  # clouds are thinned to one point per voxel
    icp_iterations: int = 20
    icp_reach_m: float = 0.02  # pairs farther apart do not count
    near_m: float = 0.22
    far_m: float = 4.0


@dataclass(frozen=True)
class _Frame:
    """What one frame gives."""

    keypoints: Array  # [N, 3] in the camera
    descriptors: NDArray[np.float32]  # [N, 128]
    cloud: Array  # [M, 3]


class PaperTracker:
    """SIFT + RANSAC/SVD + ICP between consecutive frames."""

    def __init__(self, camera: PinholeCamera, config: PaperConfig | None = None) -> None:
        self.camera, self.config = camera, config or PaperConfig()
        self._sift = cv2.SIFT_create()
        self._rng = np.random.default_rng(0)
        self._poses: list[Array] = []
        self._status: list[Status] = []
        self._before: _Frame | None = None

    def track(self, views: Iterable[View]) -> Trajectory:
        for view in views:
            self.register_frame(view)
        return self.finish()

    def register_frame(self, view: View) -> None:
        """One more frame: its motion from the frame before."""
        now = self._frame(view)
        T = pose() if self._before is None else self._motion(now, self._before)
        last = self._poses[-1] if self._poses else pose()
        self._poses.append(last if T is None else last @ T)  # not measured: it stands still, and is called lost
        self._status.append("lost" if T is None else "ok")
        self._before = now

    def finish(self) -> Trajectory:
        """The motions, chained. The paper's tracker knows nothing of its uncertainty: NaN where it measured."""
        sigma = np.where(np.array(self._status) == "lost", np.inf, np.nan)
        return Trajectory(np.array(self._poses).reshape(-1, 4, 4), list(self._status), sigma)

    @property
    def keyframe_count(self) -> int:
        """Every frame is what the next one is measured against."""
        return len(self._poses)

    # --- steps ---

    def _frame(self, view: View) -> _Frame:
        depth = usable_depth(view.depth, view.ignore, FeatureConfig(near_m=self.config.near_m, far_m=self.config.far_m))
        gray = cv2.cvtColor(view.color, cv2.COLOR_RGB2GRAY)
        found, descriptors = self._sift.detectAndCompute(gray, (depth > 0).astype(np.uint8))
        pixels = np.array([k.pt for k in found], np.float64).reshape(-1, 2)
        z = sample_depth(depth, pixels) if len(pixels) else np.zeros(0)
        descriptors = np.zeros((0, 128), np.float32) if descriptors is None else descriptors
        keypoints = self.camera.unproject(pixels[z > 0], z[z > 0])
        points = self.camera.points(depth)[depth > 0].astype(np.float64)
        _, first = np.unique(np.floor(points / self.config.voxel_m).astype(np.int64), axis=0, return_index=True)
        return _Frame(keypoints, descriptors[z > 0], points[first])

    def _motion(self, now: _Frame, before: _Frame) -> Array | None:
        """T_before_now [4, 4], or None without enough matches that agree."""
        a, b = self._matches(now, before)
        T = self._ransac(a, b)
        return None if T is None else self._icp(now.cloud, before.cloud, T)

    def _matches(self, now: _Frame, before: _Frame) -> tuple[Array, Array]:
        """Matched keypoints [M, 3] in both cameras."""
        if min(len(now.keypoints), len(before.keypoints)) < 2:
            return np.zeros((0, 3)), np.zeros((0, 3))
        pairs = cv2.BFMatcher().knnMatch(now.descriptors, before.descriptors, k=2)
        good = [p for p, q in pairs if p.distance < self.config.ratio * q.distance]
        return now.keypoints[[p.queryIdx for p in good]], before.keypoints[[p.trainIdx for p in good]]

    def _ransac(self, a: Array, b: Array) -> Array | None:
        """The rigid transform that most matches [M, 3] agree with, by SVD over all of these."""
        config = self.config
        if len(a) < config.min_inliers:
            return None
        triples = self._rng.integers(0, len(a), (config.hypotheses, 3))
        distances = np.linalg.norm(transform(rigid_fit(a[triples], b[triples]), a) - b, axis=-1)
        inliers = distances < config.inlier_m
        best = inliers[np.argmax(inliers.sum(axis=1))]
        return rigid_fit(a[best], b[best]) if best.sum() >= config.min_inliers else None

    def _icp(self, now: Array, before: Array, T: Array) -> Array:
        """Point-to-point ICP (Besl and McKay 1992) from a start."""
        tree = cKDTree(before)
        for _ in range(self.config.icp_iterations):
            distance, nearest = tree.query(transform(T, now), distance_upper_bound=self.config.icp_reach_m)
            near = np.isfinite(distance)
            if near.sum() < self.config.min_inliers:
                return T
            T_new = rigid_fit(now[near], before[nearest[near]])
            moved = np.abs(inverse(T) @ T_new - np.eye(4)).max()
            T = T_new
            if moved < 1e-5:
                break
        return T
