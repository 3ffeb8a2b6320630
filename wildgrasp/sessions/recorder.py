"""Recording in real time: the camera, the encoders and the disk each on a thread, with bounded queues between them.

    camera thread --frames--> encoder thread --records--> writer thread --> blobs of the session
                                     gripper (polled) ---------^                  |
                                                   sync thread --> disk, index <--'

The camera's thread never waits. Frames that are neither dropped nor with the operating system are what a kill costs, so
their number is bounded: when it is reached a frame is dropped and counted, and the gap stands in the session. A disk
that takes a second to make data safe holds up the sync thread alone.
"""

from __future__ import annotations

import queue
import shutil
import threading
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wildgrasp.cameras.base import Camera, RGBDFrame
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import SessionError
from wildgrasp.sessions.events import Gap
from wildgrasp.sessions.frames import EncodedFrame, FrameEncoder
from wildgrasp.sessions.recording import GripperSource, Recording, RecordingSummary


@dataclass(frozen=True)
class RecorderConfig:
    quality: int = 90  # JPEG quality of colour; 100: lossless
    queue_s: float = 0.8  # of frames that may be between camera and disk: what a kill may cost
    poll_s: float = 0.05  # how often the gripper is asked
    sync_s: float = 0.5  # from one sync to the next: what a power cut may cost
    health_s: float = 1.0  # how often the session notes how the recording stands
    min_free_bytes: int = 500_000_000  # recording ends cleanly when less of the disk is free


@dataclass(frozen=True)
class RecorderStatus:
    """What a screen shows while recording."""

    recording: bool
    frames: int
    lost_frames: int
    events: int
    queued: int
    camera_connected: bool
    free_bytes: int
    problem: str  # what the person should know now; empty when all is well


class Recorder:
    """Records one session. ``camera`` may be a running CameraFeed (its preview goes on afterwards) or a closed camera.

    Whatever happens in between (a camera or a gripper unplugged, a full disk), what was recorded is kept, and
    :meth:`stop` returns what it is.
    """

    def __init__(
        self,
        camera: Camera | CameraFeed,
        gripper: GripperSource | None,
        path: Path,
        meta: dict[str, Any] | None = None,
        config: RecorderConfig = RecorderConfig(),
        clock: Clock | None = None,
    ) -> None:
        self._feed = camera if isinstance(camera, CameraFeed) else CameraFeed(camera, clock=clock)
        self._owns_feed = not self._feed.running
        self._gripper = gripper
        self._path = Path(path)
        self._meta = meta
        self._config = config
        self._clock = clock or MonotonicClock()
        self._frames: queue.SimpleQueue[RGBDFrame | Gap | None] = queue.SimpleQueue()
        self._records: queue.SimpleQueue[EncodedFrame | Gap | None] = queue.SimpleQueue()
        # Frames between camera and disk: the camera's thread counts what it takes, the writer's what it has written.
        self._taken = self._written = 0
        self._room = 1
        self._waiting_ns: deque[int] = deque()  # times of the frames on their way, and of some that have arrived
        self._deepest = self._most_queued = 0  # since the last health sample; of the whole recording
        self._dropped: Gap | None = None  # frames dropped since the last one that was taken
        self._marks: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._problem = ""
        self._free_bytes = 0
        self._sync_ms = 0.0
        self._sync_error: Exception | None = None
        self._recording: Recording | None = None
        self._fps = 0.0
        self._threads: list[threading.Thread] = []
        self._syncer = threading.Thread(target=self._sync, name="sync", daemon=True)
        self._over = threading.Event()  # no more frames are taken
        self._synced = threading.Event()  # no more syncs are needed
        self._crash: Exception | None = None
        self._summary: RecordingSummary | None = None

    def start(self) -> None:
        """Open the camera and the gripper and begin. Raises CameraError, GripperLinkError or SessionError; then no
        session is left."""
        self._require_room()
        if self._gripper is not None:
            self._gripper.start()
        info = self._feed.open()
        self._fps = info.fps
        self._room = max(round(self._config.queue_s * info.fps), 2)
        # A busy disk takes a while to make the files; a camera that runs already is recorded from now on all the same.
        self._feed.add_listener(self)
        try:
            meta = {"recorder": asdict(self._config), **(self._meta or {})}
            self._recording = Recording(self._path, info, self._gripper, meta, self._config.quality, sync_every=None)
        except BaseException:
            self._feed.remove_listener(self)
            if self._owns_feed:
                self._feed.stop()
            raise
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("encoder", self._encode), ("writer", self._write))
        ]
        for thread in (*self._threads, self._syncer):
            thread.start()
        self._feed.start()

    def mark(self, detail: str = "") -> None:
        """The person says "that one failed"."""
        self._marks.put((self._clock.now_ns(), detail))

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Block until a finite source (playback) has no more frames; False when the time is up first."""
        return self._feed.wait_ended(timeout_s)

    def status(self) -> RecorderStatus:
        recording, feed = self._recording, self._feed.status
        dropped = self._dropped  # read once: the camera's thread changes it
        return RecorderStatus(
            recording=recording is not None and self._summary is None and not self._over.is_set(),
            frames=recording.frames if recording else 0,
            lost_frames=(recording.lost_frames if recording else 0) + (dropped.lost_frames if dropped else 0),
            events=recording.events if recording else 0,
            queued=self._taken - self._written,
            camera_connected=feed.connected,
            free_bytes=self._free_bytes,
            problem=self._problem or feed.problem,
        )

    def stop(self) -> RecordingSummary:
        """End the recording and close the session; calling it again returns the same summary.

        Raises SessionError when the disk refused to the last; the text says what is kept.
        """
        if self._recording is None:
            raise SessionError("The recording was not started.")
        if self._threads:
            self._feed.remove_listener(self)
            if self._owns_feed:
                self._feed.stop()
            self._tell_dropped()
            self._frames.put(None)
            for thread in self._threads:
                thread.join()
            self._threads = []
        if self._crash is not None:
            raise self._crash
        return self._summary

    # --- the camera's thread: never waits ---

    def on_frame(self, frame: RGBDFrame) -> None:
        if self._over.is_set():
            return
        queued = self._taken - self._written
        self._deepest = max(self._deepest, queued)
        while len(self._waiting_ns) > queued:
            self._waiting_ns.popleft()
        oldest_ns = self._waiting_ns[0] if self._waiting_ns else frame.t_host_ns
        if queued < self._room and frame.t_host_ns - oldest_ns < self._config.queue_s * 1e9:
            self._tell_dropped()
            self._taken += 1
            self._waiting_ns.append(frame.t_host_ns)
            self._frames.put(frame)
        else:
            start_ns, lost = (self._dropped.t_start_ns, self._dropped.lost_frames) if self._dropped else (None, 0)
            first_ns = frame.t_host_ns if start_ns is None else start_ns
            self._dropped = Gap("queue", first_ns, frame.t_host_ns, "the computer was too slow", lost + 1)

    def on_outage(self, gap: Gap) -> None:
        missed = round((gap.t_end_ns - gap.t_start_ns) * 1e-9 * self._fps)
        self._tell_dropped()
        self._frames.put(replace(gap, lost_frames=missed))

    def _tell_dropped(self) -> None:
        if self._dropped is not None:
            self._frames.put(self._dropped)
            self._dropped = None

    # --- the encoder's thread ---

    def _encode(self) -> None:
        encoder = FrameEncoder(self._config.quality)
        while (item := self._frames.get()) is not None:
            if self._over.is_set():
                continue  # keep emptying the queue, so that nobody waits for it
            try:
                self._records.put(item if isinstance(item, Gap) else encoder.encode(item))
            except Exception as error:
                self._crash = error
                self._over.set()
        self._records.put(None)

    # --- the sync thread ---

    def _sync(self) -> None:
        while not self._synced.wait(self._config.sync_s):
            began_ns = self._clock.now_ns()
            try:
                self._recording.writer.sync()
            except Exception as error:
                self._sync_error = error
                return
            self._sync_ms = (self._clock.now_ns() - began_ns) * 1e-6

    def _end_sync(self) -> None:
        self._synced.set()
        self._syncer.join()
        if self._sync_error is not None:
            raise self._sync_error

    # --- the writer's thread ---

    def _write(self) -> None:
        stopped = False
        try:
            stopped = self._write_until_stopped()
            self._end_sync()
            health = {"most_queued": self._most_queued, "camera_outages": self._feed.status.outages}
            self._summary = self._recording.close(health, self._problem)
        except Exception as error:
            self._synced.set()
            self._syncer.join()
            self._problem, self._crash = str(error), error
            self._recording.abandon()
        self._over.set()
        while not stopped:
            stopped = self._records.get() is None

    def _write_until_stopped(self) -> bool:
        """Returns whether the end of the queue was reached; if not, the disk is nearly full or refuses to sync."""
        polled_ns = noted_ns = self._clock.now_ns()
        while not self._problem and self._sync_error is None:
            try:
                item = self._records.get(timeout=self._config.poll_s)
                if item is None:
                    self._take_gripper()
                    self._note_health()
                    return True
                self._keep(item)
            except queue.Empty:
                pass  # no frame for a while; the gripper is asked all the same
            now_ns = self._clock.now_ns()
            if now_ns - polled_ns >= self._config.poll_s * 1e9:
                self._take_gripper()
                polled_ns = now_ns
            if now_ns - noted_ns >= self._config.health_s * 1e9:
                self._watch_disk()
                self._note_health()
                noted_ns = now_ns
        return False

    def _keep(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, Gap):
            self._recording.note_gap(item)
        else:
            self._recording.accept_encoded(item)
            self._written += 1

    def _note_health(self) -> None:
        deepest, self._deepest = self._deepest, 0
        self._most_queued = max(self._most_queued, deepest)
        self._recording.note_health(self._clock.now_ns(), deepest, self._sync_ms, self._free_bytes)

    def _take_gripper(self) -> None:
        self._recording.drain()
        while not self._marks.empty():
            self._recording.mark(*self._marks.get())

    def _require_room(self) -> None:
        folder = next(p for p in self._path.resolve().parents if p.exists())
        self._free_bytes = shutil.disk_usage(folder).free
        if self._free_bytes < self._config.min_free_bytes:
            raise SessionError(
                f"Only {self._free_bytes / 1e6:.0f} MB of the disk are free, too little to record. Upload and delete "
                "sessions, or use another disk. Nothing was changed."
            )

    def _watch_disk(self) -> None:
        self._free_bytes = shutil.disk_usage(self._path).free
        if self._free_bytes < self._config.min_free_bytes:
            self._problem = (
                f"Only {self._free_bytes / 1e6:.0f} MB of the disk are free, so the recording ended; all of it is "
                "kept. Upload and delete sessions, or use another disk."
            )
