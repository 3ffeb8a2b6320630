"""The privileged expert: what is possible with the 35 candidates, the close rule and the finishing move.

It knows grasps that physics has verified, and where the objects are at every moment; it takes the candidate with the
least cost to go to the nearest of them. It sees the scene only where the product's rules look at it: the step size,
the close rule and the finishing move use the fused scene as every policy's do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.grasp_search import VerifiedGrasp, find_grasps
from digital_twin.benchmark.workspace import scene_volume
from digital_twin.world.robot_cell import RobotCell
from grasp_policy.actions import FINE, ActionPreset, candidates, median_depth
from grasp_policy.labels import funnel_cost
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.q_policy import close_if_due
from wildgrasp.geometry import Array, PinholeCamera


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
        self._grasps = find_grasps(cell, rng) if grasps is None else grasps
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
        if not self._grasps:
            return Decision("stuck", T, "no grasp was verified in this scene")
        targets = self._targets()
        here = float(funnel_cost(T[None], targets)[0])
        view = self._observer.views(T)
        if not self._closes_itself:
            closing = close_if_due(self._observer, view, T, allowed, self._preset)
            if closing is not None:
                return closing
        moves = T @ candidates(median_depth(view), self._preset)
        free = allowed(moves)
        values = np.where(free, -funnel_cost(moves, targets), np.nan).astype(np.float32)
        best = float(np.nanmax(values, initial=-np.inf))
        if self._closes_itself and here < _AT_GRASP_M and best <= -here:
            return Decision("close", T, "at the grasp", None, moves, values)
        if not free.any():
            return Decision("stuck", T, "no candidate may be reached", None, moves, values)
        chosen = int(np.nanargmax(values))
        return Decision("move", moves[chosen], "nearest to a grasp", chosen, moves, values)

    def _targets(self) -> Array:
        """T_base_fingertip [G, 4, 4] of the grasps, where the objects are now."""
        objects = self._cell.objects()
        known = [objects[g.object] @ g.T_object_fingertip for g in self._grasps if g.object in objects]
        return np.stack(known or [g.T_base_fingertip for g in self._grasps])


_AT_GRASP_M = 0.035
