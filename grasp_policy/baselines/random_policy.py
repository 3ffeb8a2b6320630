"""Any allowed candidate, until something is between the fingers: what chance alone achieves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import FINE
from grasp_policy.q_policy import QPolicy
from grasp_policy.scene.tsdf import Volume
from grasp_policy.scene.views import Views


class RandomPolicy(QPolicy):
    """The Q-network policy with values drawn at random; deterministic for a seed."""

    def __init__(self, workspace: Volume | None = None, seed: int = 0) -> None:
        super().__init__(self._draw, FINE, workspace=workspace)
        self._rng = np.random.default_rng(seed)

    def _draw(self, state: Views, views: Views) -> NDArray[np.float32]:
        return self._rng.random(len(views), dtype=np.float32)
