"""The training set of both learned baselines: one file per scene, made once, by as many processes as wanted."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from digital_twin.baseline_training.ggcnn_data import pictures
from digital_twin.baseline_training.labelled_scenes import labelled_scene
from digital_twin.baseline_training.vgn_data import volumes
from wildgrasp.one_core import ONE_THREAD, environment

# Evaluations draw their scenes' seeds below 2³¹ from their own; these, of the training family, stay small.
FIRST_SEED = 1000


def scene_file(folder: Path, seed: int) -> Path:
    return folder / f"scene-{seed:06d}.npz"


def make_scenes(folder: Path, count: int, workers: int = 1) -> Iterator[Path]:
    """Write what is missing of ``count`` scenes; yields each file as it is done. Interrupted, it goes on there."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [s for s in range(FIRST_SEED, FIRST_SEED + count) if not scene_file(folder, s).exists()]
    jobs = [(folder, seed) for seed in missing]
    if workers <= 1:
        yield from map(_make, jobs)
        return
    with environment(ONE_THREAD), multiprocessing.get_context("spawn").Pool(min(workers, len(jobs) or 1)) as pool:
        yield from pool.imap_unordered(_make, jobs)


def _make(job: tuple[Path, int]) -> Path:
    """One scene's file; empty arrays where the scene shows nothing to learn from."""
    folder, seed = job
    scene, rng = labelled_scene(seed), np.random.default_rng([seed, 2])
    arrays: dict[str, np.ndarray] = {}
    if scene is not None and scene.from_above and scene.around:
        arrays |= {f"pictures.{name}": value for name, value in pictures(scene, rng).items()}
        arrays |= {f"volumes.{name}": value for name, value in volumes(scene, rng).items()}
    path = scene_file(folder, seed)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    os.replace(partial, path)  # noqa: PTH105
    return path
