"""The bar to beat: antipodal grasps on the fused surface, planned anew at every step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.baselines.antipodal import (
    AntipodalSearch,
    Grasps,
    antipodal_grasps,
    clear_of,
    still_there,
    tips_above,
)
from grasp_policy.baselines.looking_around import LookingAround
from grasp_policy.baselines.steps import step_toward, table_height
from grasp_policy.baselines.support import Support, loose
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.surface import SurfacePoints
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import Array, pose, rotation_angle


class Heuristic:
    """Looks at the scene from several sides, then goes for the best antipodal grasp. Implements ``Policy``.

    It plans over the plane that the scene stands or hangs on, whichever way that faces. Each step plans on everything
    seen so far and stays with its grasp as long as that is about as good as the best, so that it neither dithers
    between two nor chases a place that an object has left.
    """

    def __init__(self, workspace: Volume | None = None, seed: int = 0, search: AntipodalSearch | None = None) -> None:
        self._observer = SceneObserver(workspace)
        self.observe = self._observer.observe
        self._search = search or AntipodalSearch()
        self._seed = seed
        self._start_episode()

    def reset(self) -> None:
        self._observer.reset()
        self._start_episode()

    def _start_episode(self) -> None:
        self._rng = np.random.default_rng(self._seed)
        self._support = Support()  # in its frame are all poses below
        self._looking: LookingAround | None = None  # planned at the first decision
        self._target: Grasps | None = None  # the grasp it is going for
        self._refused = np.zeros((0, 3))  # where grasps were to which the way was not free
        self._backed_out = 0  # how many of them it has backed out of

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        T = np.asarray(T_base_fingertip, np.float64)
        return self._support.decide(self._decide, self._observer.surface_points(), T, allowed)

    def _decide(self, surface: SurfacePoints, T: Array, allowed: Allowed) -> Decision:
        """The decision in the frame of the support, whose z points up as it were."""
        table = table_height(surface)
        if table is None:
            return Decision("stuck", T, "no flat surface in sight")
        objects = loose(surface)
        standing = objects.points[objects.points[:, 2] > table + self._search.table_gap_m]
        if not len(standing):
            return Decision("stuck", T, "nothing stands on the table")
        if self._looking is None:
            self._looking = LookingAround(np.median(standing, axis=0), T)
        look = self._looking.next_step(T, allowed)
        if look is not None:
            return Decision("move", look, "looking around")
        for _ in range(_OTHER_GRASPS):
            self._target = self._plan(surface, objects, table, T, allowed)
            if self._target is None:
                return self._none(T, allowed)
            decision = _approach(T, self._target.T_world_fingertip[0], allowed)
            if decision.kind != "stuck":
                break
            self._refused = np.concatenate([self._refused, self._target.middles])
            self._target = None
        return decision

    def _none(self, T: Array, allowed: Allowed) -> Decision:
        """Nothing to go for from here: back out of where it was refused, for other ways; else it is stuck."""
        back = T @ pose(t=np.array([0.0, 0.0, -_STANDOFF_M]))
        if len(self._refused) > self._backed_out and allowed(back[None])[0]:
            self._backed_out = len(self._refused)
            return Decision("move", back, "back out")
        return Decision("stuck", T, "no grasp with room for the gripper")

    def _plan(
        self, surface: SurfacePoints, objects: SurfacePoints, table: float, T: Array, allowed: Allowed
    ) -> Grasps | None:
        """The best grasp that has room and may be reached; the earlier one while it is about as good.

        Whether the earlier one may be reached is not asked again: that depends on where one comes from, and its way is
        judged step by step.
        """
        search = self._search
        standing = surface.points[surface.points[:, 2] > table + search.table_gap_m]

        def have_room(grasps: Grasps) -> NDArray[np.bool_]:
            return clear_of(standing, grasps.T_world_fingertip, search)

        kept = self._target
        if kept is not None and not (still_there(objects, table, kept, search)[0] and have_room(kept)[0]):
            kept = None
        grasps = antipodal_grasps(objects, table, self._rng, search)
        if kept is not None:
            grasps = grasps[grasps.score > kept.score[0] + _LOYALTY]
        grasps = _nearer_first(_turned_like(grasps, T), T)
        grasps = grasps[~_near(grasps.middles, self._refused)]
        grasps = grasps[tips_above(table, grasps.T_world_fingertip, search)][:_CHECKED_MAX]
        for start in range(0, len(grasps), _CHECKED_AT_ONCE):
            some = grasps[start : start + _CHECKED_AT_ONCE]
            some = some[have_room(some)]
            if len(some):
                some = some[np.asarray(allowed(some.T_world_fingertip), bool)]
            if len(some):
                return some[:1]
        return kept


def _approach(T: Array, target: Array, allowed: Allowed) -> Decision:
    """One step: to a point behind the grasp first, then straight in; close from the last centimetres."""
    behind = np.linalg.inv(target) @ T  # where the gripper is, seen from the grasp
    aside = float(np.linalg.norm(behind[:2, 3]))
    aligned = aside < 0.006 and rotation_angle(behind[:3, :3]) < 0.08
    if aligned and -_LAST_MOVE_M <= behind[2, 3] <= 0.005 and allowed(target[None])[0]:
        return Decision("close", target, "at the grasp")
    distance = 0.0 if aligned else _STANDOFF_M
    goal = target @ pose(t=np.array([0.0, 0.0, -distance]))
    if aligned and -behind[2, 3] > 2 * _LAST_MOVE_M:  # one more look on the way in
        goal = target @ pose(t=np.array([0.0, 0.0, -_LAST_MOVE_M]))
    step = step_toward(T, goal)
    if allowed(step[None])[0]:
        return Decision("move", step, "in" if aligned else "to the stand-off")
    if aligned:  # as deep as it may
        less_deep = target @ pose(t=np.outer(_LESS_DEEP_M, [0.0, 0.0, -1.0]))
        free = np.asarray(allowed(less_deep), bool)
        if free.any():
            return Decision("close", less_deep[free][0], "as near to the grasp as it may")
    return Decision("stuck", T, "the way to the grasp is not free")


def _near(points: Array, others: Array) -> NDArray[np.bool_]:
    """[N]: which points [N, 3] are about where one of the others [M, 3] is."""
    return (np.linalg.norm(points[:, None] - others[None], axis=2) < _ELSEWHERE_M).any(axis=1)


def _turned_like(grasps: Grasps, T: Array) -> Grasps:
    """The same grasps, each with the fingers swapped where that is the shorter turn from T."""
    poses = grasps.T_world_fingertip.copy()
    swap = np.einsum("nd,d->n", poses[:, :3, 0], T[:3, 0]) < 0
    poses[swap, :3, :2] *= -1
    return Grasps(poses, grasps.contacts, grasps.score)


def _nearer_first(grasps: Grasps, T: Array) -> Grasps:
    """Best first, with a small price for the way."""
    way = np.linalg.norm(grasps.T_world_fingertip[:, :3, 3] - T[:3, 3], axis=1)
    order = np.argsort(_PRICE_PER_M * way - grasps.score, kind="stable")
    return grasps[order]


_STANDOFF_M = 0.10
_LESS_DEEP_M = (0.005, 0.01, 0.015)
_LAST_MOVE_M = 0.04
_LOYALTY = 0.5  # a new grasp must be this much better than the one that is under way
_PRICE_PER_M = 0.5
_OTHER_GRASPS = 4  # that are planned in one step when the way to the first is not free
_ELSEWHERE_M = 0.015
_CHECKED_MAX = 512  # grasps that are checked for room, best first
_CHECKED_AT_ONCE = 32
