"""The privileged expert: what is possible with the 35 candidates, the close rule and the finishing move.

It knows grasps that physics has verified, and where the objects are at every moment; it takes the candidate with the
least cost to go to the nearest of them. It sees the scene only where the product's rules look at it: the step size,
the close rule and the finishing move use the fused scene as every policy's do.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.grasp_search import VerifiedGrasp, find_grasps
from digital_twin.benchmark.workspace import WORKSPACE_CENTER
from digital_twin.world.robot_cell import RobotCell
from grasp_policy.actions import (
    FINE,
    VIEW_CAMERA,
    ActionPreset,
    candidates,
    finishing_advance,
    median_depth,
    should_close,
)
from grasp_policy.labels import funnel_cost
from grasp_policy.policy import Allowed, Decision
from grasp_policy.scene.tsdf import TsdfScene, Volume
from wildgrasp.geometry import Array, PinholeCamera, pose, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA, gripper_mask


def make_expert(cell: RobotCell, rng: np.random.Generator) -> Expert:
    """An expert for the cell as it stands; searches for grasps first."""
    return Expert(cell, find_grasps(cell, rng))


class Expert:
    """A :class:`~grasp_policy.policy.Policy` with the truth at hand."""

    def __init__(self, cell: RobotCell, grasps: list[VerifiedGrasp], preset: ActionPreset = FINE) -> None:
        self._cell, self._grasps, self._preset = cell, grasps, preset
        self._scene = TsdfScene(Volume.around(np.add(WORKSPACE_CENTER, (0, 0, 0.2))))

    def reset(self) -> None:
        self._scene.reset()

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: Array,
    ) -> None:
        self._scene.integrate(color, depth, camera, T_base_camera, _own_gripper(camera))

    def decide(self, T_base_fingertip: Array, allowed: Allowed) -> Decision:
        if not self._grasps:
            return Decision("stuck", T_base_fingertip, "no grasp was verified in this scene")
        view = self._scene.render(VIEW_CAMERA, (T_base_fingertip @ NOMINAL_T_FINGERTIP_CAMERA)[None])
        if should_close(view, VIEW_CAMERA, NOMINAL_T_FINGERTIP_CAMERA, self._preset):
            points = transform(NOMINAL_T_FINGERTIP_CAMERA, VIEW_CAMERA.points(view.depth[0])[view.valid[0]])
            advance = finishing_advance(points, T_base_fingertip, allowed, self._preset)
            return Decision("close", T_base_fingertip @ pose(t=np.array([0, 0, advance])), "close rule")
        moves = T_base_fingertip @ candidates(median_depth(view), self._preset)
        free = allowed(moves)
        if not free.any():
            return Decision("stuck", T_base_fingertip, "no candidate may be reached")
        values = np.where(free, -funnel_cost(moves, self._targets()), np.nan).astype(np.float32)
        chosen = int(np.nanargmax(values))
        return Decision("move", moves[chosen], "", chosen, moves, values)

    def _targets(self) -> Array:
        """T_base_fingertip [G, 4, 4] of the grasps, where the objects are now."""
        objects = self._cell.objects()
        known = [objects[g.object] @ g.T_object_fingertip for g in self._grasps if g.object in objects]
        return np.stack(known) if known else np.stack([g.T_base_fingertip for g in self._grasps])


@lru_cache(maxsize=1)
def _own_gripper(camera: PinholeCamera) -> NDArray[np.bool_]:
    return gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
