"""The default tracker: every frame against the last keyframe, by all of its surface.

Direct alignment (direct.py) is exact, on plain tables too; where its prediction was too far off, optical flow of
corners with RANSAC guides it. Frame-to-frame odometry adds up its errors at 30 Hz; against a
keyframe they add up only where a new one begins, and a refinement over all keyframes (refinement.py) takes those out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.tracking.alignment import RansacConfig, StereoCamera
from processing.tracking.direct import (
    STILL,
    UNKNOWN,
    DirectConfig,
    DirectFit,
    Expected,
    Picture,
    align,
    pick_points,
    picture,
)
from processing.tracking.features import (
    Descriptors,
    FeatureConfig,
    find_corners,
    follow,
    sample_depth,
    usable_depth,
)
from processing.tracking.keyframes import Keyframe, Measurement, assemble, relative_pose
from processing.tracking.paper_tracker import PaperConfig
from processing.tracking.refinement import RefinementConfig, refine
from processing.tracking.rolling import correct_rolling, corrected, expected_motion
from processing.tracking.trajectory import Trajectory, View
from wildgrasp.geometry import PinholeCamera, inverse, pose, rotation_angle, se3_exp, se3_log, so3_exp, transform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KeyframeConfig:
    """When a measurement counts, and when a new keyframe begins."""

    min_inliers: int = 20
    min_inlier_fraction: float = 0.25  # of what optical flow found
    renew_below_fraction: float = 0.65  # of the keyframe's points still seen
    renew_beyond_rotation_rad: float = 0.26
    renew_beyond_motion: float = 0.12  # travelled, as a fraction of the points' median depth
    usual_agreement: float = 0.9  # of the frame before's; below, a direct alignment may have ended elsewhere
    usual_surprise: float = 6.0  # standard deviations of the motion during the readout; beyond, too
    other_turns_rad: float = float(np.deg2rad(3.0))  # from the prediction: where a doubtful alignment is tried again
    doubtful_agreement: float = 0.7  # below, it surely has
    renew_first_after: int = 2  # frames: how a first keyframe moved is known least
    bridge_frames: int = 5  # so many frames without measurement are predicted, more are lost
    reanchor_candidates: int = 8


@dataclass(frozen=True)
class TrackerConfig:
    method: Literal["keyframes", "paper"] = "keyframes"  # paper: as published, for comparison
    baseline_m: float = 0.055  # of the depth camera: D415
    disparity_weight: float = 3.6  # a disparity is that much more exact than a corner (0.1 px against 0.36 px)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    ransac: RansacConfig = field(default_factory=RansacConfig)
    direct: DirectConfig = field(default_factory=DirectConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    refinement: RefinementConfig | None = field(default_factory=RefinementConfig)
    paper: PaperConfig = field(default_factory=PaperConfig)
    seed: int = 0


class KeyframeTracker:
    """Direct alignment frame to keyframe, guided by optical flow, and refinement of the clip.

    ``readout_s``: how long the camera takes from reading its first row to its last; 0: it reads all rows at once.
    Usage: ``KeyframeTracker(camera).track(views)``; or :meth:`register_frame` per frame, then :meth:`finish`.
    """

    def __init__(self, camera: PinholeCamera, config: TrackerConfig | None = None, readout_s: float = 0.0) -> None:
        self.config = config or TrackerConfig()
        self.camera = StereoCamera(camera, self.config.baseline_m)
        self._corner_camera = StereoCamera(camera, self.config.baseline_m * self.config.disparity_weight)
        self.keyframes: list[Keyframe] = []
        self.measurements: list[Measurement | None] = []  # one per frame
        self._current: int = -1  # keyframe in use
        self._T_keyframe_camera = pose()
        self._velocity = np.zeros(6)  # m/s, rad/s, in the camera's frame
        self._times_s: list[float] = []
        self._gray_before: NDArray[np.uint8] | None = None
        self._agreement = np.nan  # of the last measurement
        self._seconds = 0.0  # from the frame before to the present one
        self._readout_s = readout_s
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
        seen = picture(gray, depth, self.camera, self.config.direct)

        # 2. Predict by constant velocity, and measure against the current keyframe.
        self._seconds = seconds = self._seconds_since_last(view)
        T_predicted = self._T_keyframe_camera @ se3_exp(seconds * self._velocity)
        measured = self._measure(self._current, gray, seen, T_predicted) if self.keyframes else None

        # 3. Lost: find the place again among the keyframes by descriptors.
        if measured is None and self.keyframes:
            measured = self._reanchor(gray, depth, seen)

        # 4. Remember the motion; without a measurement keep the prediction.
        self.measurements.append(measured)
        if measured is not None:
            step = inverse(self._T_keyframe_camera) @ measured.T_keyframe_camera
            follows = measured.keyframe == self._current and seconds > 0
            self._velocity = se3_log(step) / seconds if follows else np.zeros(6)
            self._current, self._T_keyframe_camera = measured.keyframe, measured.T_keyframe_camera
            if follows and np.isinf(self.keyframes[self._current].motion.sigma[0]):
                self._set_first_motion(measured)
        else:
            self._T_keyframe_camera = T_predicted

        # 5. Begin a new keyframe when the old one has been left behind.
        if self._keyframe_is_due(measured):
            self._add_keyframe(gray, depth, seen, measured)
        self._gray_before = gray
        return self.measurements[-1]

    def finish(self) -> Trajectory:
        """Refine all keyframes together and read off the whole trajectory."""
        bridge, refinement = self.config.keyframes.bridge_frames, self.config.refinement
        keyframes, measurements = correct_rolling(
            self.keyframes, self.measurements, self._times_s, self._readout_s, bridge
        )
        if refinement is None or not keyframes:
            return assemble(keyframes, measurements, bridge, np.zeros(len(measurements)))
        return refine(keyframes, measurements, self.camera, self.config.direct, refinement, bridge)

    @property
    def keyframe_count(self) -> int:
        return len(self.keyframes)

    # --- steps ---

    def _seconds_since_last(self, view: View) -> float:
        last = self._times_s[-1] if self._times_s else 0.0
        self._times_s.append(last + 1 / 30 if view.time_s is None else view.time_s)
        return self._times_s[-1] - last if len(self._times_s) > 1 else 0.0

    def _measure(self, index: int, gray: NDArray, seen: Picture, T_predicted: Array) -> Measurement | None:
        """Against a keyframe: directly, if hand and camera went on, or stopped; or else from where its corners went."""
        keyframe, start = self.keyframes[index], inverse(T_predicted)
        starts = [start, inverse(self._T_keyframe_camera)] if index == self._current else [start]
        fit = self._align(keyframe, seen, starts)
        limits = self.config.keyframes
        if self._is_doubtful(fit, keyframe):
            by_corners = self._fit_corners(keyframe, gray, start)
            turned = pose(so3_exp(limits.other_turns_rad * np.concatenate([np.eye(3), -np.eye(3)]))) @ start
            tries = [list(turned)] if by_corners is None else [[by_corners], list(turned)]
            fits = [fit, *(self._align(keyframe, seen, starts) for starts in tries)]
            # Corners bridge what prediction cannot, but may be on a thing that moves: the whole surface decides.
            fit = max((f for f in fits if f is not None), key=lambda f: f.seen * f.agreement, default=None)
        if fit is None or fit.agreement < limits.doubtful_agreement * self._agreement:
            return None
        self._agreement = fit.agreement
        fraction = fit.seen / len(keyframe.points)
        return Measurement(index, inverse(fit.T_camera_reference), fit.information, fraction, fit.rolled)

    def _is_doubtful(self, fit: DirectFit | None, keyframe: Keyframe) -> bool:
        """Whether an alignment may have ended elsewhere: less agrees with it than in the frame before, or the camera
        would have moved during the readout as it hardly can."""
        limits = self.config.keyframes
        if fit is None or not fit.agreement >= limits.usual_agreement * self._agreement:
            return True
        expected = self._expected_motion(keyframe, fit.T_camera_reference)
        return bool(np.any(np.abs(fit.rolled.twist - expected.twist) > limits.usual_surprise * expected.sigma))

    def _align(self, keyframe: Keyframe, seen: Picture, starts: list[Array]) -> DirectFit | None:
        at_rest, expect = keyframe.points.at_rest(keyframe.motion.twist), partial(self._expected_motion, keyframe)
        return align(at_rest, seen, self.camera, starts, self.config.direct, expect)

    def _expected_motion(self, keyframe: Keyframe, T_camera_keyframe: Array) -> Expected:
        """During this frame's readout, if it lies so to a keyframe."""
        velocity = self._velocity
        if keyframe is self.keyframes[self._current] and self._seconds > 0:
            velocity = se3_log(inverse(T_camera_keyframe @ self._T_keyframe_camera)) / self._seconds
        return expected_motion(velocity, self._seconds, self._readout_s)

    def _set_first_motion(self, second: Measurement) -> None:
        """Nothing came before a first keyframe: how it moved is known once the frame after it has been measured."""
        keyframe = self.keyframes[second.keyframe]
        keyframe.motion = expected_motion(self._velocity, 1 / 30, self._readout_s)
        self.measurements[-1] = second = corrected(second, second.rolled.twist, keyframe.motion.twist)
        self._T_keyframe_camera = second.T_keyframe_camera

    def _fit_corners(self, keyframe: Keyframe, gray: NDArray, T_predicted: Array) -> Array | None:
        """T_camera_keyframe from where optical flow finds a keyframe's corners; None without a majority.

        Flow begins in the frame before, which looks most alike; the keyframe itself if it is not what that was measured
        against.
        """
        limits, landmarks = self.config.keyframes, self._corner_camera.points(keyframe.corners)
        follows = keyframe is self.keyframes[self._current]
        source, T_source = (self._gray_before, inverse(self._T_keyframe_camera)) if follows else (keyframe.gray, pose())
        start, guess = (self._project(transform(T, landmarks)) for T in (T_source, T_predicted))
        pixels, found = follow(source, gray, start, guess, self.config.features)
        landmarks, pixels = landmarks[found], pixels[found]
        if len(pixels) < limits.min_inliers:
            return None
        # From where they are seen alone: near the grasp a depth camera measures little of what it sees.
        matrix, reach = self.camera.pinhole.matrix, self.config.ransac.inlier_px
        ok, w, t, inliers = cv2.solvePnPRansac(landmarks, pixels, matrix, None, None, None, False, 200, reach)
        if not ok or len(inliers) < max(limits.min_inliers, limits.min_inlier_fraction * len(pixels)):
            return None
        return pose(so3_exp(w[:, 0]), t[:, 0])

    def _project(self, points: Array) -> Array:
        return self.camera.pinhole.project(np.maximum(points, [-np.inf, -np.inf, 0.05]))

    def _reanchor(self, gray: NDArray, depth: NDArray, seen: Picture) -> Measurement | None:
        """Match against the keyframes that look most alike, then measure as usual from there."""
        described = Descriptors(gray, depth)
        matches = [(index, keyframe.descriptors.match(described)) for index, keyframe in enumerate(self.keyframes)]
        matches.sort(key=lambda item: -len(item[1]))
        for index, pairs in matches[: self.config.keyframes.reanchor_candidates]:
            T_keyframe_camera = relative_pose(
                self.keyframes[index], described, depth, pairs, self._corner_camera, self.config.ransac, self._rng
            )
            if T_keyframe_camera is None:
                continue
            measured = self._measure(index, gray, seen, T_keyframe_camera)
            if measured is not None:
                return measured
        return None

    def _keyframe_is_due(self, measured: Measurement | None) -> bool:
        if measured is None:
            # A new island: the old place stays lost, so start over as soon as the bridge is used up.
            gap = next((n for n, m in enumerate(reversed(self.measurements)) if m is not None), len(self.measurements))
            return not self.keyframes or gap > self.config.keyframes.bridge_frames
        limits, keyframe = self.config.keyframes, self.keyframes[measured.keyframe]
        if keyframe.first and len(self.measurements) - 1 - keyframe.frame >= limits.renew_first_after:
            return True
        T = measured.T_keyframe_camera
        travelled = np.linalg.norm(T[:3, 3]) / np.median(keyframe.points.points[:, 2])
        return bool(
            measured.seen_fraction < limits.renew_below_fraction
            or travelled > limits.renew_beyond_motion
            or rotation_angle(T[:3, :3]) > limits.renew_beyond_rotation_rad
        )

    def _add_keyframe(self, gray: NDArray, depth: NDArray, seen: Picture, measured: Measurement | None) -> None:
        points = pick_points(seen, self.camera, self.config.direct)
        seen_points = 0 if measured is None else measured.seen_fraction * len(self.keyframes[measured.keyframe].points)
        if len(points) < max(self.config.direct.min_seen, 0.7 * seen_points):
            return  # this frame shows less than the keyframe still does
        pixels = find_corners(gray, depth, self.config.features)
        corners = np.column_stack([pixels, self._corner_camera.disparity(sample_depth(depth, pixels))])
        if measured is not None:
            old = self.keyframes[measured.keyframe]
            T_world_camera, island = old.T_world_camera @ measured.T_keyframe_camera, old.island
        elif self.keyframes:
            T_world_camera = self.keyframes[self._current].T_world_camera @ self._T_keyframe_camera
            island = self.keyframes[-1].island + 1
        else:
            T_world_camera, island = pose(), 0
        if measured is not None:
            motion = Expected(measured.rolled.twist, expected_motion(np.zeros(6), self._seconds, self._readout_s).sigma)
        else:
            motion = STILL if self._readout_s == 0 else Expected(np.zeros(6), np.full(6, np.inf))
        self.keyframes.append(
            Keyframe(
                frame=len(self.measurements) - 1,
                T_world_camera=T_world_camera,
                gray=gray,
                depth=depth,
                corners=corners[np.isfinite(corners[:, 2])],
                points=points,
                motion=motion,
                island=island,
                first=measured is None,
            )
        )
        self._current, self._T_keyframe_camera = len(self.keyframes) - 1, pose()
        if measured is None:
            self._velocity = np.zeros(6)
            self.measurements[-1] = Measurement(self._current, pose(), 1e12 * np.eye(6), 1.0, UNKNOWN)
