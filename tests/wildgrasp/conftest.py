"""Cameras, frames and grippers that the tests of the ground floor share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import CameraError
from wildgrasp.geometry import PinholeCamera

PERIOD_NS = 33_333_333
LENS = PinholeCamera(32, 24, 30.0, 30.0, 15.5, 11.5)
INFO = CameraInfo("test", "42", "1.0", LENS, 0.001, 30.0)


def synthetic_frame(number: int, t_ns: int | None = None) -> RGBDFrame:
    """A frame whose content tells its number; depth has holes and noise."""
    rng = np.random.default_rng(number)
    depth = rng.integers(400, 2000, (LENS.height, LENS.width)).astype(np.uint16)
    depth[rng.random(depth.shape) < 0.2] = 0
    depth[0, 0] = number
    color = np.full((LENS.height, LENS.width, 3), number % 256, np.uint8)
    return RGBDFrame(color, depth, INFO.depth_scale, number * PERIOD_NS if t_ns is None else t_ns, number * 1000)


class ScriptedCamera:
    """Delivers what a script says: a frame, or an error to raise; at its end EOFError."""

    def __init__(self, script: Iterable[RGBDFrame | Exception], info: CameraInfo = INFO) -> None:
        self._script = iter(script)
        self._info = info
        self.opened = self.closed = 0
        self.refuse_to_open = 0  # times

    def open(self) -> CameraInfo:
        if self.refuse_to_open:
            self.refuse_to_open -= 1
            raise CameraError("No camera is plugged in.")
        self.opened += 1
        return self._info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        step = next(self._script, None)
        if step is None:
            raise EOFError
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1


class ScriptedGripper:
    """Hands out one list of messages per ``take`` after the one that clears what was before."""

    def __init__(self, *batches: list) -> None:
        self._batches = list(batches)
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    def take(self, rest: bool = False) -> list:
        return self._batches.pop(0) if self._batches else []

    def describe(self) -> dict:
        return {"serial": "g1"}


@pytest.fixture
def camera_info() -> CameraInfo:
    return INFO


@pytest.fixture
def make_frame() -> Callable[..., RGBDFrame]:
    return synthetic_frame


@pytest.fixture
def make_camera() -> type[ScriptedCamera]:
    return ScriptedCamera


@pytest.fixture
def make_gripper() -> type[ScriptedGripper]:
    return ScriptedGripper
