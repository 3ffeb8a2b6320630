"""Taking the drift out of a clip: align keyframes with all others that see the same place, and let them agree.

Online, each keyframe hangs on the one before it. Here it is aligned directly with a few more, near in view though
perhaps far in time; the pose graph of all these motions is solved, and what does not fit the rest loses its say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from processing.tracking.alignment import RansacConfig, StereoCamera
from processing.tracking.direct import DirectConfig, Picture, Points, align, picture
from processing.tracking.keyframes import Keyframe, Measurement, assemble, relative_pose
from processing.tracking.pose_graph import Edge, PoseGraphConfig, optimize, with_floor
from processing.tracking.trajectory import Trajectory
from wildgrasp.geometry import inverse, se3_log, transform

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RefinementConfig:
    partners: int = 5  # other keyframes that each one is aligned with
    min_overlap: float = 0.3  # of its points must be expected in the partner's picture
    max_scale_change: float = 2.0
    max_view_angle_rad: float = 0.8
    max_correction_m: float = 0.03  # how far the rough trajectory may be off
    max_correction_rad: float = 0.04
    optimism: float = 2.7  # motions of one keyframe share its errors: true sigmas are larger by this (simulated takes)
    graph: PoseGraphConfig = field(default_factory=PoseGraphConfig)
    min_matches: int = 15  # of descriptors, to join an island
    reconnect_candidates: int = 6  # keyframes of another island tried by descriptors


def refine(
    keyframes: Sequence[Keyframe],
    measurements: Sequence[Measurement | None],
    camera: StereoCamera,
    direct: DirectConfig,
    config: RefinementConfig,
    bridge_frames: int,
) -> Trajectory:
    """The clip's trajectory from all its keyframes together; islands joined where keyframes see the same place."""
    keyframes = _join_islands(keyframes, camera, config)
    edges = [
        Edge(m.keyframe, n, inverse(m.T_keyframe_camera), m.information)
        for n, k in enumerate(keyframes)
        if (m := measurements[k.frame]) is not None and m.keyframe != n
    ]
    edges += _align_all(keyframes, camera, direct, config)
    graph = optimize(np.array([k.T_world_camera for k in keyframes]), edges, config.graph)
    keyframes = [
        replace(k, T_world_camera=T, sigma_m=float(config.optimism * s))
        for k, T, s in zip(keyframes, graph.T_world_camera, graph.sigma_m, strict=True)
    ]
    sigma = [
        0.0 if m is None else config.optimism * _position_sigma(m, graph.variance, config.graph) for m in measurements
    ]
    return assemble(keyframes, measurements, bridge_frames, sigma)


def _position_sigma(measurement: Measurement, variance: float, config: PoseGraphConfig) -> float:
    """Standard deviation of a frame's position relative to its keyframe."""
    covariance = np.linalg.inv(with_floor(measurement.information, config))
    return float(np.sqrt(variance * np.trace(covariance[:3, :3])))


# --- alignment of keyframes -------------------------------------------------------------------------------------------


def _align_all(
    keyframes: Sequence[Keyframe], camera: StereoCamera, direct: DirectConfig, config: RefinementConfig
) -> list[Edge]:
    points = [k.points.at_rest(k.motion.twist) for k in keyframes]
    edges = []
    for j, other in enumerate(keyframes):
        sources = _partners(j, points, keyframes, camera, config)
        seen = picture(other.gray, other.depth, camera, direct) if sources else None
        found = (_align(i, j, points[i], keyframes, seen, camera, direct, config) for i in sources)
        edges += [edge for edge in found if edge is not None]
    return edges


def _align(i: int, j: int, points: Points, keyframes, seen: Picture, camera, direct, config) -> Edge | None:
    T_start = inverse(keyframes[j].T_world_camera) @ keyframes[i].T_world_camera
    fit = align(points, seen, camera, [T_start], direct, lambda T: keyframes[j].motion)
    if fit is None:
        return None
    correction = se3_log(inverse(T_start) @ fit.T_camera_reference)
    if np.linalg.norm(correction[:3]) > config.max_correction_m:
        return None
    if np.linalg.norm(correction[3:]) > config.max_correction_rad:
        return None
    return Edge(i, j, fit.T_camera_reference, fit.information)


def _partners(j: int, points: Sequence[Points], keyframes, camera: StereoCamera, config: RefinementConfig) -> list[int]:
    """The keyframes whose points are best seen from keyframe j: many of them, from similar distance and angle."""
    own, lens = keyframes[j], camera.pinhole
    scores = []
    for i, other in enumerate(keyframes):
        if i in (j, j - 1) or other.island != own.island or len(points[i]) == 0:
            continue
        sample = points[i].points[:: max(1, len(points[i]) // 200)]
        T_own_other = inverse(own.T_world_camera) @ other.T_world_camera
        seen = transform(T_own_other, sample)
        ahead = seen[:, 2] > 0.05
        pixels = lens.project(np.where(ahead[:, None], seen, 1.0))
        inside = ahead & np.all((pixels >= 0) & (pixels < [lens.width, lens.height]), axis=1)
        if inside.mean() < config.min_overlap:
            continue
        scale = np.median(seen[inside, 2] / sample[inside, 2])
        to_own, to_other = T_own_other[:3, 3] - seen[inside], -seen[inside]
        cosine = np.sum(to_own * to_other, axis=1) / np.linalg.norm(to_own, axis=1) / np.linalg.norm(to_other, axis=1)
        if max(scale, 1 / scale) < config.max_scale_change and np.median(cosine) > np.cos(config.max_view_angle_rad):
            scores.append((-inside.mean(), i))
    return [i for _, i in sorted(scores)[: config.partners]]


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
