"""Corners with depth, and where they went: the image side of tracking."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]

BORDER_PX = 6  # no patch reaches over the image's edge


@dataclass(frozen=True)
class FeatureConfig:
    """Corners (Shi and Tomasi 1994) and their tracking (Lucas and Kanade 1981, pyramidal)."""

    corners: int = 400
    quality: float = 0.0005
    patches: tuple[int, int] = (8, 6)  # across and down the picture, each with its share of the corners
    spacing_px: int = 10
    patch_px: int = 17
    levels: int = 3
    round_trip_px: float = 0.6  # tracked there and back, a corner must return this closely
    near_m: float = 0.22  # nearer than this is what the gripper holds, or the sensor guessing
    far_m: float = 4.0


def usable_depth(
    depth: NDArray[np.float32], ignore: NDArray[np.bool_] | None, config: FeatureConfig
) -> NDArray[np.float32]:
    """Depth [H, W] where it may carry landmarks, 0 where none was measured, −1 where nothing must be looked at: what is
    ignored, too near, too far."""
    wrong = (depth > 0) & ((depth < config.near_m) | (depth > config.far_m))
    return np.where(wrong if ignore is None else wrong | ignore, np.float32(-1), depth)


def find_corners(gray: NDArray[np.uint8], depth: NDArray[np.float32], config: FeatureConfig) -> Array:
    """Pixels [N, 2] of corners that lie on a smooth, measured surface (on an edge in depth a corner is no one point).

    Spread evenly, so that one textured thing, which may be moving, does not outvote the table that it stands on.
    ``depth`` as from :func:`usable_depth`.
    """
    kernel = np.ones((5, 5), np.uint8)
    low, high = cv2.erode(depth, kernel), cv2.dilate(depth, kernel)
    allowed = ((low > 0) & (high - low < 0.004 + 0.04 * low)).astype(np.uint8)
    allowed[:BORDER_PX] = allowed[-BORDER_PX:] = 0
    allowed[:, :BORDER_PX] = allowed[:, -BORDER_PX:] = 0
    found = cv2.goodFeaturesToTrack(gray, 4 * config.corners, config.quality, config.spacing_px, mask=allowed)
    if found is None:
        return np.zeros((0, 2))
    corners = found.reshape(-1, 2).astype(np.float64)  # the best ones first
    across, down = config.patches
    h, w = gray.shape
    patch = (corners[:, 1] * down // h).astype(int) * across + (corners[:, 0] * across // w).astype(int)
    order = np.argsort(patch, kind="stable")
    starts = np.searchsorted(patch[order], patch[order])
    rank = np.empty(len(corners), int)
    rank[order] = np.arange(len(corners)) - starts
    return corners[np.argsort(rank, kind="stable")[: config.corners]]


def sample_depth(depth: NDArray[np.float32], pixels: Array) -> Array:
    """Depth [N] at pixels [N, 2]: the median of the measured 3×3 neighbours; 0 where too few are, or they disagree."""
    h, w = depth.shape
    u = np.clip(np.round(pixels[:, 0]).astype(int), 1, w - 2)
    v = np.clip(np.round(pixels[:, 1]).astype(int), 1, h - 2)
    offsets = np.arange(-1, 2)
    patch = np.sort(depth[v[:, None, None] + offsets[:, None], u[:, None, None] + offsets].reshape(-1, 9), axis=1)
    holes = np.sum(patch <= 0, axis=1)
    low = np.take_along_axis(patch, np.minimum(holes, 8)[:, None], axis=1)[:, 0]
    middle = np.take_along_axis(patch, ((holes + 8) // 2)[:, None], axis=1)[:, 0]
    good = (holes <= 4) & (patch[:, -1] - low < 0.01 + 0.03 * low)
    return np.where(good, middle, 0.0)


def follow(
    source: Gray, target: Gray, pixels: Array, guess: Array, config: FeatureConfig
) -> tuple[Array, NDArray[np.bool_]]:
    """Where the patches at pixels [N, 2] of one image are in another, from a guess [N, 2]: pixels [N, 2], found [N].

    Found means: tracked there and back it returns to where it started, and the patch lies inside the image.
    """
    if len(pixels) == 0:
        return pixels.copy(), np.zeros(0, bool)
    start, there = pixels.astype(np.float32), guess.astype(np.float32).copy()
    there, ok = _lucas_kanade(source, target, start, there, config, config.levels)
    back, ok_back = _lucas_kanade(target, source, there, start.copy(), config, 1)
    returned = np.abs(back - start).max(axis=1) < config.round_trip_px
    h, w = target.shape
    inside = np.all((there > BORDER_PX) & (there < np.array([w, h]) - BORDER_PX), axis=1)
    return there.astype(np.float64), ok & ok_back & returned & inside


def _lucas_kanade(a: Gray, b: Gray, pixels, guess, config: FeatureConfig, levels: int):
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        a,
        b,
        pixels.reshape(-1, 1, 2),
        guess.reshape(-1, 1, 2),
        winSize=(config.patch_px, config.patch_px),
        maxLevel=levels,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return found.reshape(-1, 2), status.ravel() > 0


class Descriptors:
    """ORB descriptors (Rublee et al. 2011) of corners with depth: to find a place again after tracking was lost."""

    def __init__(self, gray: NDArray[np.uint8], depth: NDArray[np.float32], corners: int = 800) -> None:
        """``depth`` as from :func:`usable_depth`: keypoints lie where it is measured."""
        orb = cv2.ORB_create(corners, fastThreshold=8)
        keypoints, descriptors = orb.detectAndCompute(gray, (depth > 0).astype(np.uint8))
        self.pixels = np.array([k.pt for k in keypoints], dtype=np.float64).reshape(-1, 2)
        self.descriptors = np.zeros((0, 32), np.uint8) if descriptors is None else descriptors

    def match(self, other: Descriptors) -> NDArray[np.int64]:
        """Index pairs [M, 2] of mutual nearest neighbours, (self, other)."""
        if len(self.pixels) == 0 or len(other.pixels) == 0:
            return np.zeros((0, 2), np.int64)
        matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(self.descriptors, other.descriptors)
        return np.array([(m.queryIdx, m.trainIdx) for m in matches if m.distance < 64], np.int64).reshape(-1, 2)
