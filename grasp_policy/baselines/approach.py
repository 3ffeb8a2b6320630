"""How the learned baselines go to a grasp that they have chosen: over it first, then straight in."""

from __future__ import annotations

import numpy as np

from grasp_policy.baselines.steps import is_at, step_toward
from grasp_policy.policy import Allowed, Decision
from wildgrasp.geometry import Array, pose


class Approach:
    """Steps of one episode towards T_base_fingertip [4, 4] of a grasp, which may change from step to step.

    Of the two ways round that the fingers may have, the one that is the shorter turn at first; the other one where the
    guard does not allow that. ``standoff_m``: how far behind the grasp the last look is taken.
    """

    def __init__(self, standoff_m: float) -> None:
        self._standoff_m = standoff_m
        self._closing: Array | None = None  # [3], towards the same finger from step to step
        self._tried_both = False

    def step(self, T: Array, target: Array, allowed: Allowed) -> Decision:
        """The next move from T_base_fingertip, or the last one."""
        closing = T[:3, 0] if self._closing is None else self._closing
        if target[:3, 0] @ closing < 0:
            target = target @ _OTHER_WAY_ROUND
        decision = self._go(T, target, allowed)
        if decision.kind == "stuck" and not self._tried_both:
            self._tried_both = True
            target = target @ _OTHER_WAY_ROUND
            decision = self._go(T, target, allowed)
        self._closing = target[:3, 0]
        return decision

    def _go(self, T: Array, target: Array, allowed: Allowed) -> Decision:
        behind = target @ pose(t=np.array([0.0, 0.0, -self._standoff_m]))
        if is_at(T, behind, _NEAR_M, _NEAR_RAD):
            if not allowed(target[None])[0]:
                return Decision("stuck", T, "the last move to the grasp is not free")
            return Decision("close", target, "over the grasp")
        step = step_toward(T, behind)
        if not allowed(step[None])[0]:
            return Decision("stuck", T, "the way to the grasp is not free")
        return Decision("move", step, "to the grasp")


_OTHER_WAY_ROUND = np.diag([-1.0, -1.0, 1.0, 1.0])
_NEAR_M, _NEAR_RAD = 0.008, 0.08
