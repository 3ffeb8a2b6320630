"""Grasps by geometry alone: pairs of surface points that face each other, with room for the gripper around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from grasp_policy.scene.surface import SurfacePoints
from wildgrasp.rig import MAX_OPENING_M, gripper_boxes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class AntipodalSearch:
    """What counts as a grasp, and how hard to look."""

    contacts: int = 500  # surface points to start from
    table_gap_m: float = 0.008  # contacts are this far above the table
    tips_above_table_m: float = 0.004
    width_min_m: float = 0.008
    width_max_m: float = 0.088
    pair_radius_m: float = 0.008  # how far the second contact may be off the first one's normal
    pair_cos: float = 0.85  # between the first contact's closing direction and the second's normal
    max_upright_normal: float = 0.75  # contacts on surfaces that face up are no contacts
    min_downward: float = 0.7  # of the approach, so that the arm stays above the scene
    tilts_rad: tuple[float, ...] = (0.0, 0.4, -0.4)
    depths_m: tuple[float, ...] = (0.02, 0.012, 0.005)  # how far the tips reach past the contacts
    clearance_m: float = 0.003
    corridor_m: float = 0.10  # behind the gripper, on its way in, that must be clear as well
    stray_points: int = 1  # that do not count as a collision


@dataclass(frozen=True)
class Grasps:
    """Grasps in the world frame, best first."""

    T_world_fingertip: Array  # [N, 4, 4]
    contacts: Array  # [N, 2, 3] where the fingers touch
    score: Array  # [N]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def middles(self) -> Array:
        """Points [N, 3] between the contacts."""
        return self.contacts.mean(axis=1)

    @property
    def widths_m(self) -> Array:
        """[N] between the contacts."""
        return np.linalg.norm(self.contacts[:, 0] - self.contacts[:, 1], axis=1)

    def __getitem__(self, index: slice | NDArray) -> Self:
        return type(self)(self.T_world_fingertip[index], self.contacts[index], self.score[index])

    def best_first(self) -> Self:
        return self[np.argsort(-self.score, kind="stable")]


def antipodal_grasps(
    surface: SurfacePoints, table_m: float, rng: np.random.Generator, search: AntipodalSearch
) -> Grasps:
    """All grasps over sampled contact pairs, before any check for collisions. The world's z points up."""
    points, normals = _possible_contacts(surface, table_m, search)
    if len(points) < 20:
        return Grasps(np.zeros((0, 4, 4)), np.zeros((0, 2, 3)), np.zeros(0))
    first, second = _contact_pairs(points, normals, rng, search)
    return _gripper_poses(points, normals, first, second, table_m, search)


def still_there(surface: SurfacePoints, table_m: float, grasps: Grasps, search: AntipodalSearch) -> NDArray[np.bool_]:
    """[N]: whether the surface still has both contacts of each grasp, facing the fingers."""
    points, normals = _possible_contacts(surface, table_m, search)
    if not len(points) or not len(grasps):
        return np.zeros(len(grasps), bool)
    distance, near = KDTree(points).query(grasps.contacts)
    closing = grasps.T_world_fingertip[:, :3, 0]
    facing = np.abs(np.einsum("nkd,nd->nk", normals[near], closing))
    return np.all((distance < search.pair_radius_m) & (facing > search.pair_cos - 0.15), axis=1)


def _possible_contacts(surface: SurfacePoints, table_m: float, search: AntipodalSearch) -> tuple[Array, Array]:
    """Points [M, 3] and normals [M, 3] above the table that do not face up or down."""
    above = surface.points[:, 2] > table_m + search.table_gap_m
    contact = above & (np.abs(surface.normals[:, 2]) < search.max_upright_normal)
    return surface.points[contact], surface.normals[contact]


def _contact_pairs(
    points: Array, normals: Array, rng: np.random.Generator, search: AntipodalSearch
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of pairs whose normals oppose each other along the line between them: the best partner of each start."""
    first = rng.permutation(len(points))[: search.contacts]
    closing = -normals[first]
    reach = np.arange(search.width_min_m, search.width_max_m, search.pair_radius_m / 2)
    along = points[first][:, None] + reach[:, None] * closing[:, None]  # [M, L, 3]
    _, near = KDTree(points).query(along, k=4, distance_upper_bound=search.pair_radius_m)
    near = near.reshape(len(first), -1)
    found = near < len(points)
    near = np.where(found, near, 0)
    between = points[near] - points[first][:, None]
    length = np.einsum("mkd,md->mk", between, closing)
    aside = np.linalg.norm(between - length[..., None] * closing[:, None], axis=-1)
    facing = np.einsum("mkd,md->mk", normals[near], closing)
    fits = (length > search.width_min_m) & (length < search.width_max_m) & (aside < search.pair_radius_m)
    merit = np.where(found & fits & (facing > search.pair_cos), facing - 10.0 * aside, -np.inf)
    best = merit.argmax(axis=1)
    rows = np.arange(len(first))
    usable = np.isfinite(merit[rows, best])
    return first[usable], near[rows, best][usable]


def _gripper_poses(
    points: Array,
    normals: Array,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    table_m: float,
    search: AntipodalSearch,
) -> Grasps:
    """Poses that close along the pairs, for every tilt and depth; best first."""
    axis = points[second] - points[first]
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    middle = (points[first] + points[second]) / 2
    down = np.array([0.0, 0.0, -1.0]) + axis[:, 2:] * axis  # the part of "down" across the closing direction
    length = np.linalg.norm(down, axis=1)
    keep = length >= search.min_downward
    first, second, axis, middle = first[keep], second[keep], axis[keep], middle[keep]
    down = down[keep] / length[keep, None]
    tilt = np.array(search.tilts_rad)[None, :, None]
    approach = down[:, None] * np.cos(tilt) + np.cross(axis, down)[:, None] * np.sin(tilt)  # [P, T, 3]
    depth = np.array(search.depths_m)
    tips = middle[:, None, None] + approach[:, :, None] * depth[:, None]  # [P, T, D, 3]
    count = tips.shape[:3]
    z = np.broadcast_to(approach[:, :, None], tips.shape)
    x = np.broadcast_to(axis[:, None, None], tips.shape)
    T = np.zeros((*count, 4, 4))
    T[..., :3, 0], T[..., :3, 1], T[..., :3, 2], T[..., :3, 3], T[..., 3, 3] = x, np.cross(z, x), z, tips, 1.0
    opposition = np.einsum("pd,pd->p", normals[second] - normals[first], axis)
    height = 3.0 * (middle[:, 2] - table_m)
    score = (opposition + height)[:, None, None] - 0.2 * np.abs(tilt) + 5.0 * depth
    contacts = np.stack([points[first], points[second]], axis=1)[:, None, None]
    grasps = Grasps(
        T.reshape(-1, 4, 4),
        np.broadcast_to(contacts, (*count, 2, 3)).reshape(-1, 2, 3),
        np.broadcast_to(score, count).ravel(),
    )
    return grasps.best_first()


def clear_of(points: Array, T_world_fingertip: Array, search: AntipodalSearch) -> NDArray[np.bool_]:
    """[N]: whether the open gripper at poses [N, 4, 4], and the way back out of them, is clear of points [M, 3]."""
    local = np.einsum("nji,nmj->nmi", T_world_fingertip[:, :3, :3], points[None] - T_world_fingertip[:, None, :3, 3])
    hits = np.zeros(local.shape[:2], bool)
    for box in gripper_boxes(MAX_OPENING_M).values():
        offset = local - box.center
        beside = (np.abs(offset[..., :2]) <= box.half[:2] + search.clearance_m).all(axis=-1)
        low, high = -box.half[2] - search.corridor_m, box.half[2] + search.clearance_m
        hits |= beside & (offset[..., 2] >= low) & (offset[..., 2] <= high)
    return hits.sum(axis=1) <= search.stray_points


def tips_above(table_m: float, T_world_fingertip: Array, search: AntipodalSearch) -> NDArray[np.bool_]:
    """[N]: whether all corners of the open gripper at poses [N, 4, 4] stay above the table."""
    lowest = np.full(len(T_world_fingertip), np.inf)
    up_in_gripper = T_world_fingertip[:, 2, :3]  # the world's up, seen in the gripper
    for box in gripper_boxes(MAX_OPENING_M).values():
        reach = up_in_gripper @ box.center - np.abs(up_in_gripper) @ box.half
        lowest = np.minimum(lowest, T_world_fingertip[:, 2, 3] + reach)
    return lowest >= table_m + search.tips_above_table_m
