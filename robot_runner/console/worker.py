"""The process that runs the robot for a console. The window only asks; what happens here does not depend on it.

Its main thread hears the window, looks after the arm's state and tells it; another runs the episodes, a third sends.
Nothing waits for the window: messages that it does not take are dropped, and a window that no longer answers ends the
run, since nobody could stop it from there.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np

from robot_runner.arm.base import Safety
from robot_runner.arm.link_messages import explain
from robot_runner.console import messages as m
from robot_runner.console.episodes import EpisodesRun
from robot_runner.console.feed_camera import FeedCamera
from robot_runner.console.gate import StopGate
from robot_runner.console.margins import joint_margins, workspace_margins
from robot_runner.console.overlay import gripper_lines
from robot_runner.console.scene import Scene
from robot_runner.console.station import Equipment, Station
from robot_runner.console.watched_gripper import WatchedGripper
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.cameras.feed import CameraFeed, FeedConfig
from wildgrasp.errors import RobotError, UserError
from wildgrasp.geometry import Array, PinholeCamera

PERIOD_S = 0.1
SILENCE_S = 1.5  # without a sign of life of the window, a run is stopped
PICTURE_SIZE = (480, 360)


def run_worker(
    pipe: Connection, station: Station, folder: Path, policies: tuple[str, ...], silence_s: float = SILENCE_S
) -> None:
    """Entry point of the process; ends when told to, or when the window is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window decides; its end is heard
    Worker(pipe, station, folder, policies, silence_s).serve()


class Worker:
    def __init__(
        self, pipe: Connection, station: Station, folder: Path, policies: tuple[str, ...], silence_s: float
    ) -> None:
        self._pipe, self._station, self._folder, self._policies = pipe, station, folder, policies
        self._silence_s = silence_s
        self._outbox: queue.Queue[object] = queue.Queue(maxsize=100)
        self._equipment: Equipment | None = None
        self._gate: StopGate | None = None
        self._gripper: WatchedGripper | None = None
        self._feed: CameraFeed | None = None
        self._phase, self._cause, self._text = m.Phase.CONNECTING, None, ""
        self._run: EpisodesRun | None = None
        self._speed = 1.0
        self._heard_s = time.monotonic()
        self._silence = ""  # how long the window did not answer, in words
        self._scene: Scene | None = None
        self._sent_frame: RGBDFrame | None = None
        self._leaving = False

    def serve(self) -> None:
        """Until told to leave or the window is gone; the arm is at rest then."""
        threading.Thread(target=self._send_all, daemon=True, name="outbox").start()
        self._make_ready()
        next_s = time.monotonic()
        while not self._leaving:
            self._hear(max(0.0, next_s - time.monotonic()))
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + PERIOD_S
                self._look_after()
        self._end_run()
        self._close()

    # --- the window ---

    def _hear(self, timeout_s: float) -> None:
        try:
            if self._pipe.poll(timeout_s):
                self._take(self._pipe.recv())
                self._heard_s = time.monotonic()
        except (EOFError, OSError):
            self._leaving = True

    def _take(self, message: object) -> None:
        match message:
            case m.StopNow():
                self._stop_now()
            case m.Start() if self._phase is m.Phase.READY:
                self._start(message)
            case m.Pause(paused) if self._run is not None:
                self._run.pause = paused
            case m.SetSpeed(fraction):
                self._speed = float(np.clip(fraction, 0.05, 1.0))
            case m.Recover() if self._phase is m.Phase.ATTENTION:
                self._make_ready()
            case m.SaveBoxes(scene, boxes):
                self._save_boxes(scene, boxes)
            case m.Leave():
                self._leaving = True

    def _tell(self, message: object) -> None:
        with contextlib.suppress(queue.Full):
            self._outbox.put_nowait(message)

    def _send_all(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._pipe.send(self._outbox.get())

    # --- connecting, recovering ---

    def _make_ready(self) -> None:
        """Connect what is not, recover what stopped. Called at the start and when a person has confirmed."""
        self._become(m.Phase.CONNECTING)
        self._tell(self._status())
        try:
            if self._equipment is None:
                self._equip(self._station.open())
                self._gate.connect()
            else:
                self._gate.recover()
            self._gripper.connect()
            self._feed.start()
        except UserError as error:
            self._become(m.Phase.ATTENTION, self._cause_now(m.Cause.UNREACHABLE), str(error))
            return
        finally:
            self._heard_s = time.monotonic()
        self._become(m.Phase.READY)
        self._tell_choices()

    def _equip(self, equipment: Equipment) -> None:
        self._equipment, self._scene = equipment, equipment.scenes[0]
        self._gate, self._gripper = StopGate(equipment.arm), WatchedGripper(equipment.gripper)
        self._feed = CameraFeed(equipment.camera, FeedConfig(equipment.scenes[0].config.camera_timeout_s))

    def _tell_choices(self) -> None:
        scenes = []
        for scene in self._equipment.scenes:
            limits = scene.config.guard
            try:
                boxes = scene.boxes()
            except RobotError as error:
                self._become(m.Phase.ATTENTION, m.Cause.FAULT, str(error))
                continue
            scenes.append(
                m.SceneShown(scene.name, limits.workspace_lower, limits.workspace_upper, limits.table_height_m, boxes)
            )
        self._tell(m.Choices(self._policies, tuple(scenes)))

    def _save_boxes(self, name: str, boxes: tuple) -> None:
        try:
            self._scene_named(name).save_boxes(boxes)
        except RobotError as error:
            self._text = str(error)
        self._tell_choices()

    def _scene_named(self, name: str) -> Scene:
        return next(s for s in self._equipment.scenes if s.name == name)

    def _close(self) -> None:
        if self._equipment is None:
            return
        with contextlib.suppress(UserError):
            self._gate.close()
            self._gripper.close()
        self._feed.stop()
        self._equipment.close()

    # --- running ---

    def _start(self, start: m.Start) -> None:
        self._scene = self._scene_named(start.scene)
        self._gate.open_again()
        self._become(m.Phase.RUNNING)
        self._run = EpisodesRun(start, self._scene, lambda: self._speed, self._tell, self._equipment.meta)
        camera, volume = FeedCamera(self._feed), self._equipment.volume
        self._run.begin(self._gate, self._gripper, camera, volume, self._folder)

    def _stop_now(self) -> None:
        if self._run is not None:
            self._run.stop = True
            self._become(m.Phase.STOPPING)
        if self._gate is not None:
            self._gate.shut()

    def _end_run(self) -> None:
        if self._run is not None:
            self._stop_now()
            self._run.join(10.0)

    # --- looking after ---

    def _look_after(self) -> None:
        """Ten times a second: is the window there, how is the arm, has the run ended?"""
        if self._run is not None:
            self._look_after_run()
        elif self._phase is m.Phase.READY and (cause := self._cause_now(None)) is not None:
            self._become(m.Phase.ATTENTION, cause, explain(self._safety()))
        self._tell(self._status())
        self._show_picture()

    def _look_after_run(self) -> None:
        run, silent_s = self._run, time.monotonic() - self._heard_s
        if silent_s > self._silence_s and not run.stop:
            self._stop_now()
            self._silence = (
                f"The console's window did not answer for {silent_s:.1f} s. Nobody could have stopped the arm from it, "
                "so the run was stopped."
            )
        if run.ended is None:
            running = m.Phase.PAUSED if run.pause else m.Phase.RUNNING
            self._become(m.Phase.STOPPING if run.stop else running)
            return
        run.join()
        self._tell(run.ended)
        text, self._run, self._silence = self._silence or run.fault, None, ""
        cause = self._cause_now(m.Cause.FAULT if text else None)
        self._become(m.Phase.READY if cause is None else m.Phase.ATTENTION, cause, text)

    def _become(self, phase: m.Phase, cause: m.Cause | None = None, text: str = "") -> None:
        self._phase, self._cause, self._text = phase, cause, text

    def _safety(self) -> Safety:
        try:
            return self._gate.state().safety
        except (RobotError, AttributeError):  # not connected, or nothing there yet
            return Safety.DISCONNECTED

    def _cause_now(self, otherwise: m.Cause | None) -> m.Cause | None:
        """Why a person has to look: the arm's own state comes first, but for an arm that was never reached."""
        safety = self._safety()
        if otherwise is m.Cause.UNREACHABLE and safety is Safety.DISCONNECTED:
            return otherwise
        return m.CAUSES.get(safety, otherwise)

    def _status(self) -> m.Status:
        try:
            state = self._gate.state()
        except (RobotError, AttributeError):
            return m.Status(self._phase, self._cause, self._text)
        if self._run is None:
            with contextlib.suppress(RobotError):
                self._gripper.state()
        reading, limits = self._gripper.last, self._scene.config.guard
        grip = "" if reading is None else "holds something" if reading.grip_detected else ", ".join(reading.alarms)
        return m.Status(
            self._phase,
            self._cause,
            self._text,
            None if reading is None else reading.width_m,
            grip,
            joint_margins(state.q, limits),
            workspace_margins(state.q, limits),
            tuple((state.T_base_tool @ limits.T_tool_fingertip)[:3, 3].tolist()),
        )

    def _show_picture(self) -> None:
        frame = None if self._feed is None else self._feed.latest
        if frame is None or frame is self._sent_frame:
            return
        self._sent_frame = frame
        color = cv2.resize(frame.color, PICTURE_SIZE, interpolation=cv2.INTER_AREA)
        lines = self._goal_lines(frame, self._feed.info.intrinsics) * PICTURE_SIZE[0] / frame.color.shape[1]
        self._tell(m.Picture(color, lines))

    def _goal_lines(self, frame: RGBDFrame, camera: PinholeCamera) -> Array:
        goal, config = None if self._run is None else self._run.goal, self._scene.config
        if goal is None:
            return np.zeros((0, 2, 2))
        try:
            T_base_tool = self._gate.tool_pose_at(frame.t_host_ns - round(config.camera_latency_s * 1e9))
        except RobotError:
            return np.zeros((0, 2, 2))
        opening_m = self._gripper.last.width_m if self._gripper.last else 0.0
        return gripper_lines(goal, T_base_tool @ config.guard.T_tool_camera, camera, opening_m)
