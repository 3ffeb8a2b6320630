"""Straight at what sticks out most: what one gets without looking at shape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.baselines.steps import gripper_pose, step_toward, table_height
from grasp_policy.baselines.support import Support
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.surface import SurfacePoints
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import rotation_angle

_DOWN = np.array([0.0, 0.0, -1.0])


class StraightDown:
    """Goes over the highest point of the scene, then down past it, and closes. Implements ``Policy``.

    Down is towards the plane that the scene stands or hangs on, whichever way that faces. On a flat top any point is
    the highest; it stays with the one it chose while nothing clearly higher comes into sight and that place does not
    sink.
    """

    def __init__(self, workspace: Volume | None = None) -> None:
        self._observer = SceneObserver(workspace)
        self.observe = self._observer.observe
        self._start_episode()

    def reset(self) -> None:
        self._observer.reset()
        self._start_episode()

    def _start_episode(self) -> None:
        self._support = Support()  # in its frame are all poses below
        self._top: NDArray[np.float64] | None = None  # [3]
        self._descending = False

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        T = np.asarray(T_base_fingertip, np.float64)
        return self._support.decide(self._decide, self._observer.surface_points(), T, allowed)

    def _decide(self, surface: SurfacePoints, T: NDArray[np.float64], allowed: Allowed) -> Decision:
        """The decision in the frame of the support, whose z points up as it were."""
        table = table_height(surface)
        if table is None:
            return Decision("stuck", T, "no flat surface in sight")
        if not self._descending:
            self._top = _highest(surface.points, table, self._top)
        if self._top is None:
            return Decision("stuck", T, "nothing stands on the table")
        goal = self._top.copy()
        goal[2] = max(goal[2] - _DEPTH_M, table + _TABLE_GAP_M)
        target = gripper_pose(goal, _DOWN, T[:3, 0])  # turned as little as possible
        above = target.copy()
        above[2, 3] = self._top[2] + _CLEAR_ABOVE_M
        if not self._descending and not _over(T, above):
            return _move(T, above, allowed, "over the highest point")
        self._descending = True
        deep_first = np.repeat(target[None], len(_LESS_DEEP_M), axis=0)
        deep_first[:, 2, 3] += _LESS_DEEP_M
        free = np.asarray(allowed(deep_first), bool)
        if not free.any():
            return Decision("stuck", T, "the way is not free: down")
        target = deep_first[free][0]
        if T[2, 3] - target[2, 3] > _LAST_MOVE_M:
            return _move(T, target, allowed, "down")
        return Decision("close", target, "past the highest point")


def _highest(
    points: NDArray[np.float64], table: float, previous: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """The highest place [3] of what stands on the table, or the previous one while it is about as high."""
    standing = points[points[:, 2] > table + _LOWEST_OBJECT_M]
    if len(standing) < _TOP_POINTS:
        return None
    top = standing[np.argsort(-standing[:, 2], kind="stable")[:_TOP_POINTS]].mean(axis=0)
    if previous is None:
        return top
    there = standing[np.linalg.norm(standing[:, :2] - previous[:2], axis=1) < 0.02]
    sunk = not len(there) or there[:, 2].max() < previous[2] - _ABOUT_AS_HIGH_M
    return top if sunk or top[2] > previous[2] + _ABOUT_AS_HIGH_M else previous


def _over(T: NDArray[np.float64], above: NDArray[np.float64]) -> bool:
    near = np.linalg.norm(T[:3, 3] - above[:3, 3]) < 0.01
    return bool(near and rotation_angle(T[:3, :3].T @ above[:3, :3]) < 0.05)


def _move(T: NDArray[np.float64], goal: NDArray[np.float64], allowed: Allowed, reason: str) -> Decision:
    step = step_toward(T, goal)
    if not allowed(step[None])[0]:
        return Decision("stuck", T, f"the way is not free: {reason}")
    return Decision("move", step, reason)


_CLEAR_ABOVE_M = 0.10  # fingertips over the top before going down
_DEPTH_M = 0.03  # past the highest point
_TABLE_GAP_M = 0.004
_LESS_DEEP_M = np.arange(7) * 0.005  # where it may not go all the way
_LAST_MOVE_M = 0.05  # from here the finishing move goes all the way
_LOWEST_OBJECT_M = 0.01  # lower things are the table's own roughness
_TOP_POINTS = 5
_ABOUT_AS_HIGH_M = 0.015
