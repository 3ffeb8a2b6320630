"""Any allowed candidate, until something is between the fingers: what chance alone achieves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import FINE
from grasp_policy.policy import Allowed, Decision
from grasp_policy.q_policy import QPolicy
from grasp_policy.scene.tsdf import Volume
from grasp_policy.scene.views import Views
from wildgrasp.geometry import PinholeCamera


class RandomPolicy:
    """The Q-network policy with values drawn at random. Implements ``Policy``; deterministic for a seed."""

    def __init__(self, workspace: Volume | None = None, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._policy = QPolicy(self._draw, FINE, workspace=workspace)

    def reset(self) -> None:
        self._policy.reset()

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: NDArray[np.float64],
    ) -> None:
        self._policy.observe(color, depth, camera, T_base_camera)

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision:
        return self._policy.decide(T_base_fingertip, allowed)

    def _draw(self, state: Views, views: Views) -> NDArray[np.float32]:
        return self._rng.random(len(views), dtype=np.float32)
