"""Tracking accuracy and speed against peers, on simulated takes with exact truth or on any 7-Scenes/TUM folder.

    python -m benchmarks.tracking --clips 21 --seed 0 --json tracking.json
    python -m benchmarks.tracking --sequence path/to/seq-01

All methods get the same frames with the same masks, one thread, decoding included. Peers (tracking_peers.py): OpenCV's
RGB-D odometry and the paper's method; Open3D's hybrid odometry and ORB-SLAM3 where they are installed. What peers
reached is kept beside the takes, so that an interrupted run goes on and a later one does not wait for them again.
"""

from __future__ import annotations

import json as json_format
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.tracking_peers import peers
from benchmarks.twin_takes import find_masks, takes
from processing.accuracy import compare, honesty
from processing.ignored import readout_of, views
from processing.pipeline import ProcessConfig
from processing.session_steps import attempts_of, ignored_in_tracking
from processing.tracking.keyframe_tracker import TrackerConfig
from processing.tracking.methods import make_tracker
from processing.tracking.trajectory import Tracker, View
from wildgrasp.importers.seven_scenes import import_7scenes
from wildgrasp.importers.tum import import_tum
from wildgrasp.sessions.session import Session

OURS = "wildgrasp"
FIGURES = ("ATE mm", "RPE mm", "lost", "ms/frame", "error/σ", "in 2σ")
HONESTY = ("sigma_ratio", "within_1_sigma", "within_2_sigma")
Make = Callable[[Session], Tracker]


@dataclass(frozen=True)
class Row:
    """One method on one clip at one stride."""

    method: str
    clip: str
    scene: str
    stride: int
    ate_mm: float
    rpe_mm: float
    rpe_deg: float
    lost_frames: int
    ms_per_frame: float  # of one core, decoding included
    frames: int  # that it was given: fewer than there are where its time was up
    sigma_ratio: float | None = None  # root mean square of error / stated standard deviation; 1 is honest
    within_1_sigma: float | None = None  # share of the frames
    within_2_sigma: float | None = None


def main(
    clips: int = 21,
    seed: int = 0,
    strides: tuple[int, ...] = (1, 3),
    sequence: Path | None = None,
    takes_folder: Path = Path("build/benchmark_takes"),
    with_peers: bool = True,
    peer_seconds: float = 60.0,
    vocabulary: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write the figures.

    Args:
        clips: Simulated takes, each in its own home.
        seed: Of the takes.
        strides: Use every frame, every third …
        sequence: A 7-Scenes or TUM folder instead of simulated takes.
        takes_folder: Where simulated takes are kept between runs.
        with_peers: Also run the peers.
        peer_seconds: CPU time of a peer per clip and stride; then it gets no more frames.
        vocabulary: ORB-SLAM3's, which its package does not bring: ORBvoc.txt, or what benchmarks.orb_vocabulary makes.
        json: File for the figures.
    """
    cv2.setNumThreads(1)
    methods: dict[str, Make] = {OURS: _ours}
    if with_peers:
        found, missing = peers(vocabulary)
        methods |= {name: (lambda session, make=make: make(session.camera)) for name, make in found.items()}
        for name, why in missing.items():
            Console(stderr=True).print(f"left out: {name}: {why}")
    race = _Race(methods, strides, peer_seconds, takes_folder / "peers.jsonl")
    rows = list(_on_takes(clips, seed, takes_folder, race) if sequence is None else _on_sequence(sequence, race))
    figures = {name: _summary([r for r in rows if r.method == name]) for name in methods}
    _print(rows, methods, strides)
    if json is not None:
        found = {**figures.pop(OURS), "peers": figures, "rows": [vars(r) for r in rows]}
        json.write_text(json_format.dumps(found, indent=2) + "\n")


def _ours(session: Session) -> Tracker:
    return make_tracker(session.camera, TrackerConfig(), readout_of(session))


@dataclass(frozen=True)
class _Race:
    """Who runs, on which frames, for how long; what peers reached before is read from a file."""

    methods: dict[str, Make]
    strides: tuple[int, ...]
    peer_seconds: float
    kept: Path

    def run(self, session: Session, clip: str, scene: str, truth: NDArray) -> Iterator[Row]:
        config = ProcessConfig()
        ignored = ignored_in_tracking(session, attempts_of(session, config.attempts), config.ignore)
        for stride in self.strides:
            frames = range(0, min(len(session), len(truth)), stride)
            for name, make in self.methods.items():
                row = None if name == OURS else self._known(name, clip, stride)
                if row is None:
                    seen = views(session, ignored, frames)
                    figures = _measure(make(session), seen, truth[list(frames)], self._seconds(name))
                    row = Row(name, clip, scene, stride, **figures)
                    if name != OURS:
                        self._keep(row)
                yield row

    def _seconds(self, name: str) -> float:
        return np.inf if name == OURS else self.peer_seconds

    def _known(self, name: str, clip: str, stride: int) -> Row | None:
        lines = self.kept.read_text().splitlines() if self.kept.exists() else []
        rows = (Row(**json_format.loads(line)) for line in lines)
        return next((r for r in rows if (r.method, r.clip, r.stride) == (name, clip, stride)), None)

    def _keep(self, row: Row) -> None:
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        with self.kept.open("a") as file:
            file.write(json_format.dumps(vars(row)) + "\n")


def _on_takes(clips: int, seed: int, folder: Path, race: _Race) -> Iterator[Row]:
    for take in takes(folder, clips, seed):
        with Session(take.path) as session:
            find_masks(session)
            yield from race.run(session, take.path.name, take.scene, take.T_world_camera())


def _on_sequence(folder: Path, race: _Race) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "session"
        (import_tum if (folder / "rgb.txt").is_file() else import_7scenes)(folder, path)
        with Session(path) as session:
            yield from race.run(session, folder.resolve().name, "recorded", session.poses("recorded").T_world_camera)


def _measure(tracker: Tracker, seen: Iterable[View], truth: NDArray, seconds: float) -> dict[str, float]:
    """A row's figures; the tracker gets no more frames after so much CPU time."""
    start = time.process_time()
    given: list[None] = []
    trajectory = tracker.track(_until(seen, start + seconds, given))
    ms = 1e3 * (time.process_time() - start) / len(given)
    n, lost = len(given), trajectory.lost_frames
    known = np.array([s != "lost" for s in trajectory.status])
    T, sigma, truth = trajectory.T_world_camera, trajectory.sigma_m, truth[:n]
    if lost > n - 3:  # a method that finds nothing at all stands still, so that it has a figure
        T, known = np.tile(np.eye(4), (n, 1, 1)), np.ones(n, bool)
    a = compare(T[known], truth[known])
    honest = honesty(T[known], truth[known], sigma[known])
    figures = {"ate_mm": a.ate_mm, "rpe_mm": a.rpe_mm, "rpe_deg": a.rpe_deg}
    return {**figures, "lost_frames": lost, "ms_per_frame": ms, "frames": n, **(vars(honest) if honest else {})}


def _until(seen: Iterable[View], deadline: float, given: list[None]) -> Iterator[View]:
    """Frames until the process has used so much CPU time."""
    for view in seen:
        given.append(None)
        yield view
        if time.process_time() > deadline:
            return


def _summary(rows: list[Row]) -> dict[str, float]:
    """Medians over clips and strides; lost frames and the worst clip in all."""
    median = {
        k: float(np.median([getattr(r, k) for r in rows])) for k in ("ate_mm", "rpe_mm", "rpe_deg", "ms_per_frame")
    }
    told = {k: [v for r in rows if (v := getattr(r, k)) is not None] for k in HONESTY}
    return {
        **median,
        "ate_mm_max": max(r.ate_mm for r in rows),
        "lost_frames": sum(r.lost_frames for r in rows),
        "frames": sum(r.frames for r in rows),
        **{k: float(np.median(v)) for k, v in told.items() if v},
    }


def _print(rows: list[Row], methods: Iterable[str], strides: Iterable[int]) -> None:
    methods, strides = list(methods), list(strides)
    total = _new_table("Tracking: median over clips (worst clip)", "method", "stride", *FIGURES)
    scenes = _new_table("ATE mm: median over clips (worst clip)", "scene", "stride", *methods)
    for method in methods:
        for stride in strides:
            own = [r for r in rows if r.method == method and r.stride == stride]
            s = _summary(own)
            told = (f"{s[k]:.2f}" if k in s else "–" for k in ("sigma_ratio", "within_2_sigma"))
            lost, ms = f"{s['lost_frames']}/{s['frames']}", f"{s['ms_per_frame']:.0f}"
            total.add_row(method, str(stride), _ate(own), f"{s['rpe_mm']:.2f}", lost, ms, *told)
    for scene in dict.fromkeys(r.scene for r in rows):
        for stride in strides:
            there = [r for r in rows if r.scene == scene and r.stride == stride]
            scenes.add_row(scene, str(stride), *(_ate([r for r in there if r.method == m]) for m in methods))
    Console().print(total)
    Console().print(scenes)


def _new_table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading == headings[0] else "right", no_wrap=True)
    return table


def _ate(rows: list[Row]) -> str:
    values = [r.ate_mm for r in rows]
    return f"{np.median(values):.2f} ({max(values):.2f})"


if __name__ == "__main__":
    tyro.cli(main)
