"""What an episode writes down as it happens: a seam, so that runs write sessions and evaluations write nothing."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grasp_policy.policy import Decision
from robot_runner.guard import Verdict
from wildgrasp.cameras.base import RGBDFrame


class EpisodeLog(Protocol):
    """Called in order, from the episode's thread."""

    def transition(self, t_ns: int, state: str, reason: str) -> None: ...

    def observation(self, frame: RGBDFrame, T_base_camera: NDArray[np.float64]) -> None:
        """A frame that the policy has fused, with the camera pose [4, 4] it was fused at."""
        ...

    def decision(self, t_ns: int, step: int, decision: Decision, verdict: Verdict) -> None: ...


class NoLog:
    """Writes nothing."""

    def transition(self, t_ns: int, state: str, reason: str) -> None:
        pass

    def observation(self, frame: RGBDFrame, T_base_camera: NDArray[np.float64]) -> None:
        pass

    def decision(self, t_ns: int, step: int, decision: Decision, verdict: Verdict) -> None:
        pass
