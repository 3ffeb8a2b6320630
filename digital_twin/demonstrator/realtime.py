"""The handheld device in real time: a pty that speaks the firmware's protocol, a camera that streams, a person who
picks.

Two processes: one for person, world and electronics, one for the camera's pictures. The product's threaded recorder
then records camera and serial port exactly as on the device.
"""

from __future__ import annotations

import bisect
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from digital_twin.demonstrator.handheld import state_size
from digital_twin.demonstrator.performance import Performance, PerformanceConfig
from digital_twin.demonstrator.twin_camera import (
    RendererJob,
    SharedFrames,
    SharedState,
    TruthRequest,
    TwinCamera,
    render_frames,
)
from digital_twin.world.d415 import PictureConfig
from wildgrasp.errors import UserError

BEHIND_NS = 30_000_000  # further behind the host's clock, the simulation gives up catching up
READY_S = 120.0  # time the processes may take to start, or to write the truth


class TwinError(UserError):
    """The twin's processes did not start, or ended by themselves."""


@dataclass(frozen=True)
class Progress:
    """How far the person is."""

    phase: str = "waiting"
    attempts: int = 0  # finished
    done: bool = False
    slowed_s: float = 0.0  # host time that the simulation could not keep up with: it went on in slow motion


class HandheldTwin:
    """A running twin; made by :func:`start_handheld_twin`.

    ``pty_path`` is the gripper's serial port, ``camera`` its camera. :meth:`begin` when recording has started, then
    :meth:`poll` until it says done, then stop recording and :meth:`close`.
    """

    def __init__(self, config: PerformanceConfig, picture: PictureConfig, fps: float, truth: Path | None) -> None:
        context = multiprocessing.get_context("spawn")  # an OpenGL context does not survive a fork
        state, frames = SharedState(context, state_size(config.handheld)), SharedFrames(context)
        self._world, world_end = context.Pipe()
        self._eye, eye_end = context.Pipe()
        job = RendererJob(config.seed, config.handheld, picture, fps)
        self.processes = [
            _start(context, perform_live, (config, state, world_end)),
            _start(context, render_frames, (job, state, frames, eye_end)),
        ]
        world_end.close()
        eye_end.close()
        self._truth = truth
        self._progress = Progress()
        try:
            self.pty_path: str = self._expect(self._world)
            self._expect(self._eye)
        except BaseException:
            self._kill()
            raise
        self.camera = TwinCamera(frames, self._eye, fps)

    def begin(self) -> None:
        """Let the person start, or go on. Until then the device is on and lies still in the hand."""
        self._send("begin")

    def rest(self) -> None:
        """Let the person finish the pick at hand, and then wait for :meth:`begin`."""
        self._send("rest")

    def poll(self) -> Progress:
        """How far the person is now. Raises TwinError when the simulation has ended by itself."""
        try:
            while self._world.poll():
                self._progress = self._world.recv()
        except (EOFError, OSError) as error:
            raise TwinError("The simulated person's process has ended. What was recorded is kept.") from error
        return self._progress

    def close(self) -> None:
        """Switch everything off; the truth of what was streamed is written if it was asked for."""
        try:
            if self._truth is not None and all(p.is_alive() for p in self.processes):
                self._save_truth(self._truth)
        finally:
            self._kill()

    def _save_truth(self, path: Path) -> None:
        self.camera.close()
        self._send("end")
        attempts: Any = self._progress
        while not isinstance(attempts, list):
            attempts = self._expect(self._world)
        self._eye.send(TruthRequest(attempts, path))
        while self._expect(self._eye) != "saved":
            pass

    def _send(self, message: str) -> None:
        try:
            self._world.send(message)
        except OSError as error:
            raise TwinError("The simulated person's process has ended. What was recorded is kept.") from error

    def _expect(self, pipe: Connection) -> Any:
        try:
            if not pipe.poll(READY_S):
                raise TwinError(f"The twin did not answer for {READY_S:g} s. Is the machine very busy? Try again.")
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            raise TwinError("A process of the twin has ended by itself. Its message stands above.") from error
        if isinstance(answer, UserError):
            raise answer
        return answer

    def _kill(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join()

    def __enter__(self) -> HandheldTwin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start_handheld_twin(
    seed: int = 0,
    picks: int = 3,
    truth: Path | None = None,
    config: PerformanceConfig | None = None,
    picture: PictureConfig | None = None,
    fps: float = 30.0,
) -> HandheldTwin:
    """Switch on a handheld device in real time; returns when it is ready.

    Args:
        seed, picks: of the performance; used when ``config`` is not given.
        truth: where to write what really happened, for :func:`digital_twin.demonstrator.truth.load_truth`.
        config: everything about the performance.
        picture: how the camera takes its pictures.
        fps: frames per second.

    Raises TwinError, or what hinders the twin (firmware not built).
    """
    return HandheldTwin(config or PerformanceConfig(seed, picks), picture or PictureConfig(), fps, truth)


class _HostTime:
    """Maps simulated time to the host's monotonic clock.

    They run alike. Where the machine is too busy, simulated time falls back for good: the world goes on in slow motion,
    and what camera and device report stays consistent in the host's time, which is all that the product sees.
    """

    def __init__(self, t_ns: int) -> None:
        self._since_ns = [t_ns]  # simulated times from which on …
        self._offset_ns = [0]  # … these offsets hold

    def of(self, t_ns: int) -> int:
        return t_ns + self._offset_ns[bisect.bisect_right(self._since_ns, t_ns) - 1]

    @property
    def slowed_s(self) -> float:
        return self._offset_ns[-1] * 1e-9

    def behind_ns(self, t_ns: int) -> int:
        """How much later the host's clock is than a simulated time that has just been reached."""
        behind = time.monotonic_ns() - t_ns - self._offset_ns[-1]
        if behind > BEHIND_NS:
            self._since_ns.append(t_ns)
            self._offset_ns.append(self._offset_ns[-1] + behind)
            return 0
        return behind


def perform_live(config: PerformanceConfig, state: SharedState, pipe: Connection) -> None:
    """Body of the world's process: keeps up with the host's monotonic clock.

    Sends the pty's path, :class:`Progress` at every change of phase, and at the end the attempts. Takes ``"begin"``
    (the person starts or goes on), ``"rest"`` (after the pick at hand) and ``"end"``.
    """
    try:
        performance = Performance(config, time.monotonic_ns(), live=True)
    except UserError as error:
        pipe.send(error)
        return
    pipe.send(performance.board.attach_pty())
    host_time = _HostTime(performance.t_ns)
    begun = resting = done = False
    phase = "waiting"
    while True:
        if pipe.poll():
            message = pipe.recv()
            if message == "end":
                break
            begun, resting = True, message == "rest"
        if host_time.behind_ns(performance.t_ns) < 0:
            time.sleep(0.001)
            continue
        if begun and not done and not (resting and performance.phase == "look"):
            done = not performance.step()
        else:
            performance.wait()
        state.publish(host_time.of(performance.t_ns), performance.world.data.qpos, performance.phase)
        now = "done" if done else performance.phase if begun else phase
        if now != phase:
            phase = now
            finished = sum(a.outcome != "unfinished" for a in performance.person.attempts)
            pipe.send(Progress(phase, finished, done, host_time.slowed_s))
    performance.close()
    for attempt in performance.person.attempts:
        attempt.t_press_ns, attempt.t_hold_ns, attempt.t_release_ns = (
            host_time.of(t) for t in (attempt.t_press_ns, attempt.t_hold_ns, attempt.t_release_ns)
        )
    pipe.send(performance.person.attempts)


def _start(context: Any, body: Any, arguments: tuple[Any, ...]) -> BaseProcess:
    process = context.Process(target=body, args=arguments, daemon=True)
    process.start()
    return process
