"""The grasping policy of the paper (section V): look at what each candidate move would show, take the best."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import (
    FINE,
    VIEW_CAMERA,
    ActionPreset,
    candidates,
    depth_between_fingers,
    finishing_move,
    median_depth,
)
from grasp_policy.observer import SceneObserver
from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.tsdf import Volume
from grasp_policy.scene.views import Views
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA

# Values [N] of candidate views (N), given the view of the moment (1). Larger is better.
ViewEvaluator = Callable[[Views, Views], NDArray[np.float32]]


class QPolicy:
    """Closed-loop policy that scores the view after each candidate move. Implements ``Policy``."""

    def __init__(
        self,
        evaluator: ViewEvaluator,
        preset: ActionPreset = FINE,
        T_fingertip_camera: NDArray[np.float64] = NOMINAL_T_FINGERTIP_CAMERA,
        workspace: Volume | None = None,
        opening_m: float = MAX_OPENING_M,
        device: str = "cpu",
    ) -> None:
        self._evaluator = evaluator
        self._preset = preset
        self._observer = SceneObserver(workspace, T_fingertip_camera, opening_m, device)
        self.observe = self._observer.observe

    def reset(self) -> None:
        self._observer.reset()

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        """Close when the close rule says so, else take the best allowed candidate.

        ``stuck`` when the camera sees nothing of the scene, no candidate is allowed, or no value is a number.
        """
        T = np.asarray(T_base_fingertip, np.float64)
        started = time.perf_counter()
        state = self._observer.views(T)
        if not state.valid.any():
            return Decision("stuck", T, "the fused scene shows nothing from here: no depth, or outside the workspace")
        closing = close_if_due(self._observer, state, T, allowed, self._preset)
        if closing is not None:
            return closing
        moves = T @ candidates(median_depth(state), self._preset)
        views = self._observer.views(moves)
        rendered = time.perf_counter()
        values = np.array(self._evaluator(state, views), np.float32)
        evaluated = time.perf_counter()
        values[~np.asarray(allowed(moves), bool)] = np.nan
        timings = {
            "fuse": self._observer.fuse_ms,
            "views": 1e3 * (rendered - started),
            "q": 1e3 * (evaluated - rendered),
        }
        usable = np.where(np.isfinite(values), values, -np.inf)
        chosen = int(usable.argmax())
        if usable[chosen] == -np.inf:
            return Decision("stuck", T, "no candidate may be reached", None, moves, values, views, timings)
        return Decision("move", moves[chosen], "highest value", chosen, moves, values, views, timings)


def close_if_due(
    observer: SceneObserver, view: Views, T_base_fingertip: NDArray[np.float64], allowed: Allowed, preset: ActionPreset
) -> Decision | None:
    """The decision to close, after the guarded finishing move, or None while it is better to go on.

    It is due when enough is between the fingers, or when something is and there is no going straight on.
    """
    between_m = depth_between_fingers(view, VIEW_CAMERA, observer.T_fingertip_camera)
    if between_m <= min(preset.close_margin_m, preset.blocked_margin_m):
        return None
    points = observer.surface_from(T_base_fingertip)
    finish_m = float(np.clip(preset.deepest_m - between_m, 0.0, preset.finish_m))
    preset = replace(preset, finish_m=finish_m)
    straight = finishing_move(points, T_base_fingertip, allowed, replace(preset, centre_m=0.0), observer.opening_m)
    if between_m <= preset.close_margin_m and straight[2, 3] > 0:
        return None
    move = finishing_move(points, T_base_fingertip, allowed, preset, observer.opening_m)
    reason = f"{1e3 * between_m:.0f} mm of something between the fingers; finishing move "
    reason += f"{1e3 * move[2, 3]:.0f} mm ahead" + (f", {1e3 * abs(move[0, 3]):.0f} mm aside" if move[0, 3] else "")
    return Decision("close", T_base_fingertip @ move, reason)
