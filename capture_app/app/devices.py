"""Camera and gripper of the app: looked for until they are there, watched while they are.

Both are found and found again on threads of their own, so that nobody has to start anything in the right order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from capture_app.app.picks import find_picks
from capture_app.gripper.link import GripperLink
from capture_app.gripper.receiver import Item
from wildgrasp.cameras.base import Camera, RGBDFrame
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import UserError
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample

RETRY_S = 0.5


class PressCounter:
    """The gripper, as a recorder takes it, that also counts picks and remembers the last reading.

    Somebody has to take what the gripper says also while nothing is recorded: see :meth:`rest`.
    """

    def __init__(self, link: GripperLink) -> None:
        self._link = link
        self._lock = threading.RLock()
        self._events: list[GripperEvent] = []
        self._taken = False  # a recorder takes
        self.servo: ServoSample | None = None
        self.picks = 0

    def start(self) -> None:
        self._link.start()
        with self._lock:
            self._events, self._taken, self.picks = [], True, 0

    def stop(self) -> None:
        """The recording is over; the link goes on."""
        self._taken = False

    def take(self, rest: bool = False) -> list[Item]:
        with self._lock:
            items = self._link.take(rest)
            for item in items:
                if isinstance(item, ServoSample):
                    self.servo = item
                else:
                    self._events.append(item)
            if self._taken:
                self.picks = len(find_picks(self._events))
            else:
                self._events = []
        return items

    def rest(self) -> None:
        """Between recordings: throw away what was said, and keep the last reading."""
        with self._lock:  # a recording that begins meanwhile must not miss what is thrown away
            if not self._taken:
                self.take()

    def describe(self) -> dict[str, Any]:
        return self._link.describe()


class FramePair:
    """The two newest frames of a camera, one right after the other; a FrameListener."""

    def __init__(self) -> None:
        self.frames: tuple[RGBDFrame, RGBDFrame] | None = None
        self._last: RGBDFrame | None = None

    def on_frame(self, frame: RGBDFrame) -> None:
        if self._last is not None:
            self.frames = (self._last, frame)
        self._last = frame

    def on_outage(self, gap: Gap) -> None:
        self._last = self.frames = None


@dataclass(frozen=True)
class DeviceProblems:
    """Why something is missing, in the words of whoever looked for it; empty when it is there."""

    camera: str
    gripper: str


class Devices:
    """The camera's feed and the gripper's link.

    ``find_gripper`` opens the link or raises GripperLinkError; both seams are where the twin plugs in.
    """

    def __init__(self, camera: Camera, find_gripper: Callable[[], GripperLink], clock: Clock | None = None) -> None:
        self.feed = CameraFeed(camera, clock=clock or MonotonicClock())
        self.pair = FramePair()
        self.gripper: PressCounter | None = None
        self.link: GripperLink | None = None
        self._find_gripper = find_gripper
        self._camera_problem = self._gripper_problem = "it is being looked for"
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self.feed.add_listener(self.pair)
        for name, look in (("find-camera", self._open_camera), ("find-gripper", self._open_gripper)):
            thread = threading.Thread(target=self._keep_trying, args=(look,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self.feed.stop()
        if self.link is not None:
            self.link.close()

    @property
    def problems(self) -> DeviceProblems:
        camera = self.feed.status.problem if self.feed.running else self._camera_problem
        gripper = self._gripper_problem
        if self.link is not None:
            gripper = "" if self.link.describe()["connected"] else "the gripper's cable is unplugged"
        return DeviceProblems(camera, gripper)

    def _open_camera(self) -> bool:
        try:
            self.feed.start()
        except UserError as error:
            self._camera_problem = str(error)
            return False
        self._camera_problem = ""
        return True

    def _open_gripper(self) -> bool:
        try:
            link = self._find_gripper()
        except UserError as error:
            self._gripper_problem = str(error)
            return False
        link.start()
        self.link, self.gripper = link, PressCounter(link)
        return True

    def _keep_trying(self, look: Callable[[], bool]) -> None:
        while not self._stopping.is_set() and not look():
            self._stopping.wait(RETRY_S)
