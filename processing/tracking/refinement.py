"""Taking the drift out of a clip: match keyframes with keyframes, adjust them all together, read the frames off anew.

Matching works where plain optical flow would not, because the rough trajectory is known: keyframe *j* is first warped
into the view of keyframe *i* over *i*'s depth, so that what remains is a shift of a pixel or two, whatever the change
of distance and angle between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from processing.tracking.alignment import RansacConfig, StereoCamera, refine_pose
from processing.tracking.bundle import BundleProblem, BundleResult, adjust
from processing.tracking.features import FeatureConfig, follow, sample_depth
from processing.tracking.keyframes import Keyframe, Measurement, relative_pose
from wildgrasp.geometry import PinholeCamera, inverse, transform

Array = NDArray[np.float64]

GRID_PX = 8  # the warp is computed on a grid this coarse and interpolated: a patch must not tear on depth noise


@dataclass(frozen=True)
class RefinementConfig:
    partners: int = 8  # other keyframes that each one is matched with
    min_overlap: float = 0.3  # of its landmarks must be expected in the partner's image
    min_matches: int = 15  # for a link to count
    max_shift_px: float = 12.0  # how far the rough trajectory may be off
    max_scale_change: float = 2.0
    max_view_angle_rad: float = 0.8
    adjust_scale_px: float = 0.5
    outlier_px: float = 1.5  # observations beyond are dropped before the second adjustment
    reconnect_candidates: int = 6  # keyframes of another island tried by descriptors


@dataclass(frozen=True)
class _Link:
    """Landmarks of keyframe i seen in keyframe j."""

    i: int
    j: int
    landmarks: NDArray[np.int64]  # [M] of keyframe i
    observations: Array  # [M, 3] in j


def refine(
    keyframes: Sequence[Keyframe],
    measurements: Sequence[Measurement | None],
    camera: StereoCamera,
    features: FeatureConfig,
    config: RefinementConfig,
) -> tuple[list[Keyframe], list[Measurement | None]]:
    """Keyframes and measurements anew: drift taken out, islands joined where keyframes see the same place."""
    keyframes = _join_islands(keyframes, camera, config)
    links = _match_all(keyframes, camera, features, config)
    keyframes = _adjust(keyframes, links, camera, config)
    return keyframes, [None if m is None else _locate(m, keyframes, camera) for m in measurements]


def _locate(measurement: Measurement, keyframes: Sequence[Keyframe], camera: StereoCamera) -> Measurement:
    """The frame's pose against the adjusted landmarks of its keyframe."""
    keyframe = keyframes[measurement.keyframe]
    known = np.all(np.isfinite(keyframe.landmarks[measurement.landmarks]), axis=1)
    landmarks = keyframe.landmarks[measurement.landmarks][known]
    observed = measurement.observations[known]
    T_start = inverse(measurement.T_keyframe_camera)
    fit = refine_pose(landmarks, observed, camera, T_start, scale_px=0.5) if known.sum() >= 12 else None
    if fit is None:
        return measurement
    return replace(measurement, T_keyframe_camera=inverse(fit.T_camera_reference), sigma_m=fit.sigma_m)


# --- matching ---------------------------------------------------------------------------------------------------------


def _match_all(
    keyframes: Sequence[Keyframe], camera: StereoCamera, features: FeatureConfig, config: RefinementConfig
) -> list[_Link]:
    links = []
    for i, keyframe in enumerate(keyframes):
        surface = coarse_depth(keyframe.depth)
        for j in _partners(i, keyframes, camera.pinhole, config):
            link = _match(i, j, keyframes, surface, camera, features, config)
            if link is not None:
                links.append(link)
    return links


def _partners(i: int, keyframes: Sequence[Keyframe], camera: PinholeCamera, config: RefinementConfig) -> list[int]:
    """The keyframes that should see most of keyframe i's landmarks, from similar distance and angle."""
    own = keyframes[i]
    scores = []
    for j, other in enumerate(keyframes):
        if j == i or other.island != own.island:
            continue
        T_other_own = inverse(other.T_world_camera) @ own.T_world_camera
        points = transform(T_other_own, own.landmarks)
        ahead = points[:, 2] > 0.05
        pixels = camera.project(np.where(ahead[:, None], points, 1.0))
        inside = ahead & np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=1)
        if inside.mean() < config.min_overlap:
            continue
        scale = np.median(points[inside, 2] / own.landmarks[inside, 2])
        to_own, to_other = -own.landmarks[inside], T_other_own[:3, :3].T @ -T_other_own[:3, 3] - own.landmarks[inside]
        cosine = np.sum(to_own * to_other, axis=1) / np.linalg.norm(to_own, axis=1) / np.linalg.norm(to_other, axis=1)
        if max(scale, 1 / scale) < config.max_scale_change and np.median(cosine) > np.cos(config.max_view_angle_rad):
            scores.append((-inside.mean(), j))
    return [j for _, j in sorted(scores)[: config.partners]]


def coarse_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median depth of GRID_PX blocks, holes filled from their surroundings: [H / GRID_PX, W / GRID_PX]."""
    h, w = (s // GRID_PX for s in depth.shape)
    blocks = depth[: h * GRID_PX, : w * GRID_PX].reshape(h, GRID_PX, w, GRID_PX).swapaxes(1, 2).reshape(h, w, -1)
    ordered = np.sort(blocks, axis=-1)
    holes = np.sum(blocks <= 0, axis=-1)
    middle = np.minimum((holes + blocks.shape[-1]) // 2, blocks.shape[-1] - 1)
    coarse = np.take_along_axis(ordered, middle[..., None], axis=-1)[..., 0]
    while np.any(coarse == 0) and np.any(coarse > 0):
        weight = cv2.blur((coarse > 0).astype(np.float32), (3, 3))
        spread = cv2.blur(coarse, (3, 3)) / np.maximum(weight, 1e-6)
        coarse = np.where((coarse == 0) & (weight > 1e-6), spread, coarse).astype(np.float32)
    return coarse


def warp_map(
    surface: NDArray[np.float32], T_target_source: Array, camera: PinholeCamera
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel [H, W] of the source lies in the target (u, v), over the source's coarse depth."""
    h, w = surface.shape
    v, u = np.mgrid[:h, :w]
    pixels = (np.stack([u, v], axis=-1) + 0.5) * GRID_PX - 0.5
    points = transform(T_target_source, camera.unproject(pixels, surface.astype(np.float64)).reshape(-1, 3))
    points[:, 2] = np.maximum(points[:, 2], 1e-3)
    target = camera.project(points).reshape(h, w, 2).astype(np.float32)
    full = cv2.resize(target, (w * GRID_PX, h * GRID_PX), interpolation=cv2.INTER_LINEAR)
    full = cv2.copyMakeBorder(full, 0, camera.height - h * GRID_PX, 0, camera.width - w * GRID_PX, cv2.BORDER_REPLICATE)
    return full[..., 0], full[..., 1]


def _match(
    i: int,
    j: int,
    keyframes: Sequence[Keyframe],
    surface: NDArray[np.float32],
    camera: StereoCamera,
    features: FeatureConfig,
    config: RefinementConfig,
) -> _Link | None:
    own, other = keyframes[i], keyframes[j]
    T_other_own = inverse(other.T_world_camera) @ own.T_world_camera
    map_u, map_v = warp_map(surface, T_other_own, camera.pinhole)
    warped = cv2.remap(other.gray, map_u, map_v, cv2.INTER_LINEAR)
    start = own.observations[:, :2]
    pixels, found = follow(own.gray, warped, start, start, replace(features, levels=1))
    found &= np.linalg.norm(pixels - start, axis=1) < config.max_shift_px
    if found.sum() < config.min_matches:
        return None
    ids = np.flatnonzero(found)
    at = pixels[ids].astype(np.float32)[:, None]
    seen_u, seen_v = (cv2.remap(m, at, None, cv2.INTER_LINEAR)[:, 0] for m in (map_u, map_v))
    seen = np.column_stack([seen_u, seen_v]).astype(np.float64)
    pinhole = camera.pinhole
    disparity = camera.disparity(sample_depth(other.depth, seen))
    expected = camera.observe(transform(T_other_own, own.landmarks[ids]))[:, 2]
    inside = np.all((seen > 6) & (seen < [pinhole.width - 7, pinhole.height - 7]), axis=1)
    agrees = ~(np.abs(disparity - expected) > 0.05 * expected + 1.0)  # else something else stands before it
    keep = inside & agrees
    if keep.sum() < config.min_matches:
        return None
    return _Link(i, j, ids[keep], np.column_stack([seen, disparity])[keep])


# --- adjustment -------------------------------------------------------------------------------------------------------


def _adjust(
    keyframes: Sequence[Keyframe], links: Sequence[_Link], camera: StereoCamera, config: RefinementConfig
) -> list[Keyframe]:
    """Bundle adjustment over all links; a second time without the observations that do not fit."""
    counts = np.array([len(k.landmarks) for k in keyframes])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    cameras = [np.full(n, k) for k, n in enumerate(counts)] + [np.full(len(x.landmarks), x.j) for x in links]
    landmark_ids = [np.arange(offsets[-1])] + [offsets[x.i] + x.landmarks for x in links]
    observations = [k.observations for k in keyframes] + [x.observations for x in links]
    problem = BundleProblem(
        np.concatenate(cameras),
        np.concatenate(landmark_ids),
        np.concatenate(observations),
        _anchors(len(keyframes), links),
    )
    T_camera_world = inverse(np.array([k.T_world_camera for k in keyframes]))
    world = np.concatenate([transform(k.T_world_camera, k.landmarks) for k in keyframes])
    result = adjust(problem, T_camera_world, world, camera, config.adjust_scale_px)
    keep = result.errors < config.outlier_px
    problem = replace(
        problem,
        camera_ids=problem.camera_ids[keep],
        landmark_ids=problem.landmark_ids[keep],
        observations=problem.observations[keep],
    )
    result = adjust(problem, result.T_camera_world, result.landmarks, camera, config.adjust_scale_px)
    return _written_back(keyframes, problem, result, offsets)


def _written_back(
    keyframes: Sequence[Keyframe], problem: BundleProblem, result: BundleResult, offsets: NDArray
) -> list[Keyframe]:
    """Keyframes with adjusted poses and landmarks; landmarks that lost all their observations become NaN."""
    seen = np.bincount(problem.landmark_ids, minlength=offsets[-1]) > 0
    world = np.where(seen[:, None], result.landmarks, np.nan)
    return [
        replace(
            k,
            T_world_camera=inverse(result.T_camera_world[n]),
            landmarks=transform(result.T_camera_world[n], world[offsets[n] : offsets[n + 1]]),
            sigma_m=float(result.sigma_m[n]),
        )
        for n, k in enumerate(keyframes)
    ]


def _anchors(count: int, links: Sequence[_Link]) -> NDArray[np.bool_]:
    """The first keyframe of every part that is connected by links."""
    i, j = np.array([(x.i, x.j) for x in links]).reshape(-1, 2).T
    parts = connected_components(coo_matrix((np.ones(len(i)), (i, j)), (count, count)), directed=False)[1]
    anchors = np.zeros(count, bool)
    anchors[np.unique(parts, return_index=True)[1]] = True
    return anchors


# --- islands ----------------------------------------------------------------------------------------------------------


def _join_islands(keyframes: Sequence[Keyframe], camera: StereoCamera, config: RefinementConfig) -> list[Keyframe]:
    """Move islands onto the ones before them where descriptors show the same place."""
    keyframes = list(keyframes)
    rng = np.random.default_rng(0)
    for island in range(1, max((k.island for k in keyframes), default=0) + 1):
        members = [n for n, k in enumerate(keyframes) if k.island == island]
        T_new_old = _bridge(members, keyframes, camera, config, rng)
        if T_new_old is None:
            continue
        joined, T_world = T_new_old
        for n in members:
            k = keyframes[n]
            keyframes[n] = replace(k, island=joined, T_world_camera=T_world @ k.T_world_camera)
    return keyframes


def _bridge(members, keyframes, camera: StereoCamera, config: RefinementConfig, rng) -> tuple[int, Array] | None:
    """(island to join, T_newworld_oldworld) for the members of an island, or None."""
    island = keyframes[members[0]].island
    pairs = []
    for n in members:
        for o, other in enumerate(keyframes):
            if other.island < island:
                pairs.append((n, o, other.descriptors.match(keyframes[n].descriptors)))
    pairs.sort(key=lambda p: -len(p[2]))
    for n, o, matches in pairs[: config.reconnect_candidates]:
        new, old = keyframes[n], keyframes[o]
        T = relative_pose(old, new.descriptors, new.depth, matches, camera, RansacConfig(256), rng, config.min_matches)
        if T is not None:
            return old.island, old.T_world_camera @ T @ inverse(new.T_world_camera)
    return None
