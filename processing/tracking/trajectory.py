"""What a tracker returns, and what every tracker must offer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from wildgrasp.sessions.session import Poses

Status = Literal["ok", "predicted", "lost"]


@dataclass(frozen=True)
class Trajectory:
    """Camera poses of a clip, one per frame. Nothing is left out: frames without a measurement say so.

    status: ``ok`` (measured), ``predicted`` (a short gap, bridged by the motion around it), ``lost`` (unknown; the pose
    is a guess and must not be used).
    """

    T_world_camera: NDArray[np.float64]  # [N, 4, 4]; world = first measured camera
    status: list[Status]  # [N]
    sigma_m: NDArray[np.float64]  # [N] one standard deviation of the position; inf where lost

    @property
    def lost_frames(self) -> int:
        return sum(s == "lost" for s in self.status)

    @property
    def verdict(self) -> str:
        """One sentence for tables and logs."""
        return verdict_of(self.status)

    def as_poses(self, first_frame: int = 0) -> Poses:
        """As the session stores it."""
        ids = np.arange(first_frame, first_frame + len(self.status), dtype=np.int64)
        return Poses(ids, self.T_world_camera, list(self.status), self.sigma_m)


def verdict_of(status: Sequence[str]) -> str:
    """What is to be said of frames with these statuses: ok, or what is missing."""
    n, lost, predicted = len(status), sum(s == "lost" for s in status), sum(s == "predicted" for s in status)
    if n == 0:
        return "lost: the clip has no frames"
    if lost == n:
        return "lost: no frame had enough texture and depth to measure motion"
    if lost or predicted:
        return f"partial: {lost} of {n} frames lost, {predicted} predicted"
    return "ok"


@dataclass(frozen=True)
class View:
    """One frame as trackers see it."""

    color: NDArray[np.uint8]  # [H, W, 3] RGB
    depth: NDArray[np.float32]  # [H, W] metres, 0 = none
    ignore: NDArray[np.bool_] | None = None  # [H, W], True = moves with the camera: gripper, held object
    time_s: float | None = None  # of the middle row; None: a thirtieth after the frame before


class Tracker(Protocol):
    """Recovers a camera's motion from RGB-D frames."""

    def track(self, views: Iterable[View]) -> Trajectory:
        """Trajectory of a whole clip; reads each view once, in order."""
        ...
