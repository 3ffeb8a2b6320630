"""What moves with the camera instead of with the world: the gripper, and the thing that it holds.

Gripper: its known shape seen through the calibration (wildgrasp.rig), and what the pictures themselves say. Object:
what was fixed in the camera while something was held (ego_motion.py, behind.py), is not the gripper (fingers.py), and
is near the fingertips; its outline in one frame is where that frame's colours change (outline.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from processing.behind import object_evidence
from processing.ego_motion import ClipImages, coarse_score
from processing.mask_config import MaskConfig
from processing.outline import follow_edges
from wildgrasp.geometry import PinholeCamera, inverse, transform

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]


# --- gripper ----------------------------------------------------------------------------------------------------------


def static_mask(clip: ClipImages, camera: PinholeCamera, near: Mask | None, config: MaskConfig) -> Mask:
    """Pixels [H, W] that the pictures show to be fixed in the camera.

    With ``near`` [H, W] (where the gripper is expected), only parts that touch it. All False when the parts cover
    more of the image than any gripper does: then the trajectory is wrong, not the world.
    """
    score = cv2.resize(coarse_score(clip, camera, config), (camera.width, camera.height))
    found = _clean(score > config.coarse_threshold, config)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8))
    keep = np.zeros_like(found)
    for label in range(1, count):
        part = labels == label
        if stats[label, cv2.CC_STAT_AREA] >= config.min_area_px and (near is None or np.any(part & near)):
            keep |= part
    return keep if keep.mean() < config.max_gripper_fraction else np.zeros_like(keep)


# --- object -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ObjectMask:
    """What was held over a whole hold."""

    mask: Mask  # [H, W]; all False when nothing was found
    score: float  # mean evidence inside, in noise units
    reason: str


def object_mask(
    clip: ClipImages, camera: PinholeCamera, expected: Mask, gripper: Mask, fingertip_px: Array, config: MaskConfig
) -> ObjectMask:
    """What is held during a clip: fixed in the camera, not the gripper, near the fingertips [2] in pixels.

    ``expected`` [H, W]: where the gripper is by its shape; ``gripper`` [H, W]: pixels that show it, which are fewer
    where something stands before it.
    """
    nothing = np.zeros_like(gripper)
    judged = object_evidence(clip, camera, expected, fingertip_px, config)
    if judged is None:
        return ObjectMask(nothing, 0.0, "the camera hardly moved while something was held")
    evidence, seen = judged
    found = (evidence > config.threshold) & ~gripper
    found &= seen | ~_colored_like_world(clip.colors[0], evidence, seen, found, config)
    found = _morph(found, cv2.MORPH_OPEN, config.open_px)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=4)
    v, u = np.mgrid[: camera.height, : camera.width]
    within = np.hypot(u - fingertip_px[0], v - fingertip_px[1]) < config.reach_px
    reached = [k for k in np.unique(labels[within]) if k > 0 and stats[k, cv2.CC_STAT_AREA] >= config.min_area_px]
    if not reached:
        return ObjectMask(nothing, 0.0, "nothing near the fingertips moved with the camera")
    mask = labels == max(reached, key=lambda k: stats[k, cv2.CC_STAT_AREA])
    mask |= _beyond_fingers(labels, stats[:, cv2.CC_STAT_AREA], evidence, expected, config)
    mask = _morph(mask, cv2.MORPH_CLOSE, config.close_px) & ~gripper
    mask |= _doubtful_holes(mask, gripper, evidence, seen, config)
    return ObjectMask(mask, float(evidence[mask].mean()), "ok")


def _colored_like_world(
    color: NDArray[np.uint8], evidence: NDArray[np.float32], seen: Mask, found: Mask, config: MaskConfig
) -> Mask:
    """Pixels [H, W] with a colour that is clearly more frequent in the world around than in what surely is the
    object."""
    sure = color[found & seen & (evidence > config.sure)]
    return _frequency(color, color[seen & (evidence < 0)]) > config.clearly * _frequency(color, sure)


def _frequency(color: NDArray[np.uint8], among: NDArray[np.uint8]) -> Array:
    """How frequent each pixel's colour [H, W, 3] is among others [K, 3], counted in cells of 16 levels, blurred by
    one."""
    counts = np.bincount((among >> 4).astype(np.int64) @ [256, 16, 1], minlength=4096).reshape(16, 16, 16)
    share = gaussian_filter(counts / max(len(among), 1), 1.0)
    return share.ravel()[(color >> 4).astype(np.int64) @ [256, 16, 1]]


def _beyond_fingers(
    labels: NDArray[np.int32],
    areas: NDArray[np.int32],
    evidence: NDArray[np.float32],
    expected: Mask,
    config: MaskConfig,
) -> Mask:
    """Further parts that touch the gripper and are surely fixed in the camera: a finger divides what it holds.

    Not where the gripper itself is expected, which may look other than before.
    """
    touching = labels[cv2.dilate(expected.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0]
    beside = np.bincount(labels[~expected], minlength=len(areas)) / areas
    mean = np.bincount(labels.ravel(), evidence.ravel()) / areas
    parts = [
        k
        for k in np.unique(touching)
        if k > 0 and areas[k] >= config.min_area_px and mean[k] > config.sure and beside[k] > 0.5
    ]
    return np.isin(labels, parts)


def _doubtful_holes(mask: Mask, gripper: Mask, evidence: NDArray[np.float32], seen: Mask, config: MaskConfig) -> Mask:
    """Pixels enclosed by an object (and a little by the gripper) that do not look like the world, or where the world
    was never seen: patterns of a thing that slips a little."""
    doubtful = np.zeros_like(mask)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~(mask | gripper)).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        left, top, width, height, _ = stats[label]
        if left == 0 or top == 0 or left + width == mask.shape[1] or top + height == mask.shape[0]:
            continue
        window = (slice(top - 1, top + height + 1), slice(left - 1, left + width + 1))
        hole = labels[window] == label
        ring = (cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~hole
        enclosed = mask[window][ring].mean()
        unlike_world = evidence[window][hole].mean() > config.doubtful
        if (enclosed > 0.5 and unlike_world) or (enclosed > 0.9 and not seen[window][hole].any()):
            doubtful[window] |= hole
    return doubtful


def visible_at(
    mask: Mask,
    clip: ClipImages,
    color: NDArray[np.uint8],
    depth: NDArray[np.float32],
    gripper: Mask,
    config: MaskConfig,
) -> Mask:
    """What one frame of a clip, with colour [H, W, 3] and depth [H, W], shows of the mask [H, W] of a held object.

    Not where it measures something nearer than the object usually is, nor where something unmeasured covers it;
    and with the outline that this frame shows, since what is held settles in the hand.
    """
    if not mask.any():
        return mask
    usual = median_depth(clip.depths)
    nearer = (depth > 0) & (usual > 0) & (usual - depth > config.same_surface_m)
    shown = mask & ~_morph(nearer, cv2.MORPH_OPEN, config.open_px)
    shown &= ~_covered(shown, clip, color, config)
    return follow_edges(shown, color, ~gripper, config.outline)


def _covered(mask: Mask, clip: ClipImages, color: NDArray[np.uint8], config: MaskConfig) -> Mask:
    """Broad parts of a mask that look other than in the rest of the hold, in colours from beside the mask.

    Something stands before the object there, too near for its depth to be measured. A thing that has slipped or turned
    shows colours of its own.
    """
    middle = middle_colors(clip)
    difference = np.min([cv2.absdiff(color, other).mean(axis=-1) for other in middle], axis=0)
    changed = _morph(mask & (difference > config.changed_color), cv2.MORPH_OPEN, config.covered_px)
    if not changed.any():
        return changed
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((2 * config.beside_px + 1,) * 2, np.uint8)) > 0
    foreign = _frequency(color, color[beside & ~mask]) > _frequency(color, middle[1][mask])
    _, labels = cv2.connectedComponents(changed.astype(np.uint8))
    share = np.bincount(labels.ravel(), foreign.ravel()) / np.bincount(labels.ravel())
    share[0] = 0
    return (share > 0.5)[labels]


def middle_colors(clip: ClipImages) -> list[NDArray[np.uint8]]:
    """Three frames from the middle of a clip, when what is held has settled and is in the air."""
    return [clip.colors[int(part * len(clip.colors))] for part in (0.35, 0.5, 0.65)]


def median_depth(depths: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Median [H, W] of the measured depths of some frames; 0 where fewer than half of them measured any."""
    stack = np.sort(np.where(np.stack(depths) > 0, depths, np.inf), axis=0)
    middle = stack[len(depths) // 2]
    return np.where(np.isfinite(middle), middle, 0).astype(np.float32)


def carry_to(
    mask: Mask,
    T_world_camera_mask: Array,
    depth: NDArray[np.float32],
    T_world_camera: Array,
    camera: PinholeCamera,
    reference_depth: NDArray[np.float32],
    config: MaskConfig,
) -> Mask:
    """The mask as seen from an earlier frame of the same, still unmoved scene.

    Each pixel of the earlier frame with depth [H, W] is looked up in the masked frame; where that frame has depth too
    (``reference_depth``), both must be the same surface.
    """
    points = camera.points(depth).reshape(-1, 3)
    there = transform(inverse(T_world_camera_mask) @ T_world_camera, points)
    ahead = (points[:, 2] > 0) & (there[:, 2] > 0.05)
    pixels = np.round(camera.project(np.where(ahead[:, None], there, 1.0))).astype(int)
    inside = ahead & np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=1)
    u, v = pixels[inside].T
    seen = reference_depth[v, u]
    agrees = (seen <= 0) | (np.abs(seen - there[inside, 2]) < config.same_surface_m)
    carried = np.zeros(camera.height * camera.width, bool)
    carried[inside] = mask[v, u] & agrees
    return _clean(carried.reshape(camera.height, camera.width), config)


def share_still_there(
    mask: Mask,
    depth: NDArray[np.float32],
    T_world_camera: Array,
    depth_later: NDArray[np.float32],
    T_world_camera_later: Array,
    hidden_later: Mask,
    camera: PinholeCamera,
    config: MaskConfig,
) -> float | None:
    """Share of a mask's surface that a later frame still measures at the same place in the world.

    None where too little can be compared: what is hidden later (the gripper), out of sight or not measured says
    nothing.
    """
    points = camera.points(depth)[mask & (depth > 0)].astype(np.float64)
    there = transform(inverse(T_world_camera_later) @ T_world_camera, points)
    there = there[there[:, 2] > 0.05]
    pixels = np.round(camera.project(there)).astype(int)
    inside = np.all((pixels >= 0) & (pixels < [camera.width, camera.height]), axis=1)
    u, v = pixels[inside].T
    measured, expected = depth_later[v, u], there[inside, 2]
    compared = (measured > 0) & ~hidden_later[v, u] & (measured > expected - config.settled_m)  # else it is hidden
    if compared.sum() < config.min_area_px:
        return None
    return float(np.mean(measured[compared] < expected[compared] + config.settled_m))


def _clean(mask: Mask, config: MaskConfig) -> Mask:
    return _morph(_morph(mask, cv2.MORPH_OPEN, config.open_px), cv2.MORPH_CLOSE, config.bridge_px)


def _morph(mask: Mask, operation: int, size_px: int) -> Mask:
    return cv2.morphologyEx(mask.astype(np.uint8), operation, np.ones((size_px, size_px), np.uint8)) > 0
