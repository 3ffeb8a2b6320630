"""``python -m digital_twin.baseline_training ggcnn|vgn``: weights of a learned baseline, from the twin's scenes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from digital_twin.baseline_training.data import FIRST_SEED, make_scenes, scene_file
from digital_twin.baseline_training.ggcnn_data import GgCnnBatches, fresh_network
from digital_twin.baseline_training.loop import train
from digital_twin.baseline_training.vgn_data import VgnBatches
from grasp_policy.baselines.vgn_network import Vgn
from grasp_policy.baselines.weights import load_weights
from grasp_policy.model_card import read_card
from wildgrasp.errors import UserError


def main(
    baseline: tyro.conf.Positional[Literal["ggcnn", "vgn"]],
    out: Path,
    data: Path = Path("baseline-data"),
    scenes: int = 200,
    steps: int = 1500,
    workers: int = 1,
    seed: int = 0,
    begin_with: Path | None = None,
) -> None:
    """Train a learned baseline on scenes of the twin's training objects. Interrupted, the same command goes on.

    Args:
        baseline: which.
        out: the weights, a .safetensors file.
        data: folder for the scenes; both baselines learn from the same.
        scenes: how many, each with 8 pictures and 3 volumes; half a megabyte and some seconds of one core each.
        steps: of training.
        workers: processes that make scenes.
        seed: of the first weights and of the batches.
        begin_with: weights that this command has made, to go on from with another seed's batches.
    """
    console = Console()
    with _bar(console) as bar:
        there = sum(scene_file(data, s).exists() for s in range(FIRST_SEED, FIRST_SEED + scenes))
        task = bar.add_task("scenes", total=scenes, completed=there, note="")
        for _ in make_scenes(data, scenes, workers):
            bar.advance(task)
        learned = _read(data, scenes, "pictures" if baseline == "ggcnn" else "volumes")
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        if baseline == "ggcnn":
            network, batches, rate = fresh_network(), GgCnnBatches(learned), 2e-3
        else:
            network, batches, rate = Vgn(), VgnBatches(learned), 1e-3
        if begin_with is not None:
            load_weights(network, begin_with)
            network.train()
        card = {"objects": "the twin's training family, tabletop", "scenes": len(learned), "samples": len(batches)}
        card |= {} if begin_with is None else {"began_with": read_card(begin_with)[0]}
        task = bar.add_task("training", total=steps, note="")
        loss = train(
            network, batches.loss, steps, rate, seed, out, card,
            lambda step, loss: bar.update(task, completed=step, note=f"loss {loss:.4f}"),
        )  # fmt: skip
    console.print(f"{out}: {steps} steps on {len(batches)} samples of {len(learned)} scenes, loss {loss:.4f}.")


def _read(folder: Path, count: int, part: str) -> list[dict[str, np.ndarray]]:
    """One of the two kinds of arrays of those scenes that have any."""
    found = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        with np.load(scene_file(folder, seed), allow_pickle=False) as arrays:
            names = [name for name in arrays.files if name.startswith(part)]
            if names:
                found.append({name.removeprefix(f"{part}."): arrays[name] for name in names})
    return found


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console,
    )  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("LP_NUM_THREADS", "1")  # one process per core: threads would only fight over it
    try:
        tyro.cli(main)
    except UserError as error:
        sys.exit(str(error))
