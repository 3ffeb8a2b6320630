"""An episode log that writes into a session: frames, arm poses, decisions with their candidates, values and views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grasp_policy.policy import Decision
from robot_runner.episode_types import EpisodeResult
from robot_runner.guard import Verdict
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.sessions.events import GripperEvent
from wildgrasp.sessions.writer import SessionWriter


class SessionLog:
    """Implements ``EpisodeLog`` over one session; call :meth:`begin` and :meth:`end` around each episode.

    Episodes are numbered from 1. Raises SessionError when the disk refuses, which ends the episode, arm stopped.
    """

    def __init__(self, writer: SessionWriter, keep_views: bool = True) -> None:
        self._writer, self._keep_views = writer, keep_views
        self._episode = 0
        self._frame_id: int | None = None

    def begin(self) -> None:
        self._episode += 1
        self._frame_id = None

    def end(self, result: EpisodeResult, detail: str = "") -> None:
        row = {
            "id": self._episode,
            "t_start_ns": result.t_start_ns,
            "t_end_ns": result.t_end_ns,
            "steps": result.steps,
            "outcome": result.outcome,
            "reason": result.reason,
            "success": int(result.success),
            "width_m": result.width_m,
            "detail": detail,
        }
        self._writer.insert("episodes", row)
        self._writer.sync()

    def transition(self, t_ns: int, state: str, reason: str) -> None:
        row = {"episode_id": self._episode, "t_ns": t_ns, "state": state, "reason": reason}
        self._writer.insert("transitions", row)
        if state in _GRIPPER_EVENTS:
            self._writer.add_event(GripperEvent(t_ns, _GRIPPER_EVENTS[state]))

    def observation(self, frame: RGBDFrame, T_base_camera: NDArray[np.float64]) -> None:
        self._frame_id = self._writer.add_frame(frame)
        self._writer.add_pose("arm", self._frame_id, T_base_camera)

    def decision(self, t_ns: int, step: int, decision: Decision, verdict: Verdict) -> None:
        ref = self._writer.add_array(t_ns, _arrays(decision, verdict, self._keep_views))
        value = None
        if decision.values is not None and decision.chosen is not None:
            value = float(decision.values[decision.chosen])
        row = {
            "episode_id": self._episode,
            "step": step,
            "frame_id": self._frame_id,
            "t_ns": t_ns,
            "kind": decision.kind if verdict.kind != "refuse" else "refused",
            "chosen": decision.chosen,
            "value": value if value is not None and np.isfinite(value) else None,
            **{f"{name}_ms": decision.timings_ms.get(name) for name in ("fuse", "views", "q")},
            "file": ref.file,
            "offset": ref.offset,
        }
        self._writer.insert("decisions", row)


# A robot's fingers close and open as a person's do: the same events, so that the same reader finds the attempts.
_GRIPPER_EVENTS = {"close": "press", "drop": "release"}


def _arrays(decision: Decision, verdict: Verdict, keep_views: bool) -> dict[str, NDArray]:
    """What one decision saw: poses are T_base_fingertip [4, 4]; views in half precision, for people to look at."""
    arrays: dict[str, NDArray] = {"goal": decision.T_base_fingertip, "allowed_goal": verdict.T_base_fingertip}
    if decision.candidates is not None:
        arrays["candidates"] = decision.candidates
    if decision.values is not None:
        arrays["values"] = decision.values
    if keep_views and decision.views is not None:
        arrays["views_color"] = decision.views.color
        arrays["views_depth"] = decision.views.depth.astype(np.float16)
    return arrays
