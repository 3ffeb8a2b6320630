"""Keep-out boxes: parts of space that people draw and that no part of the robot may enter.

A JSON file: ``{"keep_out": [{"name": "camera stand", "lower": [x, y, z], "upper": [x, y, z]}, …]}``, metres in the
robot's base.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import RobotError
from wildgrasp.rig import gripper_boxes

Array = NDArray[np.float64]
_KEY = "keep_out"
_MAX_BYTES, _MAX_BOXES, _MAX_NAME = 100_000, 100, 60


@dataclass(frozen=True)
class KeepOutBox:
    """A part of space, axis-aligned in the robot's base, that neither arm nor gripper may enter."""

    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    name: str = "keep-out box"


def load_keep_out(path: Path) -> tuple[KeepOutBox, ...]:
    """The boxes of a file. Raises RobotError when it is missing or not what it should be: no box is ever dropped."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError("it is too large")
        rows = json.loads(data)[_KEY]
        if not isinstance(rows, list) or len(rows) > _MAX_BOXES:
            raise ValueError(f"it holds no list of at most {_MAX_BOXES} boxes")
        return tuple(_box(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RobotError(
            f"The keep-out boxes in {path} cannot be read ({error}). The arm is not moved without them; mend the file, "
            "or draw them again in the console."
        ) from error


def save_keep_out(path: Path, boxes: Sequence[KeepOutBox]) -> None:
    """Write the file whole or not at all. Raises RobotError when it cannot be written."""
    rows = [{"name": b.name, "lower": list(b.lower), "upper": list(b.upper)} for b in boxes]
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(json.dumps({_KEY: rows}, indent=2) + "\n")
        new.replace(path)
    except OSError as error:
        raise RobotError(f"{path} cannot be written ({error.strerror}). The boxes of before still hold.") from error


def _box(row: dict[str, Any]) -> KeepOutBox:
    lower, upper = (np.array(row[key], dtype=np.float64) for key in ("lower", "upper"))
    name = str(row.get("name", KeepOutBox.name))[:_MAX_NAME]
    if lower.shape != (3,) or upper.shape != (3,) or not np.isfinite([lower, upper]).all() or (lower >= upper).any():
        raise ValueError(f"{name!r} is no box with a lower and an upper corner")
    return KeepOutBox(tuple(lower.tolist()), tuple(upper.tolist()), name)


def gripper_enters(T_base_fingertip: Array, box: KeepOutBox, opening_m: float, clearance_m: float) -> NDArray[np.bool_]:
    """Whether a part of the gripper at poses [..., 4, 4] comes closer than a clearance to a box: [...].

    Separating axes of two boxes (Ericson, Real-Time Collision Detection, 4.4.1); the clearance grows the keep-out box.
    """
    center = (np.array(box.lower) + box.upper) / 2
    half = (np.array(box.upper) - box.lower) / 2 + clearance_m
    R, t = T_base_fingertip[..., :3, :3], T_base_fingertip[..., :3, 3]
    absolute = np.abs(R) + 1e-9  # parallel edges give no axis of their own
    enters = np.zeros(t.shape[:-1], dtype=bool)
    for part in gripper_boxes(opening_m).values():
        d = t + (R @ part.center) - center  # between the centres, in the base
        own = np.einsum("...ij,...i->...j", R, d)  # and along the part's axes
        apart = (np.abs(d) > half + (absolute * part.half).sum(axis=-1)).any(axis=-1)
        apart |= (np.abs(own) > part.half + np.einsum("...ij,i->...j", absolute, half)).any(axis=-1)
        for i in range(3):
            i1, i2 = (i + 1) % 3, (i + 2) % 3
            for j in range(3):
                j1, j2 = (j + 1) % 3, (j + 2) % 3
                reach = half[i1] * absolute[..., i2, j] + half[i2] * absolute[..., i1, j]
                reach = reach + part.half[j1] * absolute[..., i, j2] + part.half[j2] * absolute[..., i, j1]
                apart |= np.abs(d[..., i2] * R[..., i1, j] - d[..., i1] * R[..., i2, j]) > reach
        enters |= ~apart
    return enters
