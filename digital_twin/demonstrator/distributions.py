"""How simulated people move and what they grasp, over many takes, from the truth of each."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wildgrasp.geometry import Array, from_vector

Truth = dict[str, NDArray]
REACHING = "approach"


@dataclass(frozen=True)
class Distributions:
    """Of all attempts, one value each."""

    tilt_deg: Array  # of the approach from straight down
    heading_deg: Array  # of its horizontal part, 0 = along x
    width_m: Array  # between the fingers while they hold; only of attempts that held something
    speed_m_s: Array  # mean over the reach
    outcomes: Counter[str]


def distributions(truths: Sequence[Truth]) -> Distributions:
    """Collect from truth files as :func:`digital_twin.demonstrator.truth.load_truth` gives them."""
    T = from_vector(np.concatenate([t["attempt_T_world_fingertip"] for t in truths]))
    outcomes = np.concatenate([t["attempt_outcome"] for t in truths])
    approach = T[:, :3, 2]
    return Distributions(
        tilt_deg=np.rad2deg(np.arccos(np.clip(-approach[:, 2], -1, 1))),
        heading_deg=np.rad2deg(np.arctan2(approach[:, 1], approach[:, 0])),
        width_m=np.concatenate([t["attempt_width_m"] for t in truths])[outcomes != "empty"],
        speed_m_s=np.concatenate([_reach_speeds(t) for t in truths]),
        outcomes=Counter(outcomes.tolist()),
    )


def _reach_speeds(truth: Truth) -> Array:
    """Mean speed of the camera over each unbroken stretch of frames in which somebody reaches, m/s."""
    reaching = np.concatenate([[False], truth["phases"] == REACHING, [False]])
    starts, ends = (
        np.flatnonzero(np.diff(reaching.astype(int)) == 1),
        np.flatnonzero(np.diff(reaching.astype(int)) == -1),
    )
    positions, t_s = truth["T_world_camera"][:, :3], truth["t_ns"] * 1e-9
    speeds = []
    for start, end in zip(starts, ends, strict=True):
        if end - start > 2:
            path = np.linalg.norm(np.diff(positions[start:end], axis=0), axis=1).sum()
            speeds.append(path / (t_s[end - 1] - t_s[start]))
    return np.array(speeds)


def distributions_png(truths: Sequence[Truth]) -> bytes:
    """Histograms of approach directions, widths, speeds and outcomes as one PNG."""
    d = distributions(truths)
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    axes = figure.subplots(2, 3)
    _bars(axes[0, 0], d.tilt_deg, "approach from straight down, degrees", np.arange(0, 160, 10))
    _bars(
        axes[0, 1], d.heading_deg[d.tilt_deg > 15], "heading of slanted approaches, degrees", np.arange(-180, 181, 30)
    )
    _bars(axes[0, 2], d.width_m * 1e3, "width of what is held, mm", np.arange(0, 115, 10))
    _bars(axes[1, 0], d.speed_m_s, "mean speed of a reach, m/s", np.arange(0, 0.55, 0.05))
    names = [name for name, _ in d.outcomes.most_common()]
    axes[1, 1].bar(names, [d.outcomes[name] for name in names], color="#1769aa")
    axes[1, 1].set_xlabel("what came of it")
    kinds = Counter(str(t["object_kinds"][k]) for t in truths for k in t["attempt_object"]).most_common(14)
    axes[1, 2].barh([k for k, _ in kinds][::-1], [n for _, n in kinds][::-1], color="#1769aa")
    axes[1, 2].set_xlabel("kinds picked most, attempts")
    axes[1, 2].tick_params(axis="y", labelsize=7)
    figure.suptitle(f"{sum(d.outcomes.values())} attempts in {len(truths)} takes", fontsize=10)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _bars(axis, values: Array, label: str, edges: Array) -> None:
    axis.hist(values, edges, color="#1769aa", edgecolor="white")
    axis.set_xlabel(label)
