"""What a scene stands on, or hangs on: baselines plan in a frame whose z is that plane's normal, so a wall is no table
to them only because it stands upright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

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
    if len(surface) < _POINTS_MIN:
        return None
    every = max(1, len(surface) // _POINTS_MAX)
    points, normals = surface.points[::every], surface.normals[::every]
    seeds = np.unique(np.linspace(0, len(points) - 1, _HYPOTHESES).astype(int))
    counts = [_agreeing(points, normals, points[k], normals[k]).sum() for k in seeds]
    middle, normal = points[seeds[np.argmax(counts)]], normals[seeds[np.argmax(counts)]]
    for _ in range(3):
        agreeing = _agreeing(points, normals, middle, normal)
        if agreeing.sum() < _POINTS_MIN // every:
            return None
        middle = points[agreeing].mean(axis=0)
        flattest = np.linalg.svd(points[agreeing] - middle, full_matrices=False)[2][2]
        normal = flattest if flattest @ normals[agreeing].mean(axis=0) > 0 else -flattest
    x = np.eye(3)[0] if abs(normal[0]) < _STEEP else np.eye(3)[2]
    x = x - (x @ normal) * normal
    x /= np.linalg.norm(x)
    return pose(np.stack([x, np.cross(normal, x), normal], axis=1), middle)


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
_STEEP = 0.7
