"""One evaluation episode: a fresh pile, the product's own loop over the in-process robot, and the truth beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from digital_twin.benchmark.inprocess import InProcessArm, InProcessCamera, InProcessGripper, VirtualRobot
from digital_twin.benchmark.policies import PolicyMaker
from digital_twin.benchmark.results import EpisodeRow
from digital_twin.benchmark.workspace import guard_limits, start_joints
from digital_twin.world.cell_piles import PileSettings, SceneName
from digital_twin.world.cell_reality import Difficulty, sample_reality
from digital_twin.world.robot_cell import CellSettings, RobotCell
from grasp_policy.policy import Allowed, Decision, Policy
from robot_runner.episode import Episode
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, State
from wildgrasp.geometry import Array


@dataclass(frozen=True)
class Trial:
    """Everything that decides an episode, except the policy. The same trial gives every policy the same scene."""

    seed: int
    number: int = 0
    scene: SceneName = "tabletop"
    difficulty: Difficulty = "nominal"
    pile: PileSettings = field(default_factory=PileSettings)
    start_shift_m: float = 0.04
    start_turn_rad: float = np.deg2rad(12.0)


def run_trial(
    trial: Trial, make_policy: PolicyMaker, on_event: Callable[[EpisodeEvent], None] | None = None
) -> EpisodeRow:
    """Run one episode and judge it twice."""
    t_wall = time.perf_counter()
    streams = np.random.SeedSequence([trial.seed, trial.number]).spawn(4)
    scene_rng, reality_rng, start_rng, policy_rng = (np.random.default_rng(s) for s in streams)
    settings = CellSettings(
        seed=int(scene_rng.integers(2**31)),
        scene=trial.scene,
        pile=trial.pile,
        reality=sample_reality(reality_rng, trial.difficulty),
        start_q=start_joints(start_rng, trial.start_shift_m, trial.start_turn_rad),
    )
    cell = RobotCell(settings)
    policy = _TimedPolicy(make_policy(cell, policy_rng))
    robot = VirtualRobot(cell)
    camera = InProcessCamera(robot, settings.reality, settings.seed)
    watcher = _Watcher(cell, on_event)
    try:
        episode = Episode(
            InProcessArm(robot),
            InProcessGripper(robot),
            camera,
            camera.open(),
            policy,
            EpisodeConfig(guard=guard_limits(), start_q=settings.start_q),
            on_event=watcher,
            drop_off=lambda arm, gripper: None,  # the scene ends with the episode
        )
        result = episode.run()
    finally:
        camera.close()
    return EpisodeRow(
        seed=trial.seed,
        number=trial.number,
        object=watcher.object or cell.object_kinds.get(cell.nearest_object() or "", ""),
        steps=result.steps,
        outcome=result.outcome,
        reason=_reason(result.outcome, result.reason, watcher),
        success=result.success,
        truth=watcher.lifted,
        width_m=result.width_m or 0.0,
        seconds=(result.t_end_ns - result.t_start_ns) * 1e-9,
        wall_seconds=time.perf_counter() - t_wall,
        ms=_per_step(result.steps, robot, policy) | result.timings_ms,
    )


def _per_step(steps: int, robot: VirtualRobot, policy: _TimedPolicy) -> dict[str, float]:
    """Milliseconds of real time per step and stage."""
    seconds = {
        "physics": robot.physics_s,
        "render": robot.render_s,
        "observe": policy.observe_s,
        "decide": policy.decide_s,
    }
    return {stage: 1e3 * value / max(steps, 1) for stage, value in seconds.items()}


class _TimedPolicy:
    """A policy, and how much real time it takes."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.observe_s = self.decide_s = 0.0

    def reset(self) -> None:
        self._policy.reset()

    def observe(self, *observation: Any) -> None:
        started = time.perf_counter()
        self._policy.observe(*observation)
        self.observe_s += time.perf_counter() - started

    def decide(self, T_base_fingertip: Array, allowed: Allowed) -> Decision:
        started = time.perf_counter()
        decision = self._policy.decide(T_base_fingertip, allowed)
        self.decide_s += time.perf_counter() - started
        return decision


class _Watcher:
    """Asks the cell for the truth at the moment when the product checks the fingers' width."""

    def __init__(self, cell: RobotCell, forward_to: Callable[[EpisodeEvent], None] | None) -> None:
        self._cell, self._forward_to = cell, forward_to
        self.lifted = False
        self.held_before_lift = False
        self.object = ""

    def __call__(self, event: EpisodeEvent) -> None:
        if event.state is State.LIFT:
            self.held_before_lift = self._cell.finger_state().grip_detected
        if event.state is State.CHECK:
            names = self._cell.lifted_objects()
            self.lifted = bool(names)
            self.object = self._cell.object_kinds[names[0]] if names else ""
        if self._forward_to is not None:
            self._forward_to(event)


def _reason(outcome: str, told: str, watcher: _Watcher) -> str:
    """One of few kinds of failure, so that they can be counted; empty for an undisputed success."""
    if outcome == "success":
        return "" if watcher.lifted else "wedged or carried"
    if outcome in ("empty", "dropped"):
        if watcher.lifted:
            return "held, but too thin for the width check"
        return "slipped on lift" if watcher.held_before_lift else "missed"
    return told if outcome == "fault" else outcome
