"""Uploads what waits in a queue, one session after the other, until all is there or somebody says stop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import SessionError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.upload.contents import PART_BYTES, list_files, plan_file, same_recording
from wildgrasp.upload.errors import ServerGoneError, SessionRefusedError, SessionUploadError, TargetError
from wildgrasp.upload.ledger import Ledger
from wildgrasp.upload.pacing import Backoff, Pacer
from wildgrasp.upload.queue import FAILED, UPLOADED, UPLOADING, WAITING, UploadItem, UploadQueue
from wildgrasp.upload.store import ObjectStore
from wildgrasp.upload.target import UploadTarget
from wildgrasp.upload.transfer import transfer

PROGRESS_BYTES = 256 * 1024


@dataclass(frozen=True)
class UploadConfig:
    limit_mbps: float = 0.0  # Mbit/s; 0: as fast as it goes
    patience_s: float = 900.0  # how long a server may be gone before the run ends with an error
    timeout_s: float = 30.0  # of one answer
    part_bytes: int = PART_BYTES  # S3 wants at least 5 MiB


class Uploader:
    """Sends a queue's sessions to a target. All that must survive a cut is in the queue and on the server."""

    def __init__(
        self,
        queue: UploadQueue,
        target: UploadTarget,
        config: UploadConfig | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._queue = queue
        self._target = target
        self._config = config or UploadConfig()
        self._clock = clock or MonotonicClock()
        self._store = ObjectStore(target, self._config.timeout_s)
        self._pacer = Pacer(self._config.limit_mbps, self._clock)
        self._backoff = Backoff(self._clock, rng or random.Random())

    def run(self, stop: threading.Event, on_progress: Callable[[UploadItem], None] | None = None) -> None:
        """Upload until nothing waits any more, ``stop`` is set, or the queue is paused; the rest then goes on waiting.

        A stop takes effect within a part. A session that cannot be uploaded fails with its reason in the queue, and the
        next one follows. ``on_progress`` is called in this thread with the session at hand, several times per part.

        Raises QueueBusyError while somebody else uploads, and TargetError where nothing can be uploaded now (wrong key,
        no permission, no bucket, clock, server gone for longer than ``patience_s``); what waits keeps waiting.
        """
        with self._queue.locked():
            self._backoff.succeeded()
            while not self._stopped(stop) and (item := self._queue.claim_next()) is not None:
                run = _Run(self._queue, item, stop, self._pacer, on_progress)
                try:
                    self._upload(item.session, run)
                except _Stopped:
                    run.state(WAITING)
                    return
                except TargetError as error:
                    run.state(WAITING, str(error))
                    raise
                except (SessionUploadError, SessionError) as error:
                    run.state(FAILED, str(error))
                except BaseException:
                    run.state(WAITING)
                    raise

    def _stopped(self, stop: threading.Event) -> bool:
        return stop.is_set() or self._queue.paused

    def _upload(self, session: Path, run: _Run) -> None:
        run.refresh()
        ledger = Ledger(self._queue, session, self._target)
        if not self._arrived(session, ledger):
            self._plan(session, ledger, run)
            self._transfer(session, ledger, run)
        run.state(UPLOADED)

    def _arrived(self, session: Path, ledger: Ledger) -> bool:
        """Whether a cut came after the last answer, so that only the state was not noted."""
        files = ledger.files()
        if not ledger.planned or not all(file.checksum for file in files):
            return False
        sent = {file.path: sum(part.bytes for part in file.parts) for file in files if file.path is not None}
        return same_recording(dict(list_files(session)), sent)

    def _plan(self, session: Path, ledger: Ledger, run: _Run) -> None:
        """Look at the session as it is now. After a cut too: it may have changed since, and reading is quick."""
        report = check_session(session, progress=lambda _: run.check_stop())
        if report.status is not Status.GOOD:
            first = next(finding.text for finding in report.findings if finding.status is report.status)
            todo = (
                f"Run `wildgrasp repair {session}` and add it again."
                if report.status is Status.REPAIRABLE
                else "It stays here; show it to the lab."
            )
            raise SessionRefusedError(f"{session} is damaged and was not uploaded: {first} {todo}")
        files = [
            plan_file(session, path, self._config.part_bytes, lambda _: run.check_stop())
            for path, _ in list_files(session)
        ]
        ledger.plan(files)

    def _transfer(self, session: Path, ledger: Ledger, run: _Run) -> None:
        while True:
            try:
                for _ in transfer(session, ledger, self._store, run.sent):
                    # Only what has arrived is success: a line that lets requests through and no part must not be tried
                    # for ever, at the cost of the person's data volume.
                    if run.refresh():
                        self._backoff.succeeded()
                    if self._stopped(run.stop):
                        raise _Stopped
                return
            except ServerGoneError as error:
                run.check_stop()
                delay_s = self._backoff.failed()
                if self._backoff.failing_s > self._config.patience_s:
                    raise ServerGoneError(
                        f"{error} What was sent is kept. Check the network, then try again."
                    ) from None
                run.state(UPLOADING, f"{error} Trying again in {delay_s:.0f} s.")
                self._backoff.wait(delay_s, run.stop)
                if self._stopped(run.stop):
                    raise _Stopped from None


class _Stopped(Exception):  # noqa: N818 - no error
    """Somebody said stop."""


class _Run:
    """The session at hand, as its watcher sees it."""

    def __init__(
        self,
        queue: UploadQueue,
        item: UploadItem,
        stop: threading.Event,
        pacer: Pacer,
        on_progress: Callable[[UploadItem], None] | None,
    ) -> None:
        self.stop = stop
        self._queue = queue
        self._session = item.session
        self._pacer = pacer
        self._on_progress = on_progress or (lambda _: None)
        self._item = item
        self._in_flight = self._told = 0

    def state(self, state: str, problem: str = "") -> None:
        self._queue.set_state(self._session, state, problem)
        self._in_flight = self._told = 0
        self.refresh()

    def refresh(self) -> bool:
        """Tell what the queue knows now. Returns whether more has arrived, which ends any trouble there was."""
        item, before = self._queue.item(self._session), self._item.bytes_sent
        if item.bytes_sent != before:
            self._in_flight = self._told = 0
        arrived = item.bytes_sent > before
        if arrived and item.state == UPLOADING and item.problem:
            self._queue.set_state(self._session, UPLOADING)
            item = replace(item, problem="")
        self._item = item
        self._tell()
        return arrived

    def sent(self, amount: int) -> None:
        """Some bytes of a part are about to leave."""
        self.check_stop()
        self._pacer.pass_bytes(amount)
        self._in_flight += amount
        if self._in_flight - self._told >= PROGRESS_BYTES:
            self._told = self._in_flight
            self._tell()

    def _tell(self) -> None:
        self._on_progress(replace(self._item, bytes_sent=self._item.bytes_sent + self._in_flight))

    def check_stop(self) -> None:
        if self.stop.is_set():
            raise _Stopped
