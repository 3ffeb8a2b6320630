"""Runs: many episodes in a row, recorded as one session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grasp_policy.policy import Decision, Policy
from robot_runner import guard
from robot_runner.arm.base import Arm
from robot_runner.episode import Episode
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, EpisodeResult
from robot_runner.gripper.base import Gripper
from robot_runner.session_log import SessionLog
from wildgrasp.cameras.base import Camera, CameraInfo
from wildgrasp.geometry import inverse, to_vector
from wildgrasp.sessions.writer import SessionWriter


@dataclass(frozen=True, eq=False)
class RunConfig:
    """A run. It ends early after a fault or a stop: going on is the operator's decision."""

    episodes: int = 5
    episode: EpisodeConfig = field(default_factory=EpisodeConfig)
    keep_views: bool = True  # the views that decisions were made on: about 0.5 MB per step
    meta: dict[str, Any] = field(default_factory=dict)  # kept with the session: policy, host, operator …


def run_episodes(
    arm: Arm,
    gripper: Gripper,
    camera: Camera,
    policy: Policy,
    out: Path,
    config: RunConfig,
    on_event: Callable[[int, EpisodeEvent], None] = lambda number, event: None,
    on_result: Callable[[int, EpisodeResult], None] = lambda number, result: None,
    stop_requested: Callable[[], bool] = lambda: False,
    drop_off: Callable[[Arm, Gripper], None] | None = None,
) -> list[EpisodeResult]:
    """Run episodes with connected arm and gripper, and write the session ``out``.

    The callbacks get the episode's number, from 1. Raises SessionError when the session cannot be created, CameraError
    when the camera cannot be opened; what happens during an episode is in its result.
    """
    info = camera.open()
    results: list[EpisodeResult] = []
    try:
        with SessionWriter(out, info, meta=_meta(config, info)) as writer:
            log = SessionLog(writer, config.keep_views)
            for number in range(1, config.episodes + 1):
                log.begin()
                result = Episode(
                    arm,
                    gripper,
                    camera,
                    info,
                    policy,
                    config.episode,
                    log,
                    on_event=lambda event, number=number: on_event(number, event),
                    stop_requested=stop_requested,
                    drop_off=drop_off,
                ).run()
                log.end(result)
                results.append(result)
                on_result(number, result)
                if result.outcome in ("fault", "stopped"):
                    break
    finally:
        camera.close()
    return results


def look_once(
    arm: Arm, gripper: Gripper, camera: Camera, policy: Policy, config: EpisodeConfig
) -> tuple[Decision, guard.Verdict]:
    """A dry run: one look and one decision from where the arm stands, judged by the guard. Nothing moves."""
    info = camera.open()
    try:
        frame = camera.read()
        t_ns = frame.t_host_ns - round(config.camera_latency_s * 1e9)
        policy.reset()
        T_base_camera = arm.tool_pose_at(t_ns) @ config.guard.T_tool_camera
        policy.observe(frame.color, frame.depth, info.intrinsics, T_base_camera)
        state, width_m = arm.state(), gripper.state().width_m
        decision = policy.decide(
            state.T_base_tool @ config.guard.T_tool_fingertip,
            lambda candidates: guard.allowed(candidates, state.q, config.guard, width_m),
        )
        return decision, guard.check(decision.T_base_fingertip, state.q, config.guard, width_m)
    finally:
        camera.close()


def _meta(config: RunConfig, info: CameraInfo) -> dict[str, Any]:
    """What a reader of the session needs beyond its tables. The robot's base is the session's world."""
    limits = config.episode.guard
    T_camera_fingertip = inverse(limits.T_tool_camera) @ limits.T_tool_fingertip
    return {
        **config.meta,
        "kind": "robot run",
        "T_camera_fingertip": to_vector(T_camera_fingertip).tolist(),
        "T_tool_camera": to_vector(limits.T_tool_camera).tolist(),
        "robot": {
            "arm": limits.model.name,
            "start_q": list(config.episode.start_q),
            "table_height_m": limits.table_height_m,
            "workspace": [list(limits.workspace_lower), list(limits.workspace_upper)],
            "force_n": config.episode.force_n,
            "lift_height_m": config.episode.lift_height_m,
            "min_width_m": config.episode.min_width_m,
            "max_steps": config.episode.max_steps,
            "camera_latency_s": config.episode.camera_latency_s,
        },
    }
