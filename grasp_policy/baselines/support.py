"""What a scene stands on or hangs on, and what holds it in: large planes, which are no objects to grasp.

Baselines plan in a frame whose z is the support's normal, so that a wall is to them what a table is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.surface import SurfacePoints
from wildgrasp.geometry import Array, inverse, pose, transform

Decide = Callable[[SurfacePoints, Array, Allowed], Decision]


class Support:
    """The frame of one episode's support, as its first look shows it, and decisions that are made in there."""

    def __init__(self) -> None:
        self._T_base_support: Array | None = None

    def decide(self, decide: Decide, surface: SurfacePoints, T_base_fingertip: Array, allowed: Allowed) -> Decision:
        """What ``decide`` says when it is shown surface, pose [4, 4] and permission in the frame of the support."""
        if self._T_base_support is None:
            self._T_base_support = support_frame(surface)
        if self._T_base_support is None:
            return Decision("stuck", T_base_fingertip, "no flat surface in sight")
        T, T_inverse = self._T_base_support, inverse(self._T_base_support)
        decision = decide(_moved(T_inverse, surface), T_inverse @ T_base_fingertip, lambda poses: allowed(T @ poses))
        return replace(decision, T_base_fingertip=T @ decision.T_base_fingertip)


def support_frame(surface: SurfacePoints) -> Array | None:
    """T_base_support [4, 4] of the largest flat surface: z its normal towards free space, the origin in its middle.

    RANSAC (Fischler and Bolles 1981) over single points, which with their normals are planes already; then least
    squares over what agrees. x is the base's x, or its z where that is nearer to the plane. None when too little of
    the surface is flat. The same surface gives the same frame.
    """
    every = max(1, len(surface) // _POINTS_MAX)
    plane = _largest_plane(surface.points[::every], surface.normals[::every])
    if plane is None:
        return None
    middle, normal, _ = plane
    x = np.eye(3)[0] if abs(normal[0]) < _STEEP else np.eye(3)[2]
    x = x - (x @ normal) * normal
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(normal, x), normal], axis=1), middle)


def loose(surface: SurfacePoints) -> SurfacePoints:
    """The surface without its large planes, such as a bin's walls: what is left are objects, as far as one can tell."""
    every = max(1, len(surface) // _POINTS_MAX)
    points, normals = surface.points[::every], surface.normals[::every]
    rest = np.ones(len(surface), bool)
    for _ in range(_PLANES_MAX):
        plane = _largest_plane(points, normals)
        if plane is None:
            break
        middle, normal, agreeing = plane
        if _length(points[agreeing]) > _LONGEST_FACE_M:
            rest &= np.abs((surface.points - middle) @ normal) > _WALL_M
            agreeing = np.abs((points - middle) @ normal) <= _WALL_M  # its back and its rim with it
        points, normals = points[~agreeing], normals[~agreeing]
    return SurfacePoints(surface.points[rest], surface.normals[rest], surface.colors[rest])


def _largest_plane(points: Array, normals: Array) -> tuple[Array, Array, NDArray[np.bool_]] | None:
    """Middle [3], normal [3] and points [N] of the plane with the most points; None when even that has few."""
    if len(points) < _POINTS_MIN:
        return None
    seeds = np.unique(np.linspace(0, len(points) - 1, _HYPOTHESES).astype(int))
    counts = [_agreeing(points, normals, points[k], normals[k]).sum() for k in seeds]
    middle, normal = points[seeds[np.argmax(counts)]], normals[seeds[np.argmax(counts)]]
    for _ in range(3):
        agreeing = _agreeing(points, normals, middle, normal)
        if agreeing.sum() < _POINTS_MIN:
            return None
        middle = points[agreeing].mean(axis=0)
        flattest = np.linalg.svd(points[agreeing] - middle, full_matrices=False)[2][2]
        normal = flattest if flattest @ normals[agreeing].mean(axis=0) > 0 else -flattest
    return middle, normal, agreeing


def _length(points: Array) -> float:
    """How far points [N, 3] reach along their longest direction, in metres, but for a few at both ends."""
    middle = points.mean(axis=0)
    along = (points - middle) @ np.linalg.svd(points - middle, full_matrices=False)[2][0]
    low, high = np.percentile(along, [2.0, 98.0])
    return float(high - low)


def _moved(T: Array, surface: SurfacePoints) -> SurfacePoints:
    return SurfacePoints(transform(T, surface.points), surface.normals @ T[:3, :3].T, surface.colors)


def _agreeing(points: Array, normals: Array, at: Array, normal: Array) -> Array:
    """[N] which points lie on a plane and face as it does."""
    return (np.abs((points - at) @ normal) < _THICKNESS_M) & (normals @ normal > _SAME_FACING)


_POINTS_MIN = 50
_POINTS_MAX = 4000  # that are looked at: as many are enough
_HYPOTHESES = 100
_THICKNESS_M = 0.008
_SAME_FACING = 0.9
_PLANES_MAX = 8  # that are looked at: the support, a bin's four walls, some faces of objects
_LONGEST_FACE_M = 0.2  # of an object
_WALL_M = 0.015  # what is as near to a wall's face as this counts as the wall
_STEEP = 0.7
