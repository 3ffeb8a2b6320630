"""Which pixels of a picture are planar grasps: from above, fingers open as they always are while they approach."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from digital_twin.baseline_training.labelled_scenes import LabelledScene, Look, with_room
from grasp_policy.baselines.antipodal import AntipodalSearch, antipodal_grasps
from grasp_policy.baselines.ggcnn import DEPTH_M, TABLE_GAP_M
from grasp_policy.baselines.ggcnn_images import SIDE, WIDTH_SCALE, angle_of
from grasp_policy.baselines.steps import gripper_pose
from wildgrasp.geometry import Array, PinholeCamera, inverse, transform

_SEARCH = AntipodalSearch(contacts=1500, tilts_rad=(0.0,), depths_m=(0.0,), min_downward=0.92)


@dataclass(frozen=True)
class PlanarGrasps:
    """Grasps straight from above. ``top``: the highest surface point [N, 3] over the middle of the contacts."""

    top: Array  # [N, 3]
    closing: Array  # [N, 3] level unit directions
    width_m: Array  # [N] between the contacts

    def __len__(self) -> int:
        return len(self.width_m)


def planar_grasps(scene: LabelledScene, rng: np.random.Generator) -> PlanarGrasps:
    """Antipodal pairs that the policy's own gripper pose over their middle would hold, with room for the gripper.

    The best comes last.
    """
    surface, table = scene.surface, scene.table_m
    found = antipodal_grasps(surface, table, rng, _SEARCH)
    standing = surface.points[surface.points[:, 2] > table + _SEARCH.table_gap_m]
    if not len(found) or not len(standing):
        return PlanarGrasps(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    found = found[::-1]
    middle = found.middles
    top = np.column_stack([middle[:, :2], _heights(standing, middle[:, :2])])
    closing = found.T_world_fingertip[:, :3, 0] * [1, 1, 0]
    closing /= np.linalg.norm(closing, axis=1, keepdims=True)
    tips = top - [0, 0, DEPTH_M]
    tips[:, 2] = np.maximum(tips[:, 2], table + TABLE_GAP_M)
    T = np.stack([gripper_pose(at, _DOWN, x) for at, x in zip(tips, closing, strict=True)])
    holds = found.contacts[:, :, 2].min(axis=1) > tips[:, 2] + _PAD_REACH_M
    good = np.flatnonzero(holds)
    good = good[with_room(standing, T[good], _SEARCH)]
    return PlanarGrasps(top[good], closing[good], found.widths_m[good])


def grasp_pixels(
    grasps: PlanarGrasps, look: Look, exact_depth: NDArray[np.float32], camera: PinholeCamera
) -> NDArray[np.float32]:
    """(column, row, angle, opening in pixels, radius in pixels) of the grasps that a picture shows: [M, 5].

    ``exact_depth`` [300, 300] is the window's depth with its holes filled.
    """
    local = transform(inverse(look.T_base_camera), grasps.top)
    pixels = camera.project(local)
    column, row = np.round(pixels).astype(int).T
    inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE) & (local[:, 2] > 0.05)
    at = exact_depth[np.where(inside, row, 0), np.where(inside, column, 0)]
    shown = inside & (np.abs(at - local[:, 2]) < _VISIBLE_M)
    scale = camera.fx / np.maximum(local[:, 2], 0.05)
    angle = angle_of(grasps.closing, look.T_base_camera)
    columns = [pixels[:, 0], pixels[:, 1], angle, grasps.width_m * scale, _RADIUS_M * scale]
    return np.column_stack(columns)[shown].astype(np.float32)


def paint(grasps: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Target maps [4, side, side] (quality, cos 2φ, sin 2φ, width) of grasps [M, 5]; later ones cover earlier ones."""
    maps = np.zeros((side, side, 4), np.float32)
    for column, row, angle, width, radius in grasps.tolist():
        value = (1.0, np.cos(2 * angle), np.sin(2 * angle), min(width / WIDTH_SCALE, 1.0))
        cv2.circle(maps, (round(column), round(row)), max(1, round(radius)), value, -1)
    return np.ascontiguousarray(maps.transpose(2, 0, 1))


def _heights(points: Array, xy: Array) -> Array:
    """Height [N] of the highest of points [M, 3] around places [N, 2]."""
    near = KDTree(points[:, :2]).query_ball_point(xy, _AROUND_M)
    nearest = points[KDTree(points[:, :2]).query(xy)[1], 2]
    return np.array([points[ids, 2].max() if ids else z for ids, z in zip(near, nearest, strict=True)])


_DOWN = np.array([0.0, 0.0, -1.0])
_AROUND_M = 0.004
_PAD_REACH_M = 0.003  # contacts lie this far above the ends of the pads
_VISIBLE_M = 0.015
_RADIUS_M = 0.006  # a grasp counts as good for pixels this near to it
