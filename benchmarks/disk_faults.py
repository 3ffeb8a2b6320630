"""A disk that fails at the n-th write or sync, or the power that goes there: what becomes of the sessions?

The calls of a process are counted and made to fail by a small library (``disk_faults.c``) that is preloaded into it, so
that the recorder's own files and SQLite's are met alike. For every n: a recording, a repair or an edit runs into the
fault in a process of its own; then every session is checked, repaired where that is needed, and compared with what had
been accepted. Virtual time: 30 frames are one second.

    python -m benchmarks.disk_faults --every 1
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from ctypes import c_int64
from dataclasses import asdict, dataclass
from multiprocessing import RawValue
from pathlib import Path

import cv2
import numpy as np
import tyro
from rich.progress import track

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import SessionError, UserError
from wildgrasp.geometry import PinholeCamera
from wildgrasp.sessions import writer
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import GripperEvent
from wildgrasp.sessions.poses import Poses
from wildgrasp.sessions.recording import Recording
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session

SOURCE = Path(__file__).with_suffix(".c")
LIBRARY = "WILDGRASP_DISK_FAULTS"  # environment variable: the built library, in a process that has it preloaded
WRITES, SYNCS = 1, 2
KILL = 0
FAULTS = {
    "disk full": (WRITES, errno.ENOSPC),
    "sync fails": (SYNCS, errno.EIO),
    "killed": (WRITES | SYNCS, KILL),
}
FRAMES = 40
FPS = 30
INFO = CameraInfo("test", "1", "1", PinholeCamera(32, 24, 30.0, 30.0, 15.5, 11.5), 0.001, float(FPS))
TOLD, BUG = 3, 4  # exit codes of a process that met a fault


@dataclass
class Outcome:
    """What a number of faults cost."""

    faults: int = 0
    closed_sessions: int = 0
    closed_sessions_lost: int = 0
    accepted_frames_lost_max: int = 0  # frames that a recording had taken and that repair did not find
    power_cut_frames_lost_max: int = 0  # the same where only what was synced had reached the disk
    half_done: int = 0  # edits of which a part was found; repairs that could not be repeated
    bugs: int = 0  # errors that do not say what happened

    @property
    def seconds_lost_max(self) -> float:
        return max(self.accepted_frames_lost_max, self.power_cut_frames_lost_max) / FPS

    def add(self, other: Outcome) -> None:
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if name.endswith("_max") else mine + value)


# --- what runs into a fault ---


def record(folder: Path, accepted: c_int64) -> None:
    recording = Recording(folder / "open", INFO)
    for number in range(FRAMES):
        depth = np.random.default_rng(number).integers(400, 2000, (24, 32)).astype(np.uint16)
        depth[0, 0] = number
        recording.accept(RGBDFrame(np.zeros((24, 32, 3), np.uint8), depth, 0.001, round(number * 1e9 / FPS)))
        recording.add_event(GripperEvent(round(number * 1e9 / FPS), "press"))
        accepted.value = number + 1
    recording.close()


def repair(folder: Path, accepted: c_int64) -> None:
    repair_session(folder / "cut")


def edit(folder: Path, accepted: c_int64) -> None:
    with Session(folder / "closed") as session, session.edit() as change:
        ids, poses = np.arange(len(session)), np.repeat(np.eye(4)[None], len(session), axis=0)
        change.set_poses("tracking", Poses(ids, poses, ["ok"] * len(ids), np.zeros(len(ids))))
        for _ in range(3):
            ref = change.add_mask(np.eye(24, 32, dtype=bool))
            change.execute("INSERT INTO masks (kind, file, offset) VALUES ('object', ?, ?)", (ref.file, ref.offset))


# --- what is left of it ---


def after_record(folder: Path, code: int, accepted: int) -> Outcome:
    path = folder / "open"
    if not path.exists():
        return Outcome(accepted_frames_lost_max=accepted)
    synced = folder / "synced"
    shutil.copytree(path, synced)
    cut_to_what_was_synced(path, synced, folder / "log")
    at_once = code == 0  # closed: then nothing may be missing, whatever happens next
    return Outcome(
        accepted_frames_lost_max=accepted - frames_left(path, repairable=not at_once),
        power_cut_frames_lost_max=accepted - frames_left(synced, repairable=not at_once),
    )


def after_repair(folder: Path, code: int, accepted: int) -> Outcome:
    whole = frames_left(folder / "cut") == FRAMES
    return Outcome(half_done=int(not whole))


def after_edit(folder: Path, code: int, accepted: int) -> Outcome:
    with Session(folder / "closed") as session:
        poses = session.poses("tracking")
        found = (0 if poses is None else len(poses.frame_ids), session.db["masks"].count)
    return Outcome(half_done=int(found not in ((0, 0), (FRAMES, 3)) or (code == 0 and found == (0, 0))))


JOBS: dict[Callable, Callable] = {record: after_record, repair: after_repair, edit: after_edit}


def cut_to_what_was_synced(original: Path, copy: Path, log: Path) -> None:
    """As the power going leaves it: of every file what was synced."""
    lines = log.read_text().splitlines() if log.exists() else []
    sizes = {Path(path): int(size) for path, size in (line.rsplit(" ", 1) for line in lines)}
    for file in [file for file in copy.rglob("*") if file.is_file()]:
        size = sizes.get(original / file.relative_to(copy))
        if size is None:
            file.unlink()
        else:
            os.truncate(file, min(size, file.stat().st_size))


def frames_left(path: Path, repairable: bool = True) -> int:
    """Frames that are there after a repair, if one is needed and allowed; 0 where nothing can be read."""
    try:
        if repairable and check_session(path).status is not Status.GOOD:
            repair_session(path)
        if check_session(path, deep=True).status is not Status.GOOD:
            return 0
        with Session(path) as session:
            assert [frame.depth_raw[0, 0] for frame in session.frames()] == list(range(len(session)))
            return len(session)
    except SessionError:
        return 0


# --- the processes ---


class FaultyDisk:
    """Runs jobs in processes whose disk fails."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._library = ctypes.CDLL(os.environ[LIBRARY])
        self._library.faults_counted.restype = ctypes.c_long
        self._templates = root / "templates"
        writer.CHUNK_BYTES = 20_000  # so that a recording has several files
        nothing = RawValue(c_int64)
        record(self._templates, nothing)
        (self._templates / "open").rename(self._templates / "closed")
        record(self._templates, nothing)
        (self._templates / "open").rename(self._templates / "cut")
        (self._templates / "cut" / "index.sqlite").unlink()

    def count(self, job: Callable, kinds: int) -> int:
        """Calls of these kinds that a job makes when nothing fails."""
        return self._run(job, kinds, 0, errno.EIO)[2]

    def hit(self, job: Callable, kinds: int, number: int, error: int) -> Outcome:
        folder, code, _, accepted = self._run(job, kinds, number, error)
        outcome = Outcome(faults=1, closed_sessions=1, bugs=int(code not in (0, TOLD, -signal.SIGKILL)))
        outcome.add(JOBS[job](folder, code, accepted))
        outcome.closed_sessions_lost = int(check_session(folder / "closed", deep=True).status is not Status.GOOD)
        return outcome

    def _run(self, job: Callable, kinds: int, number: int, error: int) -> tuple[Path, int, int, int]:
        folder = self._root / "disk"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._templates, folder)
        accepted, counted = RawValue(c_int64), RawValue(c_int64)
        child = os.fork()
        if child == 0:
            self._child(job, folder, (kinds, number, error), accepted, counted)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return folder, code, counted.value, accepted.value

    def _child(self, job: Callable, folder: Path, fault: tuple, accepted: c_int64, counted: c_int64) -> None:
        code = BUG
        try:
            kinds, number, error = fault
            self._library.faults_arm(bytes(folder), kinds, ctypes.c_long(number), error, bytes(folder / "log"))
            job(folder, accepted)
            code = 0
        except UserError:
            code = TOLD
        finally:
            counted.value = self._library.faults_counted()
            os._exit(code)


def measure(every: int) -> Outcome:
    """Every ``every``-th fault of each kind, in each job. Runs in the process that has the library preloaded."""
    cv2.setNumThreads(1)  # no threads where processes fork
    total = Outcome()
    with tempfile.TemporaryDirectory(prefix="wildgrasp-faults-") as root:
        disk = FaultyDisk(Path(root))
        faults = [
            (job, kinds, number, error)
            for job in JOBS
            for kinds, error in FAULTS.values()
            for number in range(1, disk.count(job, kinds) + 2, every)
        ]
        for fault in track(faults, "Breaking", disable=not sys.stderr.isatty()):
            total.add(disk.hit(*fault))
    return total


def run(every: int = 1) -> Outcome:
    """Build the library and measure in a process that has it preloaded."""
    with tempfile.TemporaryDirectory(prefix="wildgrasp-faults-") as folder:
        library = Path(folder) / "disk_faults.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        command = [sys.executable, "-m", "benchmarks.disk_faults", "--every", str(every), "--inside"]
        preload = {**os.environ, "LD_PRELOAD": str(library), LIBRARY: str(library)}
        found = subprocess.run(command, env=preload, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(found.stdout.splitlines()[-1]))


def main(every: int = 1, inside: bool = False) -> None:
    """Let the disk fail everywhere.

    Args:
        every: take every n-th fault only.
        inside: in the process that has the library preloaded.
    """
    outcome = measure(every) if inside else run(every)
    if inside:
        print(json.dumps(asdict(outcome)))
    else:
        print("\n".join(f"{name:>28}  {value}" for name, value in vars(outcome).items()))


if __name__ == "__main__":
    tyro.cli(main)
