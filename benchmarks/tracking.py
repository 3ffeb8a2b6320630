"""Tracking accuracy and speed against peers, on simulated takes with exact truth or on any 7-Scenes/TUM folder.

    python -m benchmarks.tracking --clips 20 --seed 0 --json tracking.json
    python -m benchmarks.tracking --sequence path/to/seq-01

All methods get the same frames with the same masks, one thread, decoding included. Peers (tracking_peers.py): OpenCV's
RGB-D odometry and the paper's method; Open3D's hybrid odometry and ORB-SLAM3 where they are installed.
"""

from __future__ import annotations

import json as json_format
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.tracking_peers import peers
from benchmarks.twin_takes import takes
from processing.accuracy import compare
from processing.ignored import readout_of, views
from processing.pipeline import ProcessConfig, process_session
from processing.session_steps import attempts_of, ignored_in_tracking
from processing.tracking.keyframe_tracker import TrackerConfig
from processing.tracking.methods import make_tracker
from processing.tracking.trajectory import Tracker, Trajectory, View
from wildgrasp.importers.seven_scenes import import_7scenes
from wildgrasp.importers.tum import import_tum
from wildgrasp.sessions.session import Session

OURS = "wildgrasp"
Make = Callable[[Session], Tracker]


@dataclass(frozen=True)
class Row:
    """One method on one clip at one stride."""

    method: str
    clip: str
    stride: int
    ate_mm: float
    rpe_mm: float
    rpe_deg: float
    lost_frames: int
    ms_per_frame: float  # of one core, decoding included


def main(
    clips: int = 20,
    seed: int = 0,
    strides: tuple[int, ...] = (1, 3),
    sequence: Path | None = None,
    takes_folder: Path = Path("build/benchmark_takes"),
    with_peers: bool = True,
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write the figures.

    Args:
        clips: Simulated takes, each in its own kitchen.
        seed: Of the takes.
        strides: Use every frame, every third …
        sequence: A 7-Scenes or TUM folder instead of simulated takes.
        takes_folder: Where simulated takes are kept between runs.
        with_peers: Also run the peers.
        json: File for the figures.
    """
    cv2.setNumThreads(1)
    methods: dict[str, Make] = {OURS: _ours}
    if with_peers:
        methods |= {name: (lambda session, make=make: make(session.camera)) for name, make in peers().items()}
    if sequence is not None:
        rows = list(_on_sequence(sequence, methods, strides))
    else:
        rows = list(_on_takes(clips, seed, takes_folder, methods, strides))
    figures = {name: _summary([r for r in rows if r.method == name]) for name in methods}
    _print(rows, methods, strides)
    if json is not None:
        found = {**figures.pop(OURS), "peers": figures, "rows": [vars(r) for r in rows]}
        json.write_text(json_format.dumps(found, indent=2) + "\n")


def _ours(session: Session) -> Tracker:
    return make_tracker(session.camera, TrackerConfig(), readout_of(session))


def _on_takes(clips: int, seed: int, folder: Path, methods: dict[str, Make], strides: Iterable[int]) -> Iterable[Row]:
    for take in takes(folder, clips, seed):
        process_session(take.path)
        yield from _on_session(take.path, take.T_world_camera(), methods, strides)


def _on_sequence(folder: Path, methods: dict[str, Make], strides: Iterable[int]) -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "session"
        (import_tum if (folder / "rgb.txt").is_file() else import_7scenes)(folder, path)
        with Session(path) as session:
            recorded = session.poses("recorded")
        yield from _on_session(path, recorded.T_world_camera, methods, strides)


def _on_session(path: Path, truth: NDArray, methods: dict[str, Make], strides: Iterable[int]) -> Iterable[Row]:
    config = ProcessConfig()
    with Session(path) as session:
        ignored = ignored_in_tracking(session, attempts_of(session, config.attempts), config.ignore)
        for stride in strides:
            frames = range(0, min(len(session), len(truth)), stride)
            for name, make in methods.items():
                start = time.process_time()
                trajectory = _Patient(make(session)).track(views(session, ignored, frames))
                ms = 1e3 * (time.process_time() - start) / len(frames)
                known = np.array([s != "lost" for s in trajectory.status])
                a = compare(trajectory.T_world_camera[known], truth[list(frames)][known])
                yield Row(name, path.name, stride, a.ate_mm, a.rpe_mm, a.rpe_deg, trajectory.lost_frames, ms)


@dataclass(frozen=True)
class _Patient:
    """Gives a method that finds nothing at all a trajectory that stands still, so that it has a figure."""

    tracker: Tracker

    def track(self, seen: Iterable[View]) -> Trajectory:
        t = self.tracker.track(seen)
        if t.lost_frames > len(t.status) - 3:
            n = len(t.status)
            return Trajectory(np.tile(np.eye(4), (n, 1, 1)), ["predicted"] * n, np.full(n, np.inf))
        return t


def _summary(rows: list[Row]) -> dict[str, float]:
    """Medians over clips and strides; lost frames and the worst clip in all."""
    median = {
        k: float(np.median([getattr(r, k) for r in rows])) for k in ("ate_mm", "rpe_mm", "rpe_deg", "ms_per_frame")
    }
    return {**median, "ate_mm_max": max(r.ate_mm for r in rows), "lost_frames": sum(r.lost_frames for r in rows)}


def _print(rows: list[Row], methods: Iterable[str], strides: Iterable[int]) -> None:
    table = Table(title="Tracking: median over clips (worst clip)")
    for heading in ("method", "stride", "ATE mm", "RPE mm", "RPE deg", "lost frames", "ms/frame"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name in methods:
        for stride in strides:
            own = [r for r in rows if r.method == name and r.stride == stride]
            s = _summary(own)
            table.add_row(
                name,
                str(stride),
                f"{s['ate_mm']:.2f} ({s['ate_mm_max']:.2f})",
                f"{s['rpe_mm']:.2f}",
                f"{s['rpe_deg']:.3f}",
                str(s["lost_frames"]),
                f"{s['ms_per_frame']:.1f}",
            )
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
