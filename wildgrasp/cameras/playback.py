"""A recorded session, played through the camera seam."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.clocks import Clock
from wildgrasp.errors import CameraError, SessionError
from wildgrasp.sessions.session import Session


class PlaybackCamera:
    """Plays a session's frames in order.

    Without a clock: as fast as they are asked for, with their recorded times. With a clock: at the recorded speed,
    with times of that clock.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = Path(path)
        self._clock = clock
        self._session: Session | None = None
        self._next = 0
        self._shift_ns = 0

    def open(self) -> CameraInfo:
        """Begin at the first frame. Raises CameraError when the session cannot be read or is empty."""
        self.close()
        try:
            # Frames may be read on another thread than the one that opens.
            session = Session(self._path, check_same_thread=False)
        except SessionError as error:
            raise CameraError(str(error)) from error
        if not len(session):
            session.close()
            raise CameraError(f"{self._path} holds no frames to play.")
        self._session, self._next = session, 0
        if self._clock is not None:
            self._shift_ns = self._clock.now_ns() - int(session.times_ns[0])
        return session.camera_info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The next frame; waits for its time when there is a clock. Raises EOFError after the last, CameraError on
        damage."""
        if self._session is None:
            raise CameraError("The playback was not opened.")
        if self._next >= len(self._session):
            raise EOFError(f"{self._path} has no more frames")
        try:
            frame = self._session.frame(self._next)
        except SessionError as error:
            raise CameraError(str(error)) from error
        self._next += 1
        frame = replace(frame, t_host_ns=frame.t_host_ns + self._shift_ns)
        if self._clock is not None:
            self._clock.sleep_until_ns(frame.t_host_ns)
        return frame

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
