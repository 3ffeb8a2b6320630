"""The default tracker: every frame against the last keyframe, by optical flow and robust reprojection.

Frame-to-frame odometry adds up its errors at 30 Hz; against a keyframe they add up only where a new one begins, and a
refinement over all keyframes (refinement.py) takes those out again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.tracking.alignment import RansacConfig, StereoCamera, ransac_pose, refine_pose, rigid_fit
from processing.tracking.features import (
    Descriptors,
    FeatureConfig,
    find_corners,
    follow,
    sample_depth,
    usable_depth,
)
from processing.tracking.keyframes import Keyframe, Measurement, assemble, relative_pose
from processing.tracking.refinement import RefinementConfig, refine
from processing.tracking.trajectory import Trajectory, View
from wildgrasp.geometry import PinholeCamera, inverse, pose, rotation_angle, transform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KeyframeConfig:
    """When a measurement counts, and when a new keyframe begins."""

    min_inliers: int = 20
    min_inlier_fraction: float = 0.25  # of what optical flow found
    renew_below_fraction: float = 0.5  # of the keyframe's landmarks still seen
    renew_below_count: int = 100
    renew_beyond_rotation_rad: float = 0.26
    renew_beyond_motion: float = 0.2  # travelled, as a fraction of the landmarks' median depth
    bridge_frames: int = 5  # so many frames without measurement are predicted, more are lost
    reanchor_candidates: int = 8


@dataclass(frozen=True)
class TrackerConfig:
    baseline_m: float = 0.055  # of the depth camera: D415
    disparity_weight: float = 3.6  # a disparity is that much more exact than a corner (0.1 px against 0.36 px)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    ransac: RansacConfig = field(default_factory=RansacConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    refinement: RefinementConfig | None = field(default_factory=RefinementConfig)
    seed: int = 0


class KeyframeTracker:
    """KLT frame to keyframe, RANSAC scored by reprojection, Gauss–Newton on (u, v, disparity), refinement of the clip.

    Usage: ``KeyframeTracker(camera).track(views)``; or :meth:`register_frame` per frame, then :meth:`finish`.
    """

    def __init__(self, camera: PinholeCamera, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self.camera = StereoCamera(camera, self.config.baseline_m * self.config.disparity_weight)
        self.keyframes: list[Keyframe] = []
        self.measurements: list[Measurement | None] = []  # one per frame
        self._current: int = -1  # keyframe in use
        self._T_keyframe_camera = pose()
        self._velocity = pose()
        self._rng = np.random.default_rng(self.config.seed)

    def track(self, views: Iterable[View]) -> Trajectory:
        for view in views:
            self.register_frame(view)
        return self.finish()

    def register_frame(self, view: View) -> Measurement | None:
        """Measure one frame; None when it shows too little to be measured."""
        # 1. Preprocess: grey image, depth that may carry landmarks.
        gray = cv2.cvtColor(view.color, cv2.COLOR_RGB2GRAY)
        depth = usable_depth(view.depth, view.ignore, self.config.features)

        # 2. Predict by constant velocity, and measure against the current keyframe.
        T_predicted = self._T_keyframe_camera @ self._velocity
        measured = self._measure(self._current, gray, depth, T_predicted) if self.keyframes else None

        # 3. Lost: find the place again among the keyframes by descriptors.
        if measured is None and self.keyframes:
            measured = self._reanchor(gray, depth)

        # 4. Remember the motion; without a measurement keep the prediction.
        self.measurements.append(measured)
        if measured is not None:
            step = inverse(self._T_keyframe_camera) @ measured.T_keyframe_camera
            self._velocity = step if measured.keyframe == self._current else pose()
            self._current, self._T_keyframe_camera = measured.keyframe, measured.T_keyframe_camera
        else:
            self._T_keyframe_camera = T_predicted

        # 5. Begin a new keyframe when the old one has been left behind.
        if self._keyframe_is_due(measured):
            self._add_keyframe(gray, depth, measured)
        return self.measurements[-1]

    def finish(self) -> Trajectory:
        """Refine all keyframes together and read off the whole trajectory."""
        keyframes, measurements = self.keyframes, self.measurements
        if self.config.refinement is not None and keyframes:
            keyframes, measurements = refine(
                keyframes, measurements, self.camera, self.config.features, self.config.refinement
            )
        return assemble(keyframes, measurements, self.config.keyframes.bridge_frames)

    # --- steps ---

    def _measure(self, index: int, gray: NDArray, depth: NDArray, T_predicted: Array) -> Measurement | None:
        keyframe = self.keyframes[index]
        ahead = transform(inverse(T_predicted), keyframe.landmarks)
        ahead[:, 2] = np.maximum(ahead[:, 2], 0.05)
        guess = self.camera.pinhole.project(ahead)
        pixels, found = follow(keyframe.gray, gray, keyframe.observations[:, :2], guess, self.config.features)
        return self._fit(index, np.flatnonzero(found), pixels[found], depth)

    def _fit(self, index: int, ids: NDArray, pixels: Array, depth: NDArray) -> Measurement | None:
        """Pose from matches of a keyframe's landmarks ids [M] to pixels [M, 2]; None without a clear majority."""
        limits = self.config.keyframes
        if len(ids) < limits.min_inliers:
            return None
        observed = np.column_stack([pixels, self.camera.disparity(sample_depth(depth, pixels))])
        landmarks = self.keyframes[index].landmarks[ids]
        inliers = ransac_pose(landmarks, observed, self.camera, self.config.ransac, self._rng)
        if inliers is None or inliers.sum() < max(limits.min_inliers, limits.min_inlier_fraction * len(ids)):
            return None
        measured = inliers & np.isfinite(observed[:, 2])
        T_start = rigid_fit(landmarks[measured], self.camera.points(observed[measured]))
        fit = refine_pose(landmarks[inliers], observed[inliers], self.camera, T_start)
        if fit is None:
            return None
        return Measurement(index, ids[inliers], observed[inliers], inverse(fit.T_camera_reference), fit.sigma_m)

    def _reanchor(self, gray: NDArray, depth: NDArray) -> Measurement | None:
        """Match against the keyframes that look most alike, then measure as usual from there."""
        seen = Descriptors(gray, depth)
        matches = [(index, keyframe.descriptors.match(seen)) for index, keyframe in enumerate(self.keyframes)]
        matches.sort(key=lambda item: -len(item[1]))
        for index, pairs in matches[: self.config.keyframes.reanchor_candidates]:
            keyframe = self.keyframes[index]
            T_keyframe_camera = relative_pose(keyframe, seen, depth, pairs, self.camera, self.config.ransac, self._rng)
            if T_keyframe_camera is None:
                continue
            measured = self._measure(index, gray, depth, T_keyframe_camera)
            if measured is not None:
                return measured
        return None

    def _keyframe_is_due(self, measured: Measurement | None) -> bool:
        if measured is None:
            # A new island: the old place stays lost, so start over as soon as the bridge is used up.
            gap = next((n for n, m in enumerate(reversed(self.measurements)) if m is not None), len(self.measurements))
            return not self.keyframes or gap > self.config.keyframes.bridge_frames
        limits, keyframe = self.config.keyframes, self.keyframes[measured.keyframe]
        T, seen = measured.T_keyframe_camera, len(measured.landmarks)
        travelled = np.linalg.norm(T[:3, 3]) / np.median(keyframe.landmarks[:, 2])
        return bool(
            seen < limits.renew_below_fraction * len(keyframe.landmarks)
            or seen < limits.renew_below_count
            or travelled > limits.renew_beyond_motion
            or rotation_angle(T[:3, :3]) > limits.renew_beyond_rotation_rad
        )

    def _add_keyframe(self, gray: NDArray, depth: NDArray, measured: Measurement | None) -> None:
        pixels = find_corners(gray, depth, self.config.features)
        observations = np.column_stack([pixels, self.camera.disparity(sample_depth(depth, pixels))])
        observations = observations[np.isfinite(observations[:, 2])]
        limits = self.config.keyframes
        if len(observations) < limits.min_inliers or (measured and len(observations) < len(measured.landmarks) // 2):
            return  # this frame shows less than the keyframe still does
        if measured is not None:
            old = self.keyframes[measured.keyframe]
            T_world_camera, island = old.T_world_camera @ measured.T_keyframe_camera, old.island
        elif self.keyframes:
            T_world_camera = self.keyframes[self._current].T_world_camera @ self._T_keyframe_camera
            island = self.keyframes[-1].island + 1
        else:
            T_world_camera, island = pose(), 0
        landmarks = self.camera.points(observations)
        descriptors = Descriptors(gray, depth)
        frame = len(self.measurements) - 1
        self.keyframes.append(
            Keyframe(frame, T_world_camera, gray, depth, observations, landmarks, descriptors, island)
        )
        self._current, self._T_keyframe_camera = len(self.keyframes) - 1, pose()
        if measured is None:
            self._velocity = pose()
            sees_itself = np.arange(len(landmarks))
            self.measurements[-1] = Measurement(self._current, sees_itself, observations, pose(), 0.0)
