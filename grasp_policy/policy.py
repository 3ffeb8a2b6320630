"""The policy seam: look, look again, decide the next move or to close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.views import Views
from wildgrasp.geometry import PinholeCamera

# Which of the poses [N, 4, 4] T_base_fingertip may be reached: [N] bool. Workspace and reach are the caller's to judge.
Allowed = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Decision:
    """What to do next, and everything one needs to see why.

    ``move``: go to T_base_fingertip. ``close``: go there (the finishing move; may be where the gripper is),
    then close. ``stuck``: no allowed candidate; the episode ends.
    """

    kind: Literal["move", "close", "stuck"]
    T_base_fingertip: NDArray[np.float64]  # [4, 4]
    reason: str = ""
    chosen: int | None = None
    candidates: NDArray[np.float64] | None = None  # [N, 4, 4] T_base_fingertip
    values: NDArray[np.float32] | None = None  # [N]; NaN where not allowed
    views: Views | None = None  # of the candidates
    timings_ms: dict[str, float] = field(default_factory=dict)  # fuse, views, q


class Policy(Protocol):
    """Closed-loop grasping policy. One episode: reset, then observe and decide in turn."""

    def reset(self) -> None: ...

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: NDArray[np.float64],
    ) -> None:
        """Fuse one observation: colour [H, W, 3], depth [H, W] metres (0 = none), camera pose [4, 4]."""
        ...

    def decide(self, T_base_fingertip: NDArray[np.float64], allowed: Allowed) -> Decision: ...
