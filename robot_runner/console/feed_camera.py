"""One camera for two readers: a run that asks for frames, and a preview that looks at the newest."""

from __future__ import annotations

import time

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.errors import CameraError

_POLL_S = 0.003


class FeedCamera:
    """The ``Camera`` seam over a feed that somebody else starts and stops."""

    def __init__(self, feed: CameraFeed) -> None:
        self._feed = feed
        self._last: RGBDFrame | None = None

    def open(self) -> CameraInfo:
        return self._feed.info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The newest frame that was not read before. Raises CameraError when none comes in time."""
        deadline_s = time.monotonic() + timeout_s
        while self._feed.latest is None or self._feed.latest is self._last:
            if time.monotonic() > deadline_s:
                why = self._feed.status.problem or f"no picture came within {timeout_s:.1f} s"
                raise CameraError(f"The camera sends no new pictures ({why}). Look at its USB cable and start again.")
            time.sleep(_POLL_S)
        self._last = self._feed.latest
        return self._last

    def close(self) -> None:
        """Nothing: the preview goes on."""
