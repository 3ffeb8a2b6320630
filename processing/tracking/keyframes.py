"""Keyframes, how other frames lie to them, and the trajectory that follows from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from processing.tracking.alignment import RansacConfig, StereoCamera, ransac_pose, rigid_fit
from processing.tracking.direct import Expected, Points, Rolled
from processing.tracking.features import Descriptors, sample_depth
from processing.tracking.trajectory import Status, Trajectory
from wildgrasp.geometry import interpolate, inverse, pose, se3_exp, se3_log

Array = NDArray[np.float64]


@dataclass
class Keyframe:
    """A frame that others are measured against."""

    frame: int
    T_world_camera: Array  # [4, 4]
    gray: NDArray[np.uint8]  # [H, W]
    depth: NDArray[np.float32]  # [H, W], usable depth only
    corners: Array  # [N, 3] observations of its corners
    points: Points  # for direct alignment
    motion: Expected  # of its camera during the readout
    first: bool = False  # of its island
    island: int = 0  # keyframes of different islands were never seen to be connected
    sigma_m: float = 0.0  # of its position, relative to the first keyframe

    @cached_property
    def descriptors(self) -> Descriptors:
        """Needed only once tracking has been lost."""
        return Descriptors(self.gray, self.depth)


@dataclass(frozen=True)
class Measurement:
    """How one frame lies to a keyframe."""

    keyframe: int  # index into the keyframes
    T_keyframe_camera: Array  # [4, 4]
    information: Array  # [6, 6] of a left perturbation of the inverse
    seen_fraction: float  # of the keyframe's points
    rolled: Rolled  # during the readout; its per_twist perturbs the inverse


def relative_pose(
    keyframe: Keyframe,
    seen: Descriptors,
    depth: NDArray[np.float32],
    pairs: NDArray[np.int64],
    camera: StereoCamera,
    config: RansacConfig,
    rng: np.random.Generator,
    min_matches: int = 15,
) -> Array | None:
    """Coarse T_keyframe_camera [4, 4] of an image with descriptors ``seen``, from pairs [M, 2], or None."""
    if len(pairs) < min_matches:
        return None
    own, other = keyframe.descriptors.pixels[pairs[:, 0]], seen.pixels[pairs[:, 1]]
    landmarks = camera.pinhole.unproject(own, sample_depth(keyframe.depth, own))
    observed = np.column_stack([other, camera.disparity(sample_depth(depth, other))])
    whole = (landmarks[:, 2] > 0) & np.isfinite(observed[:, 2])
    inliers = ransac_pose(landmarks[whole], observed[whole], camera, config, rng) if whole.any() else None
    if inliers is None or inliers.sum() < min_matches:
        return None
    return inverse(rigid_fit(landmarks[whole][inliers], camera.points(observed[whole][inliers])))


def assemble(
    keyframes: Sequence[Keyframe],
    measurements: Sequence[Measurement | None],
    bridge_frames: int,
    sigma_m: Sequence[float],
) -> Trajectory:
    """All frames' poses. Only the island with most frames has a common world: frames elsewhere are lost.

    A gap of up to ``bridge_frames`` between measured frames is interpolated (``predicted``), a longer one is lost.
    ``sigma_m`` [N]: of each frame's position relative to its keyframe.
    """
    n = len(measurements)
    islands = np.array([-1 if m is None else keyframes[m.keyframe].island for m in measurements], dtype=np.int64)
    if not np.any(islands >= 0):
        return Trajectory(np.broadcast_to(pose(), (n, 4, 4)).copy(), ["lost"] * n, np.full(n, np.inf))
    measured = np.flatnonzero(islands == np.argmax(np.bincount(islands[islands >= 0])))
    poses, sigma = np.zeros((n, 4, 4)), np.full(n, np.inf)
    status: list[Status] = ["lost"] * n
    for i in measured:
        m = measurements[i]
        poses[i] = keyframes[m.keyframe].T_world_camera @ m.T_keyframe_camera
        sigma[i], status[i] = np.hypot(sigma_m[i], keyframes[m.keyframe].sigma_m), "ok"
    for k in keyframes:
        if status[k.frame] == "ok":
            poses[k.frame], sigma[k.frame] = k.T_world_camera, k.sigma_m
    for before, after in zip([-1, *measured], [*measured, n], strict=True):
        for i in range(before + 1, after):
            poses[i] = _between(poses, before, after, i, n)
            if after - before - 1 <= bridge_frames:
                status[i] = "predicted"
                known = [sigma[j] for j in (before, after) if 0 <= j < n]
                sigma[i] = max(known) + 0.002 * min(i - before, after - i)
    return Trajectory(inverse(poses[measured[0]]) @ poses, status, sigma)


def _between(poses: Array, before: int, after: int, i: int, n: int) -> Array:
    """The pose of frame i between two measured frames; beyond the first or last one, that pose carried on."""
    if before < 0:
        return poses[after]
    if after >= n:
        if before >= 1 and np.any(poses[before - 1]):
            step = se3_log(inverse(poses[before - 1]) @ poses[before])
            return poses[before] @ se3_exp(step * min(i - before, 3))
        return poses[before]
    return interpolate(poses[before], poses[after], (i - before) / (after - before))
