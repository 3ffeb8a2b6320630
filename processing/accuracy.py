"""How far a trajectory is from a reference: absolute and relative errors (Sturm et al. 2012)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from processing.tracking.alignment import rigid_fit
from wildgrasp.geometry import inverse, rotation_angle, transform
from wildgrasp.sessions.session import Poses

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Root mean squares, over the frames that both trajectories know."""

    ate_mm: float  # position error after the best rigid alignment
    rpe_mm: float  # error of the motion over `rpe_frames` frames
    rpe_deg: float
    rpe_frames: int
    frames: int  # compared
    lost_frames: int
    path_m: float  # length of the reference


def compare(estimate: Array, reference: Array, rpe_frames: int = 1, lost_frames: int = 0) -> Accuracy:
    """Errors of camera poses [N, 4, 4] against a reference [N, 4, 4]. Needs at least three frames (ValueError)."""
    n = len(reference)
    if n < 3 or len(estimate) != n:
        raise ValueError(f"cannot compare {len(estimate)} poses with {n}: three or more of each are needed")
    positions, truth = estimate[:, :3, 3], reference[:, :3, 3]
    aligned = transform(rigid_fit(positions, truth), positions)
    delta = min(rpe_frames, n - 1)
    moved, should = inverse(estimate[:-delta]) @ estimate[delta:], inverse(reference[:-delta]) @ reference[delta:]
    wrong = inverse(should) @ moved
    return Accuracy(
        ate_mm=1e3 * _rms(np.linalg.norm(aligned - truth, axis=1)),
        rpe_mm=1e3 * _rms(np.linalg.norm(wrong[:, :3, 3], axis=1)),
        rpe_deg=float(np.rad2deg(_rms(rotation_angle(wrong[:, :3, :3])))),
        rpe_frames=delta,
        frames=n,
        lost_frames=lost_frames,
        path_m=float(np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()),
    )


@dataclass(frozen=True)
class Honesty:
    """Whether stated standard deviations of positions are true."""

    sigma_ratio: float  # root mean square of error / standard deviation: 1 is honest, more is boasting
    within_1_sigma: float  # share of the frames; 0.61 to 0.68 is honest
    within_2_sigma: float  # 0.95 to 0.99


def honesty(estimate: Array, reference: Array, sigma_m: Array) -> Honesty | None:
    """Position errors of camera poses [N, 4, 4] after the best rigid alignment, in units of what the tracker states.

    None where it states nothing.
    """
    told = np.isfinite(sigma_m) & (sigma_m > 0)
    if told.sum() < 3:
        return None
    positions, truth = estimate[:, :3, 3], reference[:, :3, 3]
    wrong = np.linalg.norm(transform(rigid_fit(positions, truth), positions) - truth, axis=1)
    ratio = wrong[told] / sigma_m[told]
    return Honesty(_rms(ratio), float(np.mean(ratio < 1)), float(np.mean(ratio < 2)))


def compare_poses(estimate: Poses, reference: Poses, rpe_frames: int = 1) -> Accuracy | None:
    """Errors over the frames that are measured in both; None when these are fewer than three."""
    known = {int(i): T for i, T, s in zip(*_fields(estimate), strict=True) if s != "lost"}
    pairs = [(known[int(i)], T) for i, T, s in zip(*_fields(reference), strict=True) if s != "lost" and int(i) in known]
    if len(pairs) < 3:
        return None
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    return compare(a, b, rpe_frames, lost_frames=len(estimate.status) - len(known))


def accuracy_table(rows: dict[str, Accuracy]) -> Table:
    """Named accuracies as a table for the terminal."""
    table = Table(title="Accuracy against the recorded poses")
    for heading in ("", "ATE mm", "RPE mm", "RPE deg", "frames", "lost", "path m"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for name, a in rows.items():
        table.add_row(
            name,
            f"{a.ate_mm:.2f}",
            f"{a.rpe_mm:.2f}",
            f"{a.rpe_deg:.3f}",
            str(a.frames),
            str(a.lost_frames),
            f"{a.path_m:.2f}",
        )
    return table


def _fields(poses: Poses):
    return poses.frame_ids, poses.T_world_camera, poses.status


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
