"""Batches for training: a pure function of the seed and the step, so that a run can stop anywhere and go on exactly."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.augmentation import AugmentationConfig, augment
from grasp_policy.labels import PAPER_NEGATIVES, PAPER_UNLABELLED
from grasp_policy.shards import Shard, load_shard


@dataclass(frozen=True)
class Batch:
    """B states with K candidates each; features as in :mod:`grasp_policy.features`."""

    state: Tensor  # [B, 7, H, W]
    views: Tensor  # [B, K, 7, H, W]
    cost_m: NDArray[np.float32]  # [B, K]
    overlap_rank: NDArray[np.int8]  # [B, K]
    grasp_pixel: Tensor  # [B, K, 2]
    step_m: NDArray[np.float32]  # [B] translation of the candidates
    steps_to_go: NDArray[np.int32]  # [B]


class StatePool:
    """All states of some shards under one index."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self._shards = list(shards)
        self._ends = np.cumsum([len(shard) for shard in shards])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def sessions(self) -> list[str]:
        return [shard.header["session"] for shard in self._shards]

    @property
    def digest(self) -> int:
        """Changes with the states in the pool."""
        return zlib.crc32(repr([shard.header for shard in self._shards]).encode())

    def locate(self, index: int) -> tuple[Shard, int]:
        """Shard and row of a state."""
        shard = int(np.searchsorted(self._ends, index, side="right"))
        return self._shards[shard], int(index - (self._ends[shard] - len(self._shards[shard])))


def load_pools(shards: Sequence[Path], held_out: float) -> tuple[StatePool, StatePool]:
    """Training and validation states. Whole sessions are held out, chosen by name: the same ones when others are
    added.

    With one session only there is nothing to hold out: the validation pool is empty.
    """
    ordered = sorted(shards, key=lambda path: zlib.crc32(path.name.encode()))
    count = max(1, round(held_out * len(ordered))) if len(ordered) > 1 and held_out > 0 else 0
    loaded = [load_shard(path) for path in ordered]
    return StatePool(loaded[count:]), StatePool(loaded[:count])


def training_batch(
    pool: StatePool, step: int, seed: int, states: int, views: int, paper: bool, augmentation: AugmentationConfig
) -> Batch:
    """Batch number ``step``. Each epoch visits every state once, in an order of its own."""
    indices = [_shuffled(pool, position, seed) for position in range(step * states, (step + 1) * states)]
    rng = np.random.default_rng([seed, 1, step])
    rows = [pool.locate(index) for index in indices]
    columns = [_paper_columns(s, r, rng) if paper else _best_and_others(s, r, views, rng) for s, r in rows]
    return _load(rows, columns, augmentation, rng)


def validation_batches(pool: StatePool, states: int, most: int = 480) -> Iterator[Batch]:
    """Batches with all kept candidates, unchanged, of up to ``most`` states spread over the pool."""
    indices = np.unique(np.linspace(0, len(pool) - 1, min(len(pool), most)).astype(int))
    for start in range(0, len(indices), states):
        rows = [pool.locate(int(index)) for index in indices[start : start + states]]
        yield _load(rows, [np.arange(shard.cost_m.shape[1]) for shard, _ in rows], None, None)


def _shuffled(pool: StatePool, position: int, seed: int) -> int:
    epoch, offset = divmod(position, len(pool))
    return int(_epoch_order(len(pool), seed, epoch)[offset])


def _epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    key = (count, seed, epoch)
    if key not in _ORDERS:
        if len(_ORDERS) > 2:  # a batch touches at most two epochs of one pool
            _ORDERS.clear()
        _ORDERS[key] = np.random.default_rng([seed, 0, epoch]).permutation(count)
    return _ORDERS[key]


_ORDERS: dict[tuple[int, int, int], NDArray[np.int64]] = {}


def _best_and_others(shard: Shard, row: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The cheapest candidate and a random choice of the others."""
    best = int(np.argmin(shard.cost_m[row]))
    others = np.delete(np.arange(shard.cost_m.shape[1]), best)
    return np.concatenate([[best], rng.permutation(others)[: count - 1]])


def _paper_columns(shard: Shard, row: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The paper's positive, then five of its negatives."""
    rank = shard.overlap_rank[row]
    negatives = np.flatnonzero(rank >= PAPER_UNLABELLED)
    chosen = rng.choice(negatives, PAPER_NEGATIVES, replace=len(negatives) < PAPER_NEGATIVES)
    return np.concatenate([[int(np.argmin(rank))], chosen])


def _load(
    rows: Sequence[tuple[Shard, int]],
    columns: Sequence[NDArray[np.int64]],
    augmentation: AugmentationConfig | None,
    rng: np.random.Generator | None,
) -> Batch:
    features, pixels = [], []
    for (shard, row), chosen in zip(rows, columns, strict=True):
        views = shard.views(row, chosen).features()
        pixel = shard.grasp_pixel[row, chosen]
        if augmentation is not None and rng is not None and augment(views, augmentation, rng):
            pixel = pixel * np.float32([-1, 1]) + np.float32([VIEW_CAMERA.width - 1, 0])
        features.append(np.moveaxis(views, 1, -1))
        pixels.append(pixel)
    images = torch.from_numpy(np.stack(features)).movedim(-1, 2)  # channels-last memory
    pairs = list(zip(rows, columns, strict=True))
    return Batch(
        images[:, 0],
        images[:, 1:],
        np.stack([shard.cost_m[row, chosen] for (shard, row), chosen in pairs]),
        np.stack([shard.overlap_rank[row, chosen] for (shard, row), chosen in pairs]),
        torch.from_numpy(np.stack(pixels)),
        np.array([shard.step_m[row] for shard, row in rows], np.float32),
        np.array([shard.steps_to_go[row] for shard, row in rows], np.int32),
    )
