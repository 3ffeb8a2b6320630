"""From processed sessions to training states on disk: every session its shard, made in parallel, made once."""

from __future__ import annotations

import multiprocessing
import signal
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from grasp_policy.demonstrations import calibration, fingerprint, gripper_pixels, read_approaches
from grasp_policy.shards import read_header, save_shard, shard_header
from grasp_policy.states import StatesConfig, TrainingState, training_states
from wildgrasp.errors import SessionError, UserError
from wildgrasp.one_core import ONE_THREAD, environment
from wildgrasp.sessions.session import Session


@dataclass(frozen=True)
class ShardReport:
    """What became of one session."""

    session: Path
    shard: Path | None  # None when it gave nothing
    states: int
    reason: str = ""  # why it gave nothing


def find_sessions(paths: Sequence[Path]) -> list[Path]:
    """Session folders among the given folders and one level inside them, sorted. Raises SessionError when there are
    none.
    """
    found: set[Path] = set()
    for path in map(Path, paths):
        folders = [path] if (path / "index.sqlite").is_file() else sorted(path.glob("*/"))
        found.update(f for f in folders if (f / "index.sqlite").is_file())
    if not found:
        named = ", ".join(map(str, paths)) or "nothing"
        raise SessionError(f"There is no session in {named}. Give session folders, or a folder that holds some.")
    return sorted(found)


def build_dataset(
    sessions: Sequence[Path],
    folder: Path,
    config: StatesConfig,
    workers: int = 1,
    progress: Callable[[ShardReport], None] = lambda report: None,
) -> list[ShardReport]:
    """Make the shards of all sessions in a folder; those that stand there already are kept. Reports in the sessions'
    order.

    A session that is unreadable, unprocessed or without a held grasp is reported with its reason, and the others go
    on. Interrupted, the same call goes on where it stopped: a shard appears when it is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    make = partial(make_shard, folder=folder, config=config)
    reports: dict[Path, ShardReport] = {}
    for report in _run(make, sessions, workers):
        reports[report.session] = report
        progress(report)
    return [reports[session] for session in sessions]


def make_shard(path: Path, folder: Path, config: StatesConfig) -> ShardReport:
    """The shard of one session, from disk when it is there already."""
    shard = folder / f"{path.name}-{zlib.crc32(str(path.resolve()).encode()):08x}.npz"
    try:
        with Session(path) as session:
            header = shard_header(path.name, fingerprint(session), asdict(config))
            standing = read_header(shard)
            if standing is not None and {**standing, "states": 0} == {**header, "states": 0}:
                return ShardReport(path, shard, standing["states"])
            states = list(session_states(session, config))
    except UserError as error:
        return ShardReport(path, None, 0, str(error))
    if not states:
        return ShardReport(path, None, 0, "it has no attempt that held an object and was tracked")
    save_shard(shard, {**header, "states": len(states)}, states, config.views)
    return ShardReport(path, shard, len(states))


def session_states(session: Session, config: StatesConfig) -> Iterator[TrainingState]:
    """Training states of all approaches in a processed session."""
    approaches = read_approaches(session)
    if not approaches:
        return
    ignore, T_camera_fingertip = gripper_pixels(session), calibration(session)
    for approach in approaches:
        yield from training_states(approach, session.frame, session.camera, T_camera_fingertip, ignore, config)


def _run(make: Callable[[Path], ShardReport], sessions: Sequence[Path], workers: int) -> Iterator[ShardReport]:
    if workers <= 1 or len(sessions) <= 1:
        yield from map(make, sessions)
        return
    with environment(ONE_THREAD):  # the sessions are the parallelism
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_parent
        )
        try:
            for done in as_completed([pool.submit(make, session) for session in sessions]):
                yield done.result()
        except BrokenProcessPool as error:
            raise SessionError(
                "A worker that made training states was ended, most likely because memory ran out. What was finished "
                "is kept; the same command goes on from there. Give it fewer workers."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
