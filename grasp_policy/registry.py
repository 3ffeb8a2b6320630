"""Policies by name: baselines, and trained checkpoints by path."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from grasp_policy.baselines import Heuristic, RandomPolicy, StraightDown
from grasp_policy.baselines.learned import LEARNED, learned_baseline
from grasp_policy.policy import Policy
from grasp_policy.scene.tsdf import Volume
from wildgrasp.errors import CheckpointError

if TYPE_CHECKING:
    from grasp_policy.inference import Evaluator

BASELINES = ("random", "straight-down", "heuristic", *LEARNED)


def make_policy(
    name_or_checkpoint: str,
    workspace: Volume | Sequence[float] | None = None,
    seed: int = 0,
    weights: Path | None = None,
) -> Policy:
    """A baseline by name, or the policy of a checkpoint by path, as in ``first.safetensors``.

    What runs the network is chosen by what works on this machine, or said behind the path, as in
    ``first.safetensors@torch`` (see ``grasp_policy.inference.RUNTIMES``); with a CUDA device, it fuses and renders too.
    ``workspace``: the volume to fuse in the base frame, or the point [3] in the middle of the table to put the default
    one over; without it, the volume is put around what the first image shows. ``weights``: a file for a learned
    baseline, instead of what comes with it. Raises CheckpointError.
    """
    volume = workspace if isinstance(workspace, Volume) or workspace is None else _volume_over(workspace)
    if weights is not None and name_or_checkpoint not in LEARNED:
        raise CheckpointError(
            f"{name_or_checkpoint!r} takes no weights from a file; {' and '.join(LEARNED)} do. Leave --weights out."
        )
    if name_or_checkpoint in LEARNED:
        return learned_baseline(name_or_checkpoint, weights, volume)
    if name_or_checkpoint == "random":
        return RandomPolicy(volume, seed)
    if name_or_checkpoint == "straight-down":
        return StraightDown(volume)
    if name_or_checkpoint == "heuristic":
        return Heuristic(volume, seed)
    return _trained(name_or_checkpoint, volume)


def _volume_over(table_center: Sequence[float]) -> Volume:
    """0.8 × 0.8 × 0.6 m, most of it above the table; a little below, for tables that are not where one thinks."""
    x, y, z = table_center
    return Volume.around((x, y, z + 0.25), (0.8, 0.8, 0.6))


def _trained(name: str, volume: Volume | None) -> Policy:
    path, runtime = (name, "auto") if Path(name).exists() else _split(name)
    if not Path(path).exists():
        raise CheckpointError(
            f"There is no policy {path!r}. Give the path of a checkpoint that `wildgrasp train` wrote, "
            f"or one of {', '.join(BASELINES)}."
        )
    from grasp_policy.actions import PRESETS  # torch loads with the evaluator: seconds that baselines need not wait
    from grasp_policy.q_policy import QPolicy

    evaluator, cuda = _evaluator(path, Path(path).stat().st_mtime_ns, runtime)
    if evaluator.actions not in PRESETS:
        raise CheckpointError(
            f"{path} was trained on the action preset {evaluator.actions!r}, which this version does not know "
            f"(it knows {', '.join(PRESETS)}). Train it again, or use the version that wrote it."
        )
    return QPolicy(evaluator, PRESETS[evaluator.actions], workspace=volume, device="cuda" if cuda else "cpu")


def _split(name: str) -> tuple[str, str]:
    path, at, runtime = name.rpartition("@")
    return (path, runtime) if at else (name, "auto")


@lru_cache(maxsize=1)
def _evaluator(path: str, mtime_ns: int, runtime: str) -> tuple[Evaluator, bool]:
    """The evaluator and whether it is on a CUDA device; kept, since many episodes in a row use the same."""
    from grasp_policy.inference import load_evaluator
    from grasp_policy.inference.runtimes import choose

    chosen = choose(runtime)
    return load_evaluator(Path(path), chosen), chosen == "torch-cuda"
