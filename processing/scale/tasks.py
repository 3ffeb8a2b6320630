"""One session as a task that any process on any machine can do: fetch it, process it, put back what was found."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from processing.pipeline import ProcessConfig, ProcessReport, pipeline_steps, process_session
from processing.scale.pool import News, news_of
from processing.scale.s3 import SCHEME, Prefix, Store, sha256
from processing.scale.s3_session import (
    FETCHED,
    Marker,
    copy_recording,
    deliver,
    etags,
    fetch,
    fetched,
    read_marker,
    recorded,
)
from processing.steps import Progress, fingerprint
from wildgrasp.errors import SessionError
from wildgrasp.sessions.layout import BLOB_FOLDER, DERIVED_BLOB, INDEX_FILES, INDEX_NAME, chunks

_PROGRESS_EVERY_S = 0.2
_SAFE_NAME = re.compile(r"\w[\w .:+@=,-]*")  # a folder of a bucket may be called anything; a folder here may not


@dataclass(frozen=True)
class Task:
    """A session to process. Places are folders or S3 prefixes, as text."""

    source: str
    target: str  # where the results go; the source itself unless told otherwise
    bytes: int  # recorded; how long it takes goes with it

    @property
    def name(self) -> str:
        return self.source.rstrip("/").rsplit("/", 1)[-1]


def find_tasks(places: Sequence[str], out: str | None = None) -> list[Task]:
    """The sessions among the places, and directly inside those that are none; each once, in order.

    With ``out``, each goes to a folder (or prefix) of its own name there. Raises SessionError for a place without a
    session, and where two sessions would go to the same place.
    """
    found: dict[str, int] = {}
    for place in places:
        inside = _in_bucket(place) if place.startswith(SCHEME) else _in_folder(Path(place))
        if not inside:
            raise SessionError(
                f"There is no session in {place}. Give what `capture`, `import`, `simulate` or `upload` wrote, or the "
                "folder (or prefix) that holds such sessions."
            )
        found |= inside
    tasks = [Task(source, _target(source, out), size) for source, size in found.items()]
    if len({t.target for t in tasks}) < len(tasks):
        raise SessionError(f"Two sessions have the same name and would go to one place in {out}. Do one at a time.")
    return tasks


def do_task(task: Task, config: ProcessConfig, scratch: Path, send: Callable[[News], None] = lambda news: None) -> News:
    """Do a task; whatever happens becomes news. ``send`` is told how it goes on, a few times a second."""
    told = 0.0

    def tell(step: str, fraction: float) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > _PROGRESS_EVERY_S:
            told = now
            send(News(task, "progress", step, fraction))

    return news_of(task, lambda task: run_task(task, config, scratch, tell))


def run_task(task: Task, config: ProcessConfig, scratch: Path, tell: Progress) -> ProcessReport:
    """Do it. Where the target is a bucket that has these results already, nothing is fetched.

    Raises SessionError; what was finished is kept, in the session's folder or in the scratch folder.
    """
    if not task.target.startswith(SCHEME):
        folder = Path(task.target)
        if task.source.startswith(SCHEME):
            fetch(Store(), Prefix.parse(task.source), folder)
        elif task.source != task.target:
            _copy_session(Path(task.source), folder)
        return process_session(folder, config, tell)
    store, target = Store(), Prefix.parse(task.target)
    made_from = _inputs(store, task.source)
    made_by = fingerprint(pipeline_steps(config))
    done = read_marker(store, target, store.list(target))
    if done is not None and (done.fingerprint, done.inputs) == (made_by, made_from):
        return replace(ProcessReport.from_json(done.report), seconds={})
    folder = _scratch_folder(scratch, task)
    if task.source.startswith(SCHEME):
        fetch(store, Prefix.parse(task.source), folder)
    else:
        _copy_session(Path(task.source), folder)
    if task.source != task.target:
        copy_recording(store, _place(task.source), target)
    report = process_session(folder, config, tell)
    written = deliver(store, folder, target, Marker(made_by, made_from, {}, report.as_json()))
    shutil.rmtree(folder, ignore_errors=True)
    return ProcessReport.from_json(written.report)


def _place(text: str) -> Prefix | Path:
    return Prefix.parse(text) if text.startswith(SCHEME) else Path(text)


def _in_folder(place: Path) -> dict[str, int]:
    inside = [place] if (place / INDEX_NAME).is_file() else sorted(p.parent for p in place.glob(f"*/{INDEX_NAME}"))
    return {str(path): sum(f.stat().st_size for f in (path / BLOB_FOLDER).glob("*.wgb")) for path in inside}


def _in_bucket(place: str) -> dict[str, int]:
    prefix = Prefix.parse(place)
    sizes: dict[str, int] = {}
    indexed = set()
    for name, file in Store().list(prefix).items():
        folder, _, path = name.partition("/")
        if name in recorded({name: file}):
            folder, path = "", name
        elif not _SAFE_NAME.fullmatch(folder):
            continue
        if path == INDEX_NAME:
            indexed.add(folder)
        if recorded({path: file}):
            sizes[folder] = sizes.get(folder, 0) + file.bytes
    if "" in indexed:
        return {str(prefix): sizes[""]}
    return {str(prefix / folder): sizes[folder] for folder in sorted(indexed)}


def _target(source: str, out: str | None) -> str:
    if out is None:
        return source
    name = source.rstrip("/").rsplit("/", 1)[-1]
    return str(Prefix.parse(out) / name) if out.startswith(SCHEME) else str(Path(out) / name)


def _inputs(store: Store, source: str) -> dict[str, str]:
    """What identifies a recording: ETags in a bucket, hashes in a folder."""
    place = _place(source)
    if isinstance(place, Prefix):
        return etags(recorded(store.list(place)))
    return {p.relative_to(place).as_posix(): sha256(p) for p in (*chunks(place), place / INDEX_NAME)}


def _copy_session(source: Path, folder: Path) -> None:
    """A recording to another folder, index last. Recorded chunks never change, so they are linked where that works."""
    made_from = {INDEX_NAME: sha256(source / INDEX_NAME)}
    if fetched(folder) == made_from and (folder / INDEX_NAME).is_file():
        return
    (folder / BLOB_FOLDER).mkdir(parents=True, exist_ok=True)
    for chunk in chunks(source):
        copy = folder / BLOB_FOLDER / chunk.name
        copy.unlink(missing_ok=True)
        try:
            os.link(chunk, copy)
        except OSError:
            shutil.copyfile(chunk, copy)
    (folder / FETCHED).write_text(json.dumps(made_from))
    for name in (f"{BLOB_FOLDER}/{DERIVED_BLOB}", *reversed(INDEX_FILES)):
        if (source / name).is_file():
            part = folder / f"{name}.part"
            shutil.copyfile(source / name, part)
            os.replace(part, folder / name)  # noqa: PTH105


def _scratch_folder(scratch: Path, task: Task) -> Path:
    """A folder of the task's own, the same each time, so that an interrupted one finds what it fetched."""
    digest = hashlib.sha256(json.dumps([task.source, task.target]).encode()).hexdigest()[:12]
    folder = scratch / f"{task.name}-{digest}"
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        text = f"{scratch} cannot be written ({error.strerror}). Give another folder by --scratch."
        raise SessionError(text) from error
    return folder


def default_scratch() -> Path:
    return Path(tempfile.gettempdir()) / f"wildgrasp-{os.getuid()}"
