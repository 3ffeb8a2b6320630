"""Training states on disk: one shard per session, compressed views and labels in an .npz that is never pickled."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.features import FEATURE_VERSION, PackedViews
from grasp_policy.states import TrainingState
from wildgrasp.errors import SessionError

FORMAT = 1


@dataclass(frozen=True)
class Shard:
    """The S states of one session with K candidates each, views still compressed (some hundred kilobytes a state)."""

    header: dict[str, Any]  # what they were made of
    blob: NDArray[np.uint8]
    offsets: NDArray[np.int64]  # [S · (1 + K) + 1] into the blob
    cost_m: NDArray[np.float32]  # [S, K]
    overlap_rank: NDArray[np.int8]  # [S, K]
    grasp_pixel: NDArray[np.float32]  # [S, K, 2]
    step_m: NDArray[np.float32]  # [S]
    steps_to_go: NDArray[np.int32]  # [S]
    beside: NDArray[np.bool_]  # [S]

    def __len__(self) -> int:
        return len(self.step_m)

    def views(self, index: int, columns: NDArray[np.integer]) -> PackedViews:
        """The view of the moment, then those after the moves in the given columns: [1 + len(columns)]."""
        rows = index * (1 + self.cost_m.shape[1]) + np.concatenate([[0], 1 + columns])
        payloads = [self.blob[self.offsets[row] : self.offsets[row + 1]].tobytes() for row in rows]
        return PackedViews.decompress(payloads, VIEW_CAMERA.height, VIEW_CAMERA.width)


def shard_header(source: str, made_from: str, config: dict[str, Any]) -> dict[str, Any]:
    """What makes a shard: the session's name, what processing had found in it, and the configuration."""
    return {
        "format": FORMAT,
        "features": FEATURE_VERSION,
        "session": source,
        "made_from": made_from,
        "config": json.loads(json.dumps(config)),
    }


def save_shard(path: Path, header: dict[str, Any], states: Sequence[TrainingState], candidates: int) -> None:
    """Write a shard whole or not at all; that a file of this name exists is the sign that it is complete."""
    payloads = [payload for state in states for payload in state.views.compress()]
    shape = (len(states), candidates)
    arrays = {
        "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
        "blob": np.frombuffer(b"".join(payloads), np.uint8),
        "offsets": np.cumsum([0, *map(len, payloads)], dtype=np.int64),
        "cost_m": np.array([s.cost_m for s in states], np.float32).reshape(shape),
        "overlap_rank": np.array([s.overlap_rank for s in states], np.int8).reshape(shape),
        "grasp_pixel": np.array([s.grasp_pixel for s in states], np.float32).reshape(*shape, 2),
        "step_m": np.array([s.step_m for s in states], np.float32),
        "steps_to_go": np.array([s.steps_to_go for s in states], np.int32),
        "beside": np.array([s.beside for s in states], np.bool_),
    }
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)  # noqa: PTH105


def load_shard(path: Path) -> Shard:
    """Read a shard. Raises SessionError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        header = json.loads(arrays.pop("header").tobytes())
        return Shard(header, **arrays)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise SessionError(f"{path} is damaged ({error}). Delete it; training makes it anew.") from error


def read_header(path: Path) -> dict[str, Any] | None:
    """A shard's header, or None when there is no readable shard."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return json.loads(data["header"].tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
