"""How much does a killed recorder lose?

A child process records one session after the other through the real :class:`Recorder`, with a camera at 30 frames per
second, on a machine that is busy besides; it is killed with SIGKILL at a random moment, again and again. After each
kill every session is checked, repaired where that is needed, and compared with what the camera had delivered. Then the
disk fails at every write and every sync, and the power there too (``disk_faults.py``).

    python -m benchmarks.crash --kills 200 --json crash.json
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int64
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.progress import track

from benchmarks import disk_faults
from benchmarks.clip import INFO, clip
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import SessionError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session

JsonFile = Annotated[Path | None, tyro.conf.arg(name="json")]

FRAME_NS = 33_333_333


@dataclass
class Outcome:
    """What a number of kills cost."""

    kills: int = 0
    closed_sessions: int = 0
    closed_sessions_lost: int = 0
    open_sessions: int = 0
    open_frames_lost: int = 0
    open_seconds_lost_max: float = 0.0


class TickingCamera:
    """Thirty frames per second on the host's clock; says in shared memory when it began and what it delivered last."""

    def __init__(self, frames: list[RGBDFrame], delivered: Any, clock: Clock) -> None:
        self._frames = frames
        self._delivered = delivered
        self._clock = clock
        self._next = 0

    def open(self) -> CameraInfo:
        self._start_ns = self._delivered[0] = self._clock.now_ns()
        return INFO

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        t_ns = self._start_ns + self._next * FRAME_NS
        self._clock.sleep_until_ns(t_ns)
        shown = self._frames[self._next % len(self._frames)]
        self._next += 1
        self._delivered[1] = t_ns
        return RGBDFrame(shown.color, shown.depth_raw, shown.depth_scale, t_ns, t_ns)

    def close(self) -> None:
        pass


def record_for_ever(folder: Path, frames: list[RGBDFrame], seconds: float, delivered: Any, closed: Any) -> None:
    """Record sessions of a few seconds; ``closed`` counts those whose stop() had returned."""
    number = 0
    while True:
        delivered[1] = 0
        recorder = Recorder(TickingCamera(frames, delivered, MonotonicClock()), None, folder / f"{number:03d}")
        recorder.start()
        threading.Event().wait(seconds)
        recorder.stop()
        number += 1
        closed.value = number


def kill_once(folder: Path, frames: list[RGBDFrame], rng: random.Random, outcome: Outcome) -> None:
    context = multiprocessing.get_context("fork")
    delivered, closed = context.Array(c_int64, 2, lock=False), context.Value(c_int64, 0, lock=False)
    seconds = rng.uniform(0.1, 0.8)
    child = context.Process(target=record_for_ever, args=(folder, frames, seconds, delivered, closed), daemon=True)
    child.start()
    child.join(rng.uniform(0.05, 1.6))
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    outcome.kills += 1
    for number, session in enumerate(sorted(folder.iterdir())):
        if number < closed.value:
            outcome.closed_sessions += 1
            outcome.closed_sessions_lost += check_session(session, deep=True).status is not Status.GOOD
        elif delivered[1]:
            outcome.open_sessions += 1
            lost_s = (delivered[1] - last_kept_ns(session, delivered[0])) * 1e-9
            outcome.open_frames_lost += round(lost_s * 30)
            outcome.open_seconds_lost_max = max(outcome.open_seconds_lost_max, lost_s)


def last_kept_ns(session: Path, start_ns: int) -> int:
    """Time of the last frame that can be read after repair; without any, one frame before the start."""
    try:
        if check_session(session).status is not Status.GOOD:
            repair_session(session)
        if check_session(session, deep=True).status is not Status.GOOD:
            raise SessionError(f"{session} is not good after repair.")
        with Session(session) as opened:
            return int(opened.times_ns[-1]) if len(opened) else start_ns - FRAME_NS
    except SessionError as error:
        print(f"lost: {error}")
        return start_ns - FRAME_NS


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other work on the machine: processes that each want a whole core."""
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_keep_busy, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _keep_busy() -> None:
    while True:
        sum(range(100_000))


def main(
    kills: int = 200,
    load: int = os.cpu_count() or 1,
    every: int = 1,
    seed: int = 0,
    json_file: JsonFile = None,
    folder: Path | None = None,
) -> Outcome:
    """Kill a recorder again and again.

    Args:
        kills: how often.
        load: processes that each want a whole core beside the recorder.
        every: take every n-th fault of the disk only.
        json_file: where to write the figures.
        folder: where to record; default: a temporary folder.
    """
    rng, frames, outcome = random.Random(seed), clip(10), Outcome()
    root = Path(tempfile.mkdtemp(prefix="wildgrasp-crash-", dir=folder))
    try:
        with busy(load):
            for number in track(range(kills), "Killing"):
                place = root / f"{number:04d}"
                place.mkdir()
                kill_once(place, frames, rng, outcome)
                shutil.rmtree(place)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    faults = disk_faults.run(every)
    for title, found in (("killed at random", outcome), ("faults of the disk", faults)):
        print(title)
        for name, value in vars(found).items():
            print(f"{name:>28}  {np.round(value, 3)}")
    outcome.closed_sessions_lost += faults.closed_sessions_lost
    outcome.open_seconds_lost_max = max(outcome.open_seconds_lost_max, faults.seconds_lost_max)
    if json_file is not None:
        keys = ("kills", "closed_sessions_lost", "open_seconds_lost_max")
        json_file.write_text(json.dumps({key: getattr(outcome, key) for key in keys}, indent=2))
    return outcome


if __name__ == "__main__":
    tyro.cli(main)
