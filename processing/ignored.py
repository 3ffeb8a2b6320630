"""Which pixels tracking must not look at: the gripper, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from processing.attempts import Attempt
from processing.tracking.trajectory import View
from wildgrasp.geometry import PinholeCamera
from wildgrasp.rig import MAX_OPENING_M, gripper_mask
from wildgrasp.sessions.session import Session

Mask = NDArray[np.bool_]

OPENING_STEPS = 20  # silhouettes are kept for so many openings of the fingers


@dataclass(frozen=True)
class IgnoreConfig:
    margin_px: int = 6  # around the gripper's outline, for what calibration leaves open
    object_margin_px: int = 4
    release_s: float = 0.5  # so long after the button was released the fingers may still hold it
    hold_gate_m: float = 0.06  # while something unseen is held: ignore what is less than this beyond the fingertips
    hold_reach_m: float = 0.12  # and no further beside them: what is there shows the world that tracking needs


@dataclass
class Ignored:
    """Ignore masks of a session's frames.

    ``static`` is the session-wide gripper mask, ``objects`` maps an attempt's number to the mask of what it held. While
    something may be held whose mask is not known (yet), everything near the fingertips is ignored instead, up to just
    beyond them.
    """

    camera: PinholeCamera
    T_camera_fingertip: NDArray[np.float64] | None
    attempts: Sequence[Attempt]
    times_ns: NDArray[np.int64]  # [N] of the frames
    openings: NDArray[np.float64]  # [N] of the fingers at each frame, 0 … 1
    config: IgnoreConfig
    static: Mask | None = None
    objects: dict[int, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._silhouettes: dict[int, Mask] = {}
        self._objects = {n: _grow(m, self.config.object_margin_px) for n, m in self.objects.items()}
        self._around_fingertips = self._within_reach()
        self._holder: dict[int, int] = {}
        for a in self.attempts:
            start = np.searchsorted(self.times_ns, a.t_press_ns)
            end = self.times_ns[a.frame_release] + int(self.config.release_s * 1e9)
            self._holder.update(dict.fromkeys(range(start, np.searchsorted(self.times_ns, end)), a.number))

    def at(self, frame: int, depth: NDArray[np.float32]) -> Mask | None:
        """Mask [H, W] for a frame with depth [H, W]; None when the session has no gripper."""
        if self.T_camera_fingertip is None:
            return None
        mask = self.gripper(float(self.openings[frame]))
        attempt = self._holder.get(frame)
        if attempt is None:
            return mask
        if attempt in self._objects:
            return mask | self._objects[attempt]
        return mask | (self._around_fingertips & (depth < self.T_camera_fingertip[2, 3] + self.config.hold_gate_m))

    def _within_reach(self) -> Mask | None:
        if self.T_camera_fingertip is None:
            return None
        tip = self.T_camera_fingertip[:3, 3]
        column, row = self.camera.project(tip)
        v, u = np.mgrid[: self.camera.height, : self.camera.width]
        return np.hypot(u - column, v - row) < self.config.hold_reach_m * self.camera.fx / tip[2]

    def gripper(self, opening: float) -> Mask:
        """The gripper at an opening: its outline and the session-wide mask."""
        step = round(float(np.clip(opening, 0, 1)) * OPENING_STEPS)
        if step not in self._silhouettes:
            width = step / OPENING_STEPS * MAX_OPENING_M
            outline = gripper_mask(self.camera, self.T_camera_fingertip, width, self.config.margin_px)
            self._silhouettes[step] = outline if self.static is None else outline | self.static
        return self._silhouettes[step]


def openings_at_frames(session: Session) -> NDArray[np.float64]:
    """Opening of the fingers [N] at each frame; open where the servo told nothing."""
    servo = session.servo()
    if not servo:
        return np.ones(len(session))
    return np.interp(session.times_ns, [s.t_ns for s in servo], [s.opening for s in servo])


def readout_of(session: Session) -> float:
    """Seconds from the camera's first row to its last, as the session says; 0 where it says nothing."""
    value = session.camera_info.readout_s
    value = session.meta.get("readout_s", 0.0) if value is None else value  # where the twin wrote it once
    return float(value) if isinstance(value, int | float) and 0 <= value < 0.1 else 0.0


def views(session: Session, ignored: Ignored, frames: Iterable[int]) -> Iterator[View]:
    """Frames as a tracker wants them."""
    for index in frames:
        frame = session.frame(index)
        depth = frame.depth
        yield View(frame.color, depth, ignored.at(index, depth), frame.t_host_ns * 1e-9)


def _grow(mask: Mask, margin_px: int) -> Mask:
    size = 2 * margin_px + 1
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
