"""What really happened in a take: kept beside the session, in a file that processing never reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import Array, to_vector

LIFTED_M = 0.06  # an object that the hand has taken this far was picked up


@dataclass
class AttemptTruth:
    """One press of the button and what came of it. Times on the recording host's clock, ns."""

    object_index: int  # meant to be picked; the one that really came along where another did
    t_press_ns: int = 0
    t_hold_ns: int = 0  # the fingers stand still
    t_release_ns: int = 0
    width_m: float = 0.0  # opening at that time
    T_world_fingertip: Array = field(default_factory=lambda: np.eye(4))  # at that time
    outcome: str = "unfinished"  # held | empty | dropped | unfinished, as processing calls them


@dataclass
class TakeTruth:
    """Everything that processing has to find out, known exactly."""

    object_names: tuple[str, ...]
    object_kinds: tuple[str, ...]
    attempts: list[AttemptTruth] = field(default_factory=list)
    t_ns: list[int] = field(default_factory=list)  # per frame
    T_world_camera: list[Array] = field(default_factory=list)
    T_world_object: list[Array] = field(default_factory=list)  # each [objects, 4, 4]
    opening_m: list[float] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    masks: dict[int, NDArray[np.bool_]] = field(default_factory=dict)  # attempt → its object at the first frame held
    mask_frames: dict[int, int] = field(default_factory=dict)  # attempt → that frame

    def save(self, path: Path) -> None:
        """Write as .npz: poses as 7-vectors (x y z qx qy qz qw), masks packed to bits; see :func:`load_truth`."""
        attempts = self.attempts
        with_mask = sorted(self.masks)
        np.savez_compressed(
            path,
            object_names=np.array(self.object_names),
            object_kinds=np.array(self.object_kinds),
            t_ns=np.array(self.t_ns, np.int64),
            T_world_camera=_vectors(self.T_world_camera, (0, 7)),
            T_world_object=_vectors(self.T_world_object, (0, len(self.object_names), 7)),
            opening_m=np.array(self.opening_m),
            phases=np.array(self.phases, dtype=str),
            attempt_object=np.array([a.object_index for a in attempts], np.int64),
            attempt_press_ns=np.array([a.t_press_ns for a in attempts], np.int64),
            attempt_hold_ns=np.array([a.t_hold_ns for a in attempts], np.int64),
            attempt_release_ns=np.array([a.t_release_ns for a in attempts], np.int64),
            attempt_width_m=np.array([a.width_m for a in attempts]),
            attempt_T_world_fingertip=_vectors([a.T_world_fingertip for a in attempts], (0, 7)),
            attempt_outcome=np.array([a.outcome for a in attempts], dtype=str),
            mask_attempt=np.array(with_mask, np.int64),
            mask_frame=np.array([self.mask_frames[k] for k in with_mask], np.int64),
            mask_bits=np.array([np.packbits(self.masks[k]) for k in with_mask], np.uint8),
            mask_shape=np.array(self.masks[with_mask[0]].shape if with_mask else (0, 0), np.int64),
        )


def load_truth(path: Path) -> dict[str, NDArray]:
    """Arrays of a truth file by the names under which :meth:`TakeTruth.save` keeps them, ``masks`` [K, H, W]
    unpacked.
    """
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    h, w = arrays.pop("mask_shape")
    bits = arrays.pop("mask_bits")
    arrays["masks"] = np.unpackbits(bits, axis=-1, count=int(h * w)).reshape(len(bits), h, w).astype(bool)
    return arrays


def _vectors(poses: list[Array], empty: tuple[int, ...]) -> Array:
    return to_vector(np.array(poses)) if poses else np.zeros(empty)
