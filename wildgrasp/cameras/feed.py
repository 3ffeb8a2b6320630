"""A camera that is read all the time on a thread of its own: the preview looks at it, a recorder listens to it.

The thread does nothing but read, so that nothing downstream can make the camera lose frames. A camera that is
unplugged or stalls is opened again and again until it is back; whoever listens is told of the outage.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Protocol

from wildgrasp.cameras.base import Camera, CameraInfo, RGBDFrame
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import CameraError
from wildgrasp.sessions.events import Gap


class FrameListener(Protocol):
    """Called on the camera's thread: must return at once."""

    def on_frame(self, frame: RGBDFrame) -> None: ...

    def on_outage(self, gap: Gap) -> None:
        """The camera is back; called before its next frame."""
        ...


@dataclass(frozen=True)
class FeedConfig:
    read_timeout_s: float = 1.0  # after this silence the camera counts as stalled and is opened anew
    retry_s: float = 0.5  # between two attempts


@dataclass(frozen=True)
class FeedStatus:
    connected: bool
    ended: bool  # a finite source has no more frames
    outages: int
    problem: str  # why it is not connected; empty when it is


class CameraFeed:
    """Owns a camera while it runs."""

    def __init__(self, camera: Camera, config: FeedConfig = FeedConfig(), clock: Clock | None = None) -> None:
        self._camera = camera
        self._config = config
        self._clock = clock or MonotonicClock()
        self._info: CameraInfo | None = None
        self._latest: RGBDFrame | None = None
        self._listeners: tuple[FrameListener, ...] = ()
        self._status = FeedStatus(False, False, 0, "the camera was not started")
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> CameraInfo:
        """Open the camera without reading yet; does nothing when it is open already. Raises CameraError."""
        if self._info is None:
            self._info = self._camera.open()
            self._status = FeedStatus(True, False, 0, "")
        return self._info

    def start(self) -> CameraInfo:
        """Open the camera and begin to read; does nothing when it runs already. Raises CameraError."""
        info = self.open()
        if self._thread is None:
            self._stopping.clear()
            self._ended.clear()
            self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
            self._thread.start()
        return info

    def stop(self) -> None:
        """End reading and close the camera; may be called twice."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None
        if self._info is not None:
            self._camera.close()
            self._info = None
            self._status = replace(self._status, connected=False, problem="the camera was stopped")

    @property
    def info(self) -> CameraInfo:
        if self._info is None:
            raise CameraError("The camera was not started yet.")
        return self._info

    @property
    def running(self) -> bool:
        return self._thread is not None

    @property
    def status(self) -> FeedStatus:
        return self._status

    @property
    def latest(self) -> RGBDFrame | None:
        """The newest frame, for a preview."""
        return self._latest

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Block until a finite source has no more frames; False when the time is up first."""
        return self._ended.wait(timeout_s)

    def add_listener(self, listener: FrameListener) -> None:
        self._listeners = (*self._listeners, listener)

    def remove_listener(self, listener: FrameListener) -> None:
        self._listeners = tuple(other for other in self._listeners if other is not listener)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                frame = self._camera.read(self._config.read_timeout_s)
            except EOFError:
                self._status = replace(self._status, ended=True)
                self._ended.set()
                return
            except CameraError as error:
                self._reconnect(str(error))
                continue
            self._latest = frame
            for listener in self._listeners:
                listener.on_frame(frame)

    def _reconnect(self, problem: str) -> None:
        last = self._latest
        lost_ns = last.t_host_ns if last is not None else self._clock.now_ns()
        self._status = replace(self._status, connected=False, problem=problem, outages=self._status.outages + 1)
        while not self._stopping.is_set():
            self._camera.close()
            try:
                info = self._camera.open()
                if info.intrinsics != self.info.intrinsics or info.depth_scale != self.info.depth_scale:
                    raise CameraError(
                        "Another camera, or another mode of it, was plugged in. Plug in the one from before."
                    )
            except CameraError as error:
                self._status = replace(self._status, problem=str(error))
                self._stopping.wait(self._config.retry_s)
                continue
            self._status = replace(self._status, connected=True, problem="")
            gap = Gap("camera", lost_ns, self._clock.now_ns(), problem)
            for listener in self._listeners:
                listener.on_outage(gap)
            return
