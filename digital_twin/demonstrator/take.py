"""One take in virtual time: a person, the device's electronics, the camera and the product's recording.

What is written is a session as a D415 and an Arduino would have given it. The truth goes into a file beside it.
"""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from capture_app.gripper.link import GripperLink
from digital_twin.avr.board import BoardClock
from digital_twin.avr.host_port import UsbLatency
from digital_twin.demonstrator.handheld import CAMERA, HandheldWorld
from digital_twin.demonstrator.performance import Performance, PerformanceConfig
from digital_twin.demonstrator.truth import TakeTruth
from digital_twin.demonstrator.truth_keeper import TruthKeeper
from digital_twin.world.d415 import D415, DEPTH_SCALE, PictureConfig, camera_info
from digital_twin.world.shutter import ShutterConfig
from wildgrasp import rig
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.geometry import to_vector
from wildgrasp.sessions.recording import Recording

START_NS = 1_000_000_000_000  # the virtual host has been up for a while
SYNC_S = 2.5  # the device is on that long before recording starts, so that its clock is known


@dataclass(frozen=True)
class TakeConfig:
    """One take. Everything random follows from ``performance.seed``."""

    performance: PerformanceConfig = field(default_factory=PerformanceConfig)
    picture: PictureConfig = field(default_factory=PictureConfig)
    fps: float = 30.0
    noise: bool = True  # of the camera
    usb: UsbLatency = field(default_factory=lambda: UsbLatency((0.2, 1.5), (0.1, 1.0)))


@dataclass(frozen=True)
class TakeSummary:
    """What one take gave."""

    path: Path
    attempts: int
    held: int
    frames: int
    seconds: float  # of virtual time


def truth_path(session: Path) -> Path:
    """Where the truth of a simulated session lies: beside it."""
    return session.with_name(session.name + ".truth.npz")


def record_take(path: Path, config: TakeConfig) -> TakeSummary:
    """Perform and record one take into a new session folder.

    The folder appears under its name only when it is whole; what an interrupted call left behind is replaced.
    """
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    performance = Performance(config.performance, START_NS)
    try:
        with D415(performance.world.model, CAMERA, config.performance.seed, config.noise, config.picture) as camera:
            take = _Take(performance, camera, partial, config)
            truth = take.run()
    finally:
        performance.close()
    truth.save(truth_path(path))
    partial.rename(path)
    seconds = (truth.t_ns[-1] - truth.t_ns[0]) * 1e-9
    held = sum(a.outcome == "held" for a in truth.attempts)
    return TakeSummary(path, len(truth.attempts), held, len(truth.t_ns), seconds)


def take_meta(config: PerformanceConfig, world: HandheldWorld) -> dict[str, Any]:
    """What a simulated session says of itself."""
    return {
        "participant": "simulated",
        "task": f"pick objects of the {config.handheld.family} family, scene: {config.handheld.home}",
        "simulated": True,
        "seed": config.seed,
        "T_camera_fingertip": to_vector(rig.NOMINAL_T_CAMERA_FINGERTIP).tolist(),
        "objects": [thing.kind for thing in world.objects],
    }


class PolledGripper:
    """A link as a recording wants it, without the thread that polls it in real time."""

    def __init__(self, link: GripperLink) -> None:
        self.take, self.describe = link.take, link.describe

    def start(self) -> None:
        """Nothing to start: whoever lets time pass polls the link."""

    def stop(self) -> None:
        """Nothing to stop."""


class _Take:
    def __init__(self, performance: Performance, camera: D415, path: Path, config: TakeConfig) -> None:
        self._performance = performance
        self._camera = camera
        self._period_ns = round(1e9 / config.fps)
        performance.board.host_port.latency = config.usb
        self._link = GripperLink(performance.board.host_port, clock=BoardClock(performance.board))
        while performance.t_ns < START_NS + SYNC_S * 1e9:
            performance.wait()
            self._link.poll()
        meta = take_meta(config.performance, performance.world)
        shutter = config.picture.shutter
        self._shutter = None if shutter is None else _Shutter(performance, shutter)
        self._due: deque[int] = deque()  # times of pictures whose shutter is still open
        info = camera_info(config.fps, readout_s=0.0 if shutter is None else shutter.readout_s)
        self._recording = Recording(path, info, PolledGripper(self._link), meta)

    def run(self) -> TakeTruth:
        keeper = TruthKeeper(self._performance.world)
        # The first picture's shutter opens after the world has begun.
        next_frame_ns = self._performance.t_ns + (0 if self._shutter is None else self._shutter.opens_before_ns)
        while self._performance.step():
            self._link.poll()
            if self._shutter is not None:
                self._shutter.note()
            if self._performance.t_ns >= next_frame_ns:
                next_frame_ns += self._period_ns
                keeper.note(self._performance.t_ns, self._performance.phase)
                self._due.append(self._performance.t_ns)
            self._expose()
        self._expose(at_the_end=True)
        self._recording.close()
        return keeper.finish(self._performance.person.attempts, self._camera)

    def _expose(self, at_the_end: bool = False) -> None:
        """Take the pictures that are due: a shutter that takes time closes some milliseconds after their time."""
        while self._due:
            if self._shutter is None:
                pictures = self._camera.render(self._performance.world.data)
            elif at_the_end or self._shutter.is_closed(self._due[0]):
                pictures = self._camera.render_moving(self._shutter.instants(self._due[0]))
            else:
                return
            t_ns = self._due.popleft()
            self._recording.accept(RGBDFrame(*pictures, DEPTH_SCALE, t_ns, t_ns))
            self._recording.drain()


class _Shutter:
    """The world's recent past, as a shutter that takes time needs it."""

    def __init__(self, performance: Performance, config: ShutterConfig) -> None:
        self._performance = performance
        self._offsets_ns = np.rint(config.instants() * 1e9).astype(np.int64)
        self._past: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=64)  # of 2 ms each
        self._data = [mujoco.MjData(performance.world.model) for _ in self._offsets_ns]

    @property
    def opens_before_ns(self) -> int:
        """How long before a picture's time its first row begins to collect light."""
        return -int(self._offsets_ns[0])

    def note(self) -> None:
        self._past.append((self._performance.t_ns, self._performance.world.data.qpos.copy()))

    def is_closed(self, t_ns: int) -> bool:
        """Whether everything that a picture of a time shows has happened."""
        return self._performance.t_ns >= t_ns + self._offsets_ns[-1]

    def instants(self, t_ns: int) -> list[mujoco.MjData]:
        """The world at the instants around a time; where they are not known, at the nearest that is."""
        times = np.array([t for t, _ in self._past])
        for data, offset in zip(self._data, self._offsets_ns, strict=True):
            data.qpos[:] = self._past[int(np.argmin(np.abs(times - t_ns - offset)))][1]
            mujoco.mj_kinematics(self._performance.world.model, data)
            mujoco.mj_camlight(self._performance.world.model, data)
        return self._data
