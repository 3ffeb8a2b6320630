"""How the learned baselines go to a grasp that they have chosen: over it first, then straight in."""

from __future__ import annotations

import numpy as np

from grasp_policy.baselines.steps import is_at, step_toward
from grasp_policy.policy import Allowed, Decision
from wildgrasp.geometry import Array, pose


def approach(T: Array, target: Array, allowed: Allowed, standoff_m: float) -> Decision:
    """One step from T_base_fingertip towards the point ``standoff_m`` behind a grasp, and from there into it."""
    behind = target @ pose(t=np.array([0.0, 0.0, -standoff_m]))
    if is_at(T, behind, _NEAR_M, _NEAR_RAD):
        if not allowed(target[None])[0]:
            return Decision("stuck", T, "the last move to the grasp is not free")
        return Decision("close", target, "over the grasp")
    step = step_toward(T, behind)
    if not allowed(step[None])[0]:
        return Decision("stuck", T, "the way to the grasp is not free")
    return Decision("move", step, "to the grasp")


_NEAR_M, _NEAR_RAD = 0.008, 0.08
