"""Masks of held objects and of the gripper against the truth of simulated takes.

    python -m benchmarks.masks --clips 21 --seed 0 --json masks.json

object_iou: intersection over union with the object's pixels in the frame that the mask is of. boundary_f: F-score of
the outlines at a tolerance of 3 pixels (Perazzi et al. 2016). gripper_iou: of the session's gripper mask with the open
gripper's pixels; it is made too large on purpose, so gripper_covered says how much of the gripper it covers. The
threshold is the pipeline's own, the same for all takes.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.twin_takes import Take, TakeScene, find_masks, takes
from processing.mask_step import read_masks
from wildgrasp.sessions.session import Session

Mask = NDArray[np.bool_]
TOLERANCE_PX = 3


@dataclass(frozen=True)
class Row:
    """One attempt."""

    take: str
    attempt: int
    kind: str  # of object
    scene: str
    object_iou: float  # 0: none was found
    boundary_f: float
    gripper_iou: float
    gripper_covered: float
    mask_ms: float  # that the take's mask step took; nan: it was done before


def main(
    clips: int = 21,
    seed: int = 0,
    takes_folder: Path = Path("build/benchmark_takes"),
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write the figures.

    Args:
        clips: Simulated takes, each in its own home.
        seed: Of the takes.
        takes_folder: Where simulated takes are kept between runs.
        json: File for the figures.
    """
    cv2.setNumThreads(1)
    rows: list[Row] = []
    for take in takes(takes_folder, clips, seed):
        with Session(take.path) as session:
            done = find_masks(session)
        mask_ms = 1e3 * done.seconds if done.ran else np.nan
        rows += [replace(row, mask_ms=mask_ms) for row in _score(take)]
    figures = summary(rows)
    console = Console()
    console.print(_table(rows))
    console.print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    if json is not None:
        json.write_text(json_format.dumps({**figures, "rows": [asdict(r) for r in rows]}, indent=2) + "\n")


def summary(rows: list[Row]) -> dict[str, float]:
    """Medians over the attempts, and the worst object."""
    if not rows:
        return dict.fromkeys(("object_iou", "object_iou_worst", "boundary_f", "gripper_iou", "gripper_covered"), 0.0)
    medians = {name: float(np.median([getattr(r, name) for r in rows])) for name in ("object_iou", "boundary_f")}
    worst = {"object_iou_worst": min(r.object_iou for r in rows)}
    gripper = {name: float(np.median([getattr(r, name) for r in rows])) for name in ("gripper_iou", "gripper_covered")}
    return {**medians, **worst, **gripper}


def _table(rows: list[Row]) -> Table:
    table = Table(title="Masks of held objects (IoU, F-score of the outline) and of the gripper (IoU, share covered)")
    for heading in ("take", "object", "scene", "IoU", "outline", "gripper", "covered", "ms"):
        table.add_column(heading, no_wrap=True)
    for r in rows:
        shares = (r.object_iou, r.boundary_f, r.gripper_iou, r.gripper_covered)
        ms = "" if np.isnan(r.mask_ms) else f"{r.mask_ms:.0f}"
        name = f"{int(r.take[-6:])}.{r.attempt}"
        table.add_row(name, r.kind, r.scene, *(f"{x:.3f}" for x in shares), ms)
    return table


def _score(take: Take) -> Iterator[Row]:
    """Every attempt that lifted something and that processing knows."""
    with Session(take.path) as session:
        gripper, objects = read_masks(session)
        attempts = list(session.db.query("SELECT id, frame_grasp FROM attempts"))
    with TakeScene(take) as scene:
        shown_open = scene.gripper_mask(int(np.argmax(take.truth["opening_m"][: attempts[0]["frame_grasp"] + 1])))
        for attempt in attempts[: len(take.truth["attempt_object"])]:
            number, frame = attempt["id"] - 1, attempt["frame_grasp"]
            if number not in take.truth["mask_attempt"]:
                continue
            thing = int(take.truth["attempt_object"][number])
            truth = scene.object_mask(frame, thing)
            found = objects.get(attempt["id"], {}).get(frame, np.zeros_like(truth))
            kind = str(take.truth["object_kinds"][thing])
            covered = float(np.mean(gripper[shown_open]))
            scores = (iou(found, truth), boundary_f(found, truth), iou(gripper, shown_open), covered)
            yield Row(take.path.name, number, kind, take.scene, *scores, np.nan)


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union; 0 of two empty masks."""
    return float(np.sum(a & b) / max(np.sum(a | b), 1))


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
