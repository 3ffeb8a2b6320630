"""Recording in real time: the camera, the encoders and the disk each on a thread, with bounded queues between them.

    camera thread --frames--> encoder thread --records--> writer thread --> session
                                     gripper (polled) ---------^

The camera's thread never waits: when the queue is full its frame is dropped and counted, and the gap stands in the
session.
"""

from __future__ import annotations

import queue
import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wildgrasp.cameras.base import Camera, RGBDFrame
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import SessionError
from wildgrasp.sessions.events import Gap
from wildgrasp.sessions.frames import encode_frame
from wildgrasp.sessions.recording import GripperSource, Recording, RecordingSummary
from wildgrasp.sessions.writer import SYNC_EVERY


@dataclass(frozen=True)
class RecorderConfig:
    quality: int = 90  # JPEG quality of colour; 100: lossless
    queue_frames: int = 30  # a second of frames may wait for the encoder
    poll_s: float = 0.05  # how often the gripper is asked
    sync_s: float = 0.5  # what a power cut may cost
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


@dataclass(frozen=True)
class _Encoded:
    t_ns: int
    payload: bytes


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
        self._frames: queue.Queue[RGBDFrame | Gap | None] = queue.Queue(config.queue_frames)
        self._records: queue.Queue[_Encoded | Gap | None] = queue.Queue(config.queue_frames)
        self._overflow: Gap | None = None
        self._most_queued = 0
        self._marks: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self._problem = ""
        self._free_bytes = 0
        self._recording: Recording | None = None
        self._fps = 0.0
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()  # no more frames are taken
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
        # A busy disk takes a while to make the files; a camera that runs already is recorded from now on all the same.
        self._feed.add_listener(self)
        try:
            self._recording = Recording(self._path, info, self._gripper, self._meta, self._config.quality)
        except BaseException:
            self._feed.remove_listener(self)
            if self._owns_feed:
                self._feed.stop()
            raise
        for name, target in (("encoder", self._encode), ("writer", self._write)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._feed.start()

    def mark(self, detail: str = "") -> None:
        """The person says "that one failed"."""
        self._marks.put((self._clock.now_ns(), detail))

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Block until a finite source (playback) has no more frames; False when the time is up first."""
        return self._feed.wait_ended(timeout_s)

    def status(self) -> RecorderStatus:
        recording, feed = self._recording, self._feed.status
        waiting = self._overflow  # read once: the camera's thread changes it
        return RecorderStatus(
            recording=recording is not None and self._summary is None and not self._over.is_set(),
            frames=recording.frames if recording else 0,
            lost_frames=(recording.lost_frames if recording else 0) + (waiting.lost_frames if waiting else 0),
            events=recording.events if recording else 0,
            queued=self._frames.qsize() + self._records.qsize(),
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
            if self._overflow is not None:
                self._frames.put(self._overflow)
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
        self._most_queued = max(self._most_queued, self._frames.qsize() + 1)
        if self._overflow is not None and self._frames.maxsize - self._frames.qsize() >= 2:
            self._frames.put_nowait(self._overflow)
            self._overflow = None
        if self._overflow is None and not self._frames.full():
            self._frames.put_nowait(frame)
        else:
            self._lose(Gap("queue", frame.t_host_ns, frame.t_host_ns, "the computer was too slow", 1))

    def on_outage(self, gap: Gap) -> None:
        missed = round((gap.t_end_ns - gap.t_start_ns) * 1e-9 * self._fps)
        self._lose(replace(gap, lost_frames=missed))

    def _lose(self, gap: Gap) -> None:
        """Keep a gap until there is room for it; gaps that meet become one."""
        if self._overflow is not None:
            before = self._overflow
            gap = replace(before, t_end_ns=gap.t_end_ns, lost_frames=before.lost_frames + gap.lost_frames)
        self._overflow = gap

    # --- the encoder's thread ---

    def _encode(self) -> None:
        while (item := self._frames.get()) is not None:
            if self._over.is_set():
                continue  # keep emptying the queue, so that nobody waits for it
            try:
                self._records.put(item if isinstance(item, Gap) else self._encoded(item))
            except Exception as error:
                self._crash = error
                self._over.set()
        self._records.put(None)

    def _encoded(self, frame: RGBDFrame) -> _Encoded:
        return _Encoded(frame.t_host_ns, encode_frame(frame, self._config.quality))

    # --- the writer's thread ---

    def _write(self) -> None:
        stopped = False
        try:
            stopped = self._write_until_stopped()
            health = {"most_queued": self._most_queued, "camera_outages": self._feed.status.outages}
            self._summary = self._recording.close(health, self._problem)
        except Exception as error:
            self._problem, self._crash = str(error), error
            self._recording.abandon()
        self._over.set()
        while not stopped:
            stopped = self._records.get() is None

    def _write_until_stopped(self) -> bool:
        """Returns whether the end of the queue was reached; if not, the disk is nearly full."""
        polled_ns = synced_ns = self._clock.now_ns()
        synced_frames = 0
        while not self._problem:
            try:
                item = self._records.get(timeout=self._config.poll_s)
                if item is None:
                    self._take_gripper()
                    return True
                self._keep(item)
            except queue.Empty:
                pass  # no frame for a while; the gripper is asked all the same
            now_ns = self._clock.now_ns()
            if now_ns - polled_ns >= self._config.poll_s * 1e9:
                self._take_gripper()
                polled_ns = now_ns
            if now_ns - synced_ns >= self._config.sync_s * 1e9:
                if self._recording.frames - synced_frames < SYNC_EVERY:  # else the writer did it by itself
                    self._recording.writer.sync()
                self._watch_disk(self._path)
                synced_ns, synced_frames = now_ns, self._recording.frames
        return False

    def _keep(self, item: _Encoded | Gap) -> None:
        if isinstance(item, Gap):
            self._recording.note_gap(item)
        else:
            self._recording.accept_encoded(item.t_ns, item.payload)

    def _take_gripper(self) -> None:
        self._recording.drain()
        while not self._marks.empty():
            self._recording.mark(*self._marks.get())

    def _require_room(self) -> None:
        folder = next(p for p in self._path.resolve().parents if p.exists())
        free = shutil.disk_usage(folder).free
        if free < self._config.min_free_bytes:
            raise SessionError(
                f"Only {free / 1e6:.0f} MB of the disk are free, too little to record. Upload and delete sessions, or "
                "use "
                "another disk. Nothing was changed."
            )

    def _watch_disk(self, path: Path) -> None:
        self._free_bytes = shutil.disk_usage(path).free
        if self._free_bytes < self._config.min_free_bytes:
            self._problem = (
                f"Only {self._free_bytes / 1e6:.0f} MB of the disk are free, so the recording ended; all of it is "
                "kept. "
                "Upload and delete sessions, or use another disk."
            )
