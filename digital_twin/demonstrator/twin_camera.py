"""The twin's camera in real time: a process that renders, and the product's camera seam on top of it.

The renderer has a process of its own because it needs most of a core; frames come over in shared memory.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from digital_twin.demonstrator.handheld import CAMERA, HandheldConfig, HandheldWorld
from digital_twin.demonstrator.truth import AttemptTruth
from digital_twin.demonstrator.truth_keeper import TruthKeeper
from digital_twin.world.d415 import D415, DEPTH_SCALE, PictureConfig, camera_info
from digital_twin.world.gripper_model import CAMERA as INTRINSICS
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import CameraError

SLOTS = 6  # frames that may wait to be read: 0.2 s
COLOR_BYTES = INTRINSICS.width * INTRINSICS.height * 3
DEPTH_BYTES = INTRINSICS.width * INTRINSICS.height * 2


class SharedState:
    """What the world's process tells the renderer: the newest configuration of everything, and its time."""

    def __init__(self, context: Any, size: int) -> None:
        self._lock = context.Lock()
        self._qpos = context.RawArray("d", size)
        self._t_ns = context.RawValue("q", 0)
        self._phase = context.RawArray("c", 16)

    def publish(self, t_ns: int, qpos: NDArray[np.float64], phase: str) -> None:
        with self._lock:
            np.frombuffer(self._qpos)[:] = qpos
            self._t_ns.value = t_ns
            self._phase.value = phase.encode()

    def read(self) -> tuple[int, NDArray[np.float64], str]:
        with self._lock:
            return self._t_ns.value, np.frombuffer(self._qpos).copy(), self._phase.value.decode()


class SharedFrames:
    """A ring of frames in shared memory."""

    def __init__(self, context: Any) -> None:
        self._memory = context.RawArray("B", SLOTS * (COLOR_BYTES + DEPTH_BYTES))
        self._numbers = context.RawArray("q", [-1] * SLOTS)  # of the frame that a slot holds; -1 while written

    def write(self, number: int, color: NDArray[np.uint8], depth_raw: NDArray[np.uint16]) -> None:
        slot = number % SLOTS
        self._numbers[slot] = -1
        colors, depths = self._views(slot)
        colors[:], depths[:] = color, depth_raw
        self._numbers[slot] = number

    def read(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]] | None:
        """A copy of a frame, or None when it has been overwritten."""
        slot = number % SLOTS
        colors, depths = self._views(slot)
        color, depth_raw = colors.copy(), depths.copy()
        return (color, depth_raw) if self._numbers[slot] == number else None

    def _views(self, slot: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        h, w = INTRINSICS.height, INTRINSICS.width
        start = slot * (COLOR_BYTES + DEPTH_BYTES)
        memory = np.frombuffer(self._memory, np.uint8)
        color = memory[start : start + COLOR_BYTES].reshape(h, w, 3)
        depth = memory[start + COLOR_BYTES : start + COLOR_BYTES + DEPTH_BYTES].view(np.uint16).reshape(h, w)
        return color, depth


@dataclass(frozen=True)
class RendererJob:
    """What the rendering process needs to know."""

    seed: int
    handheld: HandheldConfig
    picture: PictureConfig
    fps: float


@dataclass(frozen=True)
class TruthRequest:
    """Ends the rendering process: write the truth of what was streamed."""

    attempts: list[AttemptTruth]
    path: Path


def render_frames(job: RendererJob, state: SharedState, frames: SharedFrames, pipe: Connection) -> None:
    """Body of the rendering process. Sends (number, t_ns) of each frame while streaming.

    Takes ``True`` / ``False`` (stream or not) and, at the end, a :class:`TruthRequest`.
    """
    world = HandheldWorld(job.seed, job.handheld)  # the same model; its own physics never run
    keeper = TruthKeeper(world)
    with D415(world.model, CAMERA, job.seed, True, job.picture) as camera:
        camera.render(world.data)  # builds shaders and kernels, which would take the first second of a recording
        pipe.send("ready")
        streaming, number, last_ns = False, 0, 0
        due = time.monotonic()
        while True:
            if pipe.poll(max(0.0, due - time.monotonic()) if streaming else None):
                try:
                    request = pipe.recv()
                except EOFError:
                    return  # the twin was closed without asking for the truth
                if isinstance(request, TruthRequest):
                    keeper.finish(request.attempts, camera).save(request.path)
                    pipe.send("saved")
                    return
                streaming, due = bool(request), time.monotonic()
                continue
            due = max(due + 1 / job.fps, time.monotonic() - 1 / job.fps)
            t_ns, qpos, phase = state.read()
            if t_ns == last_ns:
                continue
            last_ns = t_ns
            world.data.qpos[:] = qpos
            mujoco.mj_kinematics(world.model, world.data)
            mujoco.mj_camlight(world.model, world.data)
            frames.write(number, *camera.render(world.data))
            keeper.note(t_ns, phase)
            pipe.send((number, t_ns))
            number += 1


class TwinCamera:
    """The camera seam (``wildgrasp.cameras.base.Camera``) over a rendering process."""

    def __init__(self, frames: SharedFrames, pipe: Connection, fps: float) -> None:
        self._frames, self._pipe, self._fps = frames, pipe, fps
        self._open = False

    def open(self) -> CameraInfo:
        """Start streaming. Raises CameraError when the rendering process has ended."""
        self._send(True)
        self._open = True
        return camera_info(self._fps)

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The next frame; frames that were overwritten before they were read are skipped, as a real camera drops
        them.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            number, t_ns = self._receive(deadline - time.monotonic(), timeout_s)
            images = self._frames.read(number)
            if images is not None:
                return RGBDFrame(images[0], images[1], DEPTH_SCALE, t_ns, t_ns)

    def close(self) -> None:
        """Stop streaming; frames under way are dropped. Does nothing when it is not open."""
        if not self._open:
            return
        self._open = False
        try:
            self._send(False)
            while self._pipe.poll(0.3):
                self._pipe.recv()
        except (CameraError, EOFError, OSError):
            return  # it ended by itself: there is nothing to stop

    def _send(self, streaming: bool) -> None:
        try:
            self._pipe.send(streaming)
        except OSError as error:
            raise CameraError("The simulated camera's process has ended. Start the twin again.") from error

    def _receive(self, wait_s: float, timeout_s: float) -> tuple[int, int]:
        try:
            if self._pipe.poll(max(0.0, wait_s)):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise CameraError("The simulated camera's process has ended. Start the twin again.") from error
        raise CameraError(f"The simulated camera has sent nothing for {timeout_s:g} s. Start the twin again.")
