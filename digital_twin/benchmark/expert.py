"""The privileged expert: what is possible with the 35 candidates, the close rule and the finishing move.

It knows grasps that physics has verified, and where the objects are at every moment; it takes the candidate with the
least cost to go to the nearest of them. It sees the scene only where the product's rules look at it: the step size,
the close rule and the finishing move use the fused scene as every policy's do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.grasp_search import VerifiedGrasp, find_grasps, grasped_by, height_between
from digital_twin.benchmark.workspace import guard_limits, scene_volume
from digital_twin.world.robot_cell import RobotCell
from grasp_policy.actions import FINE, ActionPreset, candidates, median_depth
from grasp_policy.labels import funnel_cost
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.q_policy import close_if_due
from grasp_policy.scene.views import Views
from robot_runner.episode_types import EpisodeConfig
from robot_runner.guard import raised
from wildgrasp.geometry import Array, PinholeCamera, pose


class Expert:
    """A :class:`~grasp_policy.policy.Policy` with the truth at hand.

    ``closes_itself``: it closes where no candidate is better than where it is, in place of the close rule and the
    finishing move; the difference is what these two cost.
    """

    def __init__(
        self,
        cell: RobotCell,
        rng: np.random.Generator,
        preset: ActionPreset = FINE,
        closes_itself: bool = False,
        grasps: list[VerifiedGrasp] | None = None,
    ) -> None:
        self._cell, self._preset, self._closes_itself = cell, preset, closes_itself
        self._rng = rng
        self._grasps = self._search() if grasps is None else grasps
        self._limits = guard_limits(cell.settings.scene)
        self._observer = SceneObserver(scene_volume(cell.settings.scene))

    def reset(self) -> None:
        self._observer.reset()

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: Array,
    ) -> None:
        self._observer.observe(color, depth, camera, T_base_camera)

    def decide(self, T_base_fingertip: Array, allowed: Allowed) -> Decision:
        T = T_base_fingertip
        self._forget([g for g in self._grasps if g.object not in self._cell.objects()])
        if not self._grasps:
            return Decision("stuck", T, "no grasp was verified in this scene")
        targets = self._targets()
        here = float(funnel_cost(T[None], targets)[0])
        view = self._observer.views(T)
        if not self._closes_itself:
            closing = self._closing(view, T, allowed)
            if closing is not None:
                return closing
        moves = T @ candidates(median_depth(view), self._preset)
        ends, _ = raised(moves, self._limits)
        values = np.where(allowed(moves), -funnel_cost(ends, targets), np.nan).astype(np.float32)
        best = float(np.nanmax(values, initial=-np.inf))
        if self._closes_itself and here < _AT_GRASP_M and best <= -here:
            return Decision("close", T, "at the grasp", None, moves, values)
        if best == -np.inf:
            return Decision("stuck", T, "no candidate may be reached", None, moves, values)
        if not self._closes_itself:
            values = self._without_bad_ends(ends, values, allowed)
        chosen = int(np.nanargmax(values))
        if values[chosen] < min(best, -here):  # what leads to this grasp would close too soon
            self._forget([self._grasps[int(np.argmin([funnel_cost(T[None], target[None])[0] for target in targets]))]])
        return Decision("move", moves[chosen], "nearest to a grasp", chosen, moves, values)

    def _without_bad_ends(self, ends: Array, values: NDArray[np.float32], allowed: Allowed) -> NDArray[np.float32]:
        """Values [35] of which the largest does not lead to where the close rule would close on nothing that holds.

        Candidates end at poses [35, 4, 4]. If that is so of all, the one whose closing holds most often is left.
        """
        best, most = int(np.nanargmax(values)), -1
        for k in np.argsort(-values)[: np.isfinite(values).sum()]:
            # What will be seen on the way may let the rule close sooner than what has been seen so far.
            held = len(_MISSES)
            for T in (ends[k] @ _FARTHER_ON, ends[k]):
                closing = self._closing(self._observer.views(T), T, allowed)
                if closing is not None and held > most:
                    held = min(held, self._times_held(closing.T_base_fingertip, most))
            if held > most:
                best, most = int(k), held
            if most == len(_MISSES):
                break
        return np.where(np.arange(len(values)) == best, values, np.nan)

    def _closing(self, view: Views, T_base_fingertip: Array, allowed: Allowed) -> Decision | None:
        return close_if_due(self._observer, view, T_base_fingertip, allowed, self._preset)

    def _times_held(self, T_base_fingertip: Array, at_least: int) -> int:
        """In how many of the ways in which the finishing move may miss its end, closing there takes something.

        0 if it does not where nothing is missed; no more are tried once it cannot be more than ``at_least``."""
        held = 0
        for tried, miss in enumerate(_MISSES):
            if held + len(_MISSES) - tried <= at_least or (tried and not held):
                break
            held += bool(grasped_by(self._cell, T_base_fingertip @ miss, _FORCE_N, _LIFT_M))
        return held

    def _forget(self, grasps: list[VerifiedGrasp]) -> None:
        """Do without these; search anew, in the pile as it is now, when there is no other."""
        self._grasps = [g for g in self._grasps if g not in grasps] or self._search()

    def _search(self) -> list[VerifiedGrasp]:
        """Verified grasps in the cell as it stands: those at which the close rule can see enough, if there are any."""
        found = find_grasps(self._cell, self._rng)
        if self._closes_itself:
            return found
        least_m = min(self._preset.close_margin_m, self._preset.blocked_margin_m) + _UNSEEN_M
        return [g for g in found if height_between(self._cell, g.T_base_fingertip) > least_m] or found

    def _targets(self) -> Array:
        """T_base_fingertip [G, 4, 4] of the grasps, where the objects are now; far away those of what rolls about."""
        objects = self._cell.objects()
        rolling = {name for name in objects if self._cell.object_speed(name) > _ROLLS_M_S}
        if all(g.object in rolling for g in self._grasps):
            rolling = set()
        return np.stack(
            [(_FAR if g.object in rolling else objects[g.object]) @ g.T_object_fingertip for g in self._grasps]
        )


_AT_GRASP_M = 0.035
_FAR = pose(t=np.full(3, 1e3))
_ROLLS_M_S = 0.02
_UNSEEN_M = 0.002  # the fused scene may be that much lower than the true one
_FARTHER_ON = pose(t=np.array([0.0, 0.0, 0.004]))
_MISSES = pose(t=1e-3 * np.array([[0, 0, 0], [0, 0, -5], [4, 0, 0], [-4, 0, 0], [0, 4, 0], [0, -4, 0]]))
_FORCE_N, _LIFT_M = EpisodeConfig().force_n, EpisodeConfig().lift_height_m
