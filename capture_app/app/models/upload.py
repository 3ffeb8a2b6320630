"""Upload: what waits, how far it is, and when it may run. The uploading itself is `wildgrasp.upload`'s."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from capture_app.app.library import folder_bytes
from capture_app.app.models.services import Services
from capture_app.app.monitor import Snapshot
from wildgrasp.errors import UserError
from wildgrasp.qt.viewmodel import ViewModel
from wildgrasp.upload.queue import UPLOADED, UPLOADING, UploadItem
from wildgrasp.upload.retention import deletable, delete_local
from wildgrasp.upload.target import load_target
from wildgrasp.upload.uploader import UploadConfig, Uploader

READ_S = 0.5  # between two looks at the queue
RATE_WINDOW_S = 20.0
TRY_AGAIN_S = 30.0  # after the uploader gave up


@dataclass(frozen=True)
class UploadRow:
    path: Path
    state: str  # waiting | uploading | uploaded | failed
    fraction: float
    megabytes: float
    here: bool  # still on this device


@dataclass(frozen=True)
class UploadState:
    rows: tuple[UploadRow, ...] = ()
    paused: bool = False
    wifi_only: bool = True
    charger_only: bool = False
    held_by: str = ""  # what uploading waits for: target | recording | paused | offline | wifi | charger | server
    problem: str = ""  # of the server, in its own words
    running: bool = False
    remaining_s: float | None = None
    safe_bytes: int = 0  # what may be deleted here
    freeing: bool = False

    @property
    def waiting(self) -> int:
        return sum(row.state != UPLOADED for row in self.rows)


def held_by(state: UploadState, now: Snapshot, recording: bool, target: bool) -> str:
    """Why nothing may be uploaded now; "" when it may."""
    reasons = {
        "recording": recording,
        "paused": state.paused,
        "target": not target,
        "offline": not now.network.online,
        "wifi": state.wifi_only and not now.network.wifi,
        "charger": state.charger_only and not now.power.charging,
    }
    return next((reason for reason, true in reasons.items() if true), "")


class UploadModel(ViewModel):
    """Uploads in the background whenever it may; :meth:`look` a few times a second."""

    failed = Signal(str)

    def __init__(
        self, services: Services, target_file: Path, config: UploadConfig | None = None, parent: QObject | None = None
    ) -> None:
        settings = services.settings.value
        super().__init__(
            UploadState(wifi_only=settings.upload_wifi_only, charger_only=settings.upload_charger_only), parent
        )
        self._services = services
        self._target_file = target_file
        self._config = config or UploadConfig()
        self._target = None
        self._current: UploadItem | None = None  # told by the uploader's thread, as is …
        self._last_problem = ""  # … why the server is waited for
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._try_again_s = self._read_s = 0.0
        self._reading = False
        self._sent: deque[tuple[float, int]] = deque()

    # --- what the person does ---

    @Slot()
    def toggle_pause(self) -> None:
        paused = not self.state.paused
        queue = self._services.queue
        self._try_again_s = 0.0
        self._update(paused=paused, problem="")
        self._services.background.run(queue.pause if paused else queue.resume, failed=self._on_failed)

    @Slot(bool)
    def set_wifi_only(self, only: bool) -> None:
        self._services.settings.change(upload_wifi_only=only)
        self._update(wifi_only=only)

    @Slot(bool)
    def set_charger_only(self, only: bool) -> None:
        self._services.settings.change(upload_charger_only=only)
        self._update(charger_only=only)

    @Slot()
    def free_space(self) -> None:
        """The person agreed: delete here what the server has whole."""
        queue = self._services.queue

        def delete() -> None:
            for item in queue.items():
                if deletable(item):
                    delete_local(queue, item, agreed=True)

        self._update(freeing=True)
        self._services.background.run(delete, lambda _: self._on_freed(), self._on_failed)

    # --- running ---

    def look(self, recording: bool) -> None:
        """Read the queue, and start or stop uploading as the conditions are now."""
        now_s = time.monotonic()
        if now_s >= self._read_s and not self._reading and not recording:
            self._reading, self._read_s = True, now_s + READ_S
            self._services.background.run(self._read, self._on_read, self._on_failed)
        held = held_by(self.state, self._services.monitor.snapshot, recording, self._target is not None)
        running = self._thread is not None and self._thread.is_alive()
        if running and held:
            self._stop.set()
        elif not running and not held and self.state.waiting and now_s >= self._try_again_s:
            self._start()
        self._follow(now_s)
        server = "server" if self.state.problem else ""
        self._update(held_by=held or server, running=running and not held)

    def stop(self) -> None:
        """End within a part; what is left goes on the next time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        self._stop = threading.Event()
        self._sent.clear()
        uploader = Uploader(self._services.queue, self._target, self._config)
        self._thread = threading.Thread(target=self._upload, args=(uploader, self._stop), name="uploader", daemon=True)
        self._thread.start()

    def _upload(self, uploader: Uploader, stop: threading.Event) -> None:
        try:
            uploader.run(stop, self._on_progress)
            self._last_problem = ""
        except UserError as error:
            self._try_again_s = time.monotonic() + TRY_AGAIN_S
            self._last_problem = str(error)
        finally:
            self._current = None

    def _on_progress(self, item: UploadItem) -> None:
        self._current = item
        self._last_problem = item.problem if item.state == UPLOADING else ""

    def _follow(self, now_s: float) -> None:
        """What the uploader told since."""
        item = self._current
        rows = self.state.rows
        if item is not None:
            rows = tuple(_row(item, row.here) if row.path == item.session else row for row in rows)
        sent = sum(round(row.fraction * row.megabytes * 1e6) for row in rows)
        self._sent.append((now_s, sent))
        while now_s - self._sent[0][0] > RATE_WINDOW_S:
            self._sent.popleft()
        left = sum((1 - row.fraction) * row.megabytes * 1e6 for row in rows if row.state != UPLOADED)
        rate = (sent - self._sent[0][1]) / max(now_s - self._sent[0][0], 1e-3)
        remaining_s = left / rate if rate > 0 and now_s - self._sent[0][0] > 2 else None
        self._update(rows=rows, problem=self._last_problem, remaining_s=remaining_s)

    # --- on a background thread ---

    def _read(self) -> tuple:
        queue = self._services.queue
        items = queue.items()
        safe = sum(folder_bytes(item.session) for item in items if deletable(item))
        try:
            target = load_target(self._target_file)
        except UserError:
            target = None
        return items, queue.paused, safe, target

    def _on_read(self, found: tuple) -> None:
        self._reading = False
        items, paused, safe_bytes, self._target = found
        rows = tuple(_row(item, item.session.is_dir()) for item in reversed(items))
        self._update(rows=rows, paused=paused, safe_bytes=safe_bytes)

    def _on_freed(self) -> None:
        self._read_s = 0.0
        self._update(freeing=False)

    def _on_failed(self, error: UserError) -> None:
        self._reading = False
        self._update(freeing=False)
        self.failed.emit(str(error))


def _row(item: UploadItem, here: bool) -> UploadRow:
    fraction = 1.0 if item.state == UPLOADED else min(1.0, item.bytes_sent / max(1, item.bytes_total))
    return UploadRow(item.session, item.state, fraction, item.bytes_total / 1e6, here)
