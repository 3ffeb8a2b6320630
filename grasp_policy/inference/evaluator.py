"""From rendered views to values: the trained network as the policy calls it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.views import Views


class Evaluator(Protocol):
    """Values of candidate views. ``name`` says what runs it; ``actions`` and ``card`` come from the checkpoint."""

    name: str
    actions: str
    card: dict[str, Any]

    def __call__(self, state: Views, views: Views) -> NDArray[np.float32]:
        """Value [N] of each of N candidate views, given the view of the moment (one image). Larger is better."""
        ...
