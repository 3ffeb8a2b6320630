"""The verb ``upload``."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tyro
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from wildgrasp.commands import SESSIONS
from wildgrasp.errors import UserError
from wildgrasp.upload.queue import FAILED, QUEUE_NAME, UPLOADED, UploadItem, UploadQueue
from wildgrasp.upload.retention import deletable, delete_local
from wildgrasp.upload.target import DEFAULT_TARGET, load_target
from wildgrasp.upload.uploader import UploadConfig, Uploader


def upload(
    sessions: tyro.conf.Positional[tuple[Path, ...]] = (),
    target: Path = DEFAULT_TARGET,
    recordings: Path | None = None,
    limit_mbps: float = 0.0,
    list: tyro.conf.FlagCreatePairsOff[bool] = False,
    remove: tyro.conf.FlagCreatePairsOff[bool] = False,
    delete_uploaded: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> int:
    """Upload sessions to a lab's server. Without sessions: all that wait. It may be interrupted at any time and goes on
    where it was.

    Args:
        sessions: folders to upload.
        target: the file that the lab made for this device.
        recordings: the folder that holds the queue; default: the one the first session lies in, or sessions/.
        limit_mbps: leave room for others: at most so many Mbit/s; 0: as fast as it goes.
        list: show the queue and do nothing.
        remove: take the given sessions out of the queue; they stay here.
        delete_uploaded: ask whether to delete here what the server has, verified; upload nothing.
    """
    if limit_mbps < 0:
        raise UserError("--limit-mbps is at least 0.")
    folder = recordings or (sessions[0].resolve().parent if sessions else SESSIONS)
    queue = UploadQueue(folder / QUEUE_NAME)
    if remove:
        for session in sessions:
            queue.remove(session)
    elif delete_uploaded:
        _delete_uploaded(queue)
    elif not list:
        return _upload(queue, sessions, target, limit_mbps)
    Console().print(_table(queue.items()))
    return 0


def _upload(queue: UploadQueue, sessions: tuple[Path, ...], target: Path, limit_mbps: float) -> int:
    uploader = Uploader(queue, load_target(target), UploadConfig(limit_mbps=limit_mbps))
    for session in sessions:
        queue.add(session)
    queue.resume()
    with _interruptible() as stop, _bar(queue) as bar:
        uploader.run(stop, bar)
    items = queue.items()
    Console().print(_table(items))
    if stop.is_set():
        raise KeyboardInterrupt
    return 2 if any(item.state == FAILED for item in items) else 0


def _delete_uploaded(queue: UploadQueue) -> None:
    items = [item for item in queue.items() if deletable(item)]
    if not items:
        print("There is nothing here whose copy on the server is verified.")
        return
    print("The server has verified copies of:")
    for item in items:
        print(f"  {item.session}  ({decimal(item.bytes_total)}, uploaded {item.uploaded_at})")
    try:
        agreed = input("Delete them here? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        agreed = False
    if not agreed:
        print("Nothing was deleted.")
        return
    for item in items:
        try:
            delete_local(queue, item, agreed)
        except UserError as error:
            print(error)


def _table(items: list[UploadItem]) -> Table:
    table = Table("session", "state", "sent", "of", "")
    for item in items:
        note = item.problem or (item.uploaded_at or "" if item.state == UPLOADED else "")
        table.add_row(item.session.name, item.state, decimal(item.bytes_sent), decimal(item.bytes_total), note)
    return table


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C stops within a part; a second one at once, which loses nothing either."""
    stop = threading.Event()

    def handle(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _bar(queue: UploadQueue) -> Iterator:
    """A bar over all that waited at the start, with what the uploader waits for."""
    sizes = {item.session: item for item in queue.items() if item.state not in (UPLOADED, FAILED)}
    columns = (
        TextColumn("{task.description}"),
        *(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[problem]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Uploading", problem="")

        def show(item: UploadItem) -> None:
            sizes[item.session] = item
            progress.update(
                task,
                total=sum(known.bytes_total for known in sizes.values()),
                completed=sum(known.bytes_sent for known in sizes.values()),
                description=item.session.name,
                problem=item.problem,
            )

        yield show
