"""The process that runs the robot for a console. The window only asks; what happens here does not depend on it.

Its main thread hears the window, looks after the arm's state and tells it; another runs the episodes, a third sends.
Nothing waits for the window: messages that it does not take are dropped, and a window that no longer answers ends the
run, since nobody could stop it from there.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import threading
import time
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from grasp_policy.registry import make_policy
from robot_runner.arm.base import Safety
from robot_runner.arm.link_messages import explain
from robot_runner.console import messages as m
from robot_runner.console.feed_camera import FeedCamera
from robot_runner.console.gate import StopGate
from robot_runner.console.margins import joint_margins, workspace_margins
from robot_runner.console.overlay import gripper_lines
from robot_runner.console.station import Equipment, Station
from robot_runner.console.watched_gripper import WatchedGripper
from robot_runner.episode_types import EpisodeEvent, EpisodeResult, Operator, State
from robot_runner.runner import RunConfig, run_episodes
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.cameras.feed import CameraFeed, FeedConfig
from wildgrasp.errors import RobotError, UserError
from wildgrasp.geometry import Array, PinholeCamera

log = logging.getLogger(__name__)
PERIOD_S = 0.1
SILENCE_S = 1.5  # without a sign of life of the window, a run is stopped
PICTURE_SIZE = (480, 360)


def run_worker(pipe: Connection, station: Station, folder: Path, policies: tuple[str, ...]) -> None:
    """Entry point of the process; ends when told to, or when the window is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the window decides; its end is heard
    Worker(pipe, station, folder, policies).serve()


class Worker:
    def __init__(self, pipe: Connection, station: Station, folder: Path, policies: tuple[str, ...]) -> None:
        self._pipe, self._station, self._folder, self._policies = pipe, station, folder, policies
        self._outbox: queue.Queue[object] = queue.Queue(maxsize=100)
        self._equipment: Equipment | None = None
        self._gate: StopGate | None = None
        self._gripper: WatchedGripper | None = None
        self._feed: CameraFeed | None = None
        self._phase, self._cause, self._text = m.Phase.CONNECTING, None, ""
        self._run: threading.Thread | None = None
        self._ended: m.RunEnded | None = None  # told by the run's thread, taken by the main one
        self._fault = ""
        self._stop = self._pause = False
        self._speed = 1.0
        self._heard_s = time.monotonic()
        self._scene = None
        self._goal: Array | None = None
        self._step = 0
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
                self._pause = paused
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

    def _scene_named(self, name: str) -> Any:
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
        self._stop = self._pause = False
        self._fault, self._scene = "", self._scene_named(start.scene)
        self._gate.open_again()
        self._become(m.Phase.RUNNING)
        self._run = threading.Thread(target=self._run_episodes, args=(start,), name="episodes", daemon=True)
        self._run.start()

    def _run_episodes(self, start: m.Start) -> None:
        """On its own thread. Whatever happens, it ends with a message, the arm standing still."""
        run = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
        text = "all grasps done"
        try:
            config = RunConfig(start.episodes, self._scene.episode_config(), meta={"policy": Path(start.policy).name})
            self._tell(m.Progress(1, start.episodes, "loading", Path(start.policy).name, 0))
            policy = make_policy(start.policy, self._equipment.volume)
            self._folder.mkdir(parents=True, exist_ok=True)
            operator = Operator(lambda: self._stop, lambda: self._pause, lambda: self._speed)
            results = run_episodes(
                self._gate,
                self._gripper,
                FeedCamera(self._feed),
                policy,
                self._folder / run,
                config,
                on_event=lambda number, event: self._on_event(number, start.episodes, event),
                on_result=lambda number, result: self._on_result(run, number, result),
                operator=operator,
            )
            if results and results[-1].outcome == "fault" and not self._stop:
                self._fault = text = results[-1].reason
            elif self._stop:
                text = "stopped by the operator"
        except (UserError, OSError) as error:
            self._fault = text = str(error)
        except Exception as error:
            log.exception("a run ended with a bug")
            self._fault = text = f"The run ended with an error of the program ({error!r}). Its log is kept."
        finally:
            self._ended = m.RunEnded(run, text)

    def _on_event(self, number: int, episodes: int, event: EpisodeEvent) -> None:
        decision, verdict = event.detail.get("decision"), event.detail.get("verdict")
        if event.state in (State.START, State.END):
            self._step, self._goal = 0, None
        if decision is not None:
            self._step += 1
            self._goal = verdict.T_base_fingertip if verdict.kind != "refuse" else None
            if decision.values is not None:
                color = None if decision.views is None else decision.views.color
                kind = decision.kind if verdict.kind != "refuse" else "refused"
                self._tell(m.ViewsShown(color, np.asarray(decision.values), decision.chosen, kind))
        self._tell(m.Progress(number, episodes, event.state.value, event.text, self._step))

    def _on_result(self, run: str, number: int, result: EpisodeResult) -> None:
        seconds = (result.t_end_ns - result.t_start_ns) * 1e-9
        self._tell(m.Outcome(run, number, result.outcome, result.reason, result.steps, seconds))

    def _stop_now(self) -> None:
        self._stop = True
        if self._gate is not None:
            self._gate.shut()
        if self._run is not None:
            self._become(m.Phase.STOPPING)

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
        silent_s = time.monotonic() - self._heard_s
        if silent_s > SILENCE_S and not self._stop:
            self._stop_now()
            self._fault = (
                f"The console's window did not answer for {silent_s:.1f} s. Nobody could have stopped the arm from it, "
                "so the run was stopped."
            )
        if self._ended is None:
            running = m.Phase.PAUSED if self._pause else m.Phase.RUNNING
            self._become(m.Phase.STOPPING if self._stop else running)
            return
        self._run.join()
        self._tell(self._ended)
        self._run, self._ended, self._goal = None, None, None
        cause = self._cause_now(m.Cause.FAULT if self._fault else None)
        self._become(m.Phase.READY if cause is None else m.Phase.ATTENTION, cause, self._fault)

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
        goal, config = self._goal, self._scene.config
        if goal is None:
            return np.zeros((0, 2, 2))
        try:
            T_base_tool = self._gate.tool_pose_at(frame.t_host_ns - round(config.camera_latency_s * 1e9))
        except RobotError:
            return np.zeros((0, 2, 2))
        opening_m = self._gripper.last.width_m if self._gripper.last else 0.0
        return gripper_lines(goal, T_base_tool @ config.guard.T_tool_camera, camera, opening_m)
