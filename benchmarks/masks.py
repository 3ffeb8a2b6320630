"""Masks of held objects against the truth of simulated takes.

    python -m benchmarks.masks --clips 20 --seed 0 --json masks.json

object_iou: intersection over union with the object's pixels at the grasp frame. boundary_f: F-score of the outlines at
a tolerance of 3 pixels (Perazzi et al. 2016). The threshold is the pipeline's own, the same for all takes.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.twin_takes import Take, takes
from processing.mask_step import read_masks
from processing.pipeline import process_session
from wildgrasp.sessions.session import Session

Mask = NDArray[np.bool_]
TOLERANCE_PX = 3


def main(
    clips: int = 20,
    seed: int = 0,
    takes_folder: Path = Path("build/benchmark_takes"),
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write the figures.

    Args:
        clips: Simulated takes, each in its own kitchen.
        seed: Of the takes.
        takes_folder: Where simulated takes are kept between runs.
        json: File for the figures.
    """
    rows = []
    for take in takes(takes_folder, clips, seed):
        process_session(take.path)
        rows += [(take.path.name, *scores) for scores in _score(take)]
    table = Table(title="Masks of held objects")
    for heading in ("take", "attempt", "IoU", "boundary F"):
        table.add_column(heading)
    for name, attempt, iou, f in rows:
        table.add_row(name, str(attempt), f"{iou:.3f}", f"{f:.3f}")
    figures = {
        "object_iou": float(np.median([r[2] for r in rows])) if rows else 0.0,
        "boundary_f": float(np.median([r[3] for r in rows])) if rows else 0.0,
    }
    console = Console()
    console.print(table)
    console.print(f"median IoU {figures['object_iou']:.3f}, boundary F {figures['boundary_f']:.3f}")
    if json is not None:
        json.write_text(json_format.dumps({**figures, "rows": rows}, indent=2) + "\n")


def _score(take: Take) -> Iterable[tuple[int, float, float]]:
    """(attempt, IoU, boundary F) of every attempt whose object's true pixels are known; 0 where none was found."""
    with Session(take.path) as session:
        _, objects = read_masks(session)
        frames = {r["id"]: r["frame_grasp"] for r in session.db.query("SELECT id, frame_grasp FROM attempts")}
    for attempt, truth in zip(take.truth["mask_attempt"].tolist(), take.truth["masks"], strict=True):
        found = objects.get(attempt + 1, {}).get(frames.get(attempt + 1), np.zeros_like(truth))
        yield attempt, float(np.sum(found & truth) / max(np.sum(found | truth), 1)), boundary_f(found, truth)


def boundary_f(found: Mask, truth: Mask) -> float:
    """Harmonic mean of how much of each outline lies within the tolerance of the other's."""
    a, b = _outline(found), _outline(truth)
    if not a.any() or not b.any():
        return 0.0
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TOLERANCE_PX + 1,) * 2)
    precision = np.mean(cv2.dilate(b, disc)[a > 0])
    recall = np.mean(cv2.dilate(a, disc)[b > 0])
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def _outline(mask: Mask) -> NDArray[np.uint8]:
    image = mask.astype(np.uint8)
    return image - cv2.erode(image, np.ones((3, 3), np.uint8))


if __name__ == "__main__":
    tyro.cli(main)
