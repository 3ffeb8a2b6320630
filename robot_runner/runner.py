"""Runs: many episodes in a row, recorded as one session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from grasp_policy.policy import Decision, Policy
from robot_runner import guard
from robot_runner.arm.base import Arm
from robot_runner.episode import Episode
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, EpisodeResult, Operator
from robot_runner.gripper.base import Gripper
from robot_runner.looking import exposed_ns, fresh_frame
from robot_runner.session_log import SessionLog
from wildgrasp.cameras.base import Camera
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
    operator: Operator | None = None,
    drop_off: Callable[[Arm, Gripper], None] | None = None,
) -> list[EpisodeResult]:
    """Run episodes with connected arm and gripper, and write the session ``out``.

    The callbacks get the episode's number, from 1. Raises SessionError when the session cannot be created, CameraError
    when the camera cannot be opened; what happens during an episode is in its result.
    """
    info = camera.open()
    results: list[EpisodeResult] = []
    try:
        with SessionWriter(out, info, meta=run_meta(config)) as writer:
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
                    operator=operator,
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


@dataclass(frozen=True, eq=False)
class DryRun:
    """What a run would begin with, each judged by the guard from where the arm would be by then."""

    start: guard.Verdict  # the way to the start pose
    decision: Decision  # from where the arm stands
    move: guard.Verdict
    lift: guard.Verdict  # straight up from there


def dry_run(arm: Arm, gripper: Gripper, camera: Camera, policy: Policy, config: EpisodeConfig) -> DryRun:
    """All but motion: arm, gripper and camera are asked, a picture is fused, the policy decides, the guard judges.

    Raises RobotError or CameraError where a run would end at once."""
    info, limits = camera.open(), config.guard
    try:
        frame = fresh_frame(camera, arm, config)
        policy.reset()
        T_base_camera = arm.tool_pose_at(exposed_ns(frame, config)) @ limits.T_tool_camera
        policy.observe(frame.color, frame.depth, info.intrinsics, T_base_camera)
        state, width_m = arm.state(), gripper.state().width_m
        decision = policy.decide(
            state.T_base_tool @ limits.T_tool_fingertip,
            lambda candidates: guard.allowed(candidates, state.q, limits, width_m),
        )
        move = guard.check(decision.T_base_fingertip, state.q, limits, width_m)
        above = move.T_base_fingertip.copy()
        above[2, 3] += config.lift_height_m
        start = guard.check_joints(np.array(config.start_q), state.q, limits, width_m)
        return DryRun(start, decision, move, guard.check(above, move.q, limits, width_m))
    finally:
        camera.close()


def run_meta(config: RunConfig) -> dict[str, Any]:
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
            "keep_out": [asdict(box) for box in limits.keep_out],
            "force_n": config.episode.force_n,
            "lift_height_m": config.episode.lift_height_m,
            "min_width_m": config.episode.min_width_m,
            "max_steps": config.episode.max_steps,
            "camera_latency_s": config.episode.camera_latency_s,
        },
    }
