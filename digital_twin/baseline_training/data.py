"""The training set of both learned baselines: one file per scene, made once, by as many processes as wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digital_twin.baseline_training.ggcnn_data import pictures
from digital_twin.baseline_training.labelled_scenes import labelled_scene
from digital_twin.baseline_training.vgn_data import volumes
from processing.scale.local_pool import LocalPool
from processing.scale.pool import Task, news_of
from processing.scale.scheduler import reports_of

# Evaluations draw their scenes' seeds below 2³¹ from their own; these, of the training family, stay small.
FIRST_SEED = 1000


def scene_file(folder: Path, seed: int) -> Path:
    return folder / f"scene-{seed:06d}.npz"


def make_scenes(folder: Path, count: int, workers: int = 1) -> Iterator[Path]:
    """Write what is missing of ``count`` scenes; yields each file as it is done. Interrupted, it goes on there.

    With several workers, a scene whose process dies is begun anew. Raises UserError when one could not be made in
    several tries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [s for s in range(FIRST_SEED, FIRST_SEED + count) if not scene_file(folder, s).exists()]
    scenes = [_Scene(folder, seed) for seed in missing]
    if workers <= 1:
        return map(_make, scenes)
    return reports_of(scenes, LocalPool(workers, news_of, _make))


@dataclass(frozen=True)
class _Scene(Task):
    """A scene to be made, by any process."""

    folder: Path
    seed: int

    def __str__(self) -> str:
        return scene_file(self.folder, self.seed).name


def _make(job: _Scene) -> Path:
    """One scene's file; empty arrays where the scene shows nothing to learn from."""
    scene, rng = labelled_scene(job.seed), np.random.default_rng([job.seed, 2])
    arrays: dict[str, np.ndarray] = {}
    if scene is not None and scene.from_above and scene.around:
        arrays |= {f"pictures.{name}": value for name, value in pictures(scene, rng).items()}
        arrays |= {f"volumes.{name}": value for name, value in volumes(scene, rng).items()}
    path = scene_file(job.folder, job.seed)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)  # noqa: PTH105
    return path
