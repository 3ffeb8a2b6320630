"""One run of a console, on a thread of its own: whatever happens, it ends with a message, the arm standing still."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from grasp_policy.registry import make_policy
from grasp_policy.scene.tsdf import Volume
from robot_runner.arm.base import Arm
from robot_runner.console import messages as m
from robot_runner.console.scene import Scene
from robot_runner.episode_types import EpisodeEvent, EpisodeResult, Operator, State
from robot_runner.gripper.base import Gripper
from robot_runner.runner import RunConfig, run_episodes
from wildgrasp.cameras.base import Camera
from wildgrasp.errors import UserError
from wildgrasp.geometry import Array
from wildgrasp.sessions.names import new_session_path

log = logging.getLogger(__name__)


class EpisodesRun:
    """Set ``stop`` and ``pause`` from any thread; ``ended`` is set last, by the run itself."""

    def __init__(
        self,
        start: m.Start,
        scene: Scene,
        speed: Callable[[], float],
        tell: Callable[[object], None],
        meta: dict[str, Any],
    ) -> None:
        self._start, self._scene, self._tell, self._meta = start, scene, tell, meta
        self._operator = Operator(lambda: self.stop, lambda: self.pause, speed)
        self._step = 0
        self.stop = self.pause = False
        self.goal: Array | None = None  # T_base_fingertip of the move under way
        self.fault = ""  # why it ended, where a person has to look
        self.ended: m.RunEnded | None = None

    def begin(self, arm: Arm, gripper: Gripper, camera: Camera, volume: Volume | None, folder: Path) -> None:
        self._path = new_session_path(folder, datetime.now())
        arguments = (arm, gripper, camera, volume)
        self._thread = threading.Thread(target=self._run, args=arguments, name="episodes", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        self._thread.join(timeout_s)

    def _run(self, arm: Arm, gripper: Gripper, camera: Camera, volume: Volume | None) -> None:
        text = "all grasps done"
        try:
            policy_name = Path(self._start.policy).name
            self._tell(m.Progress(1, self._start.episodes, "loading", policy_name, 0))
            meta = {**self._meta, "policy": policy_name}
            config = RunConfig(self._start.episodes, self._scene.episode_config(), meta=meta)
            policy = make_policy(self._start.policy, volume)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            results = run_episodes(
                arm,
                gripper,
                camera,
                policy,
                self._path,
                config,
                self._on_event,
                self._on_result,
                self._operator,
            )
            if self.stop:
                text = "stopped by the operator"
            elif results and results[-1].outcome == "fault":
                self.fault = text = results[-1].reason
        except (UserError, OSError) as error:
            self.fault = text = str(error)
        except Exception as error:
            log.exception("a run ended with a bug")
            self.fault = text = f"The run ended with an error of the program ({error!r}). Its log is kept."
        finally:
            self.ended = m.RunEnded(self._path.name, text)

    def _on_event(self, number: int, event: EpisodeEvent) -> None:
        decision, verdict = event.detail.get("decision"), event.detail.get("verdict")
        if event.state in (State.START, State.END):
            self._step, self.goal = 0, None
        if decision is not None:
            self._step += 1
            self.goal = verdict.T_base_fingertip if verdict.kind != "refuse" else None
            if decision.values is not None:
                color = None if decision.views is None else decision.views.color
                kind = decision.kind if verdict.kind != "refuse" else "refused"
                self._tell(m.ViewsShown(color, np.asarray(decision.values), decision.chosen, kind))
        self._tell(m.Progress(number, self._start.episodes, event.state.value, event.text, self._step))

    def _on_result(self, number: int, result: EpisodeResult) -> None:
        seconds = (result.t_end_ns - result.t_start_ns) * 1e-9
        self._tell(m.Outcome(self._path.name, number, result.outcome, result.reason, result.steps, seconds))
