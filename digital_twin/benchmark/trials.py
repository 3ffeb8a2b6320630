"""One evaluation scene: a fresh pile, the product's own loop over the in-process robot, and the truth beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from digital_twin.benchmark.inprocess import InProcessArm, InProcessCamera, InProcessGripper, VirtualRobot
from digital_twin.benchmark.policies import PolicyMaker
from digital_twin.benchmark.recording import recorded
from digital_twin.benchmark.results import EpisodeRow
from digital_twin.benchmark.workspace import guard_limits, start_joints
from digital_twin.world.cell_piles import PileSettings, SceneName
from digital_twin.world.cell_reality import Aspect, Difficulty, sample_reality
from digital_twin.world.cell_sheet import draw_shift
from digital_twin.world.robot_cell import CellSettings, RobotCell
from grasp_policy.policy import Allowed, Decision, Policy
from robot_runner.arm.base import Arm
from robot_runner.episode import Episode
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, State
from robot_runner.gripper.base import Gripper
from robot_runner.session_log import SessionLog
from wildgrasp.geometry import Array

OnEvent = Callable[[EpisodeEvent], None]


@dataclass(frozen=True)
class Trial:
    """Everything that decides an episode, except the policy. The same trial gives every policy the same scene."""

    seed: int
    number: int = 0
    scene: SceneName = "tabletop"
    difficulty: Difficulty = "nominal"
    without: tuple[Aspect, ...] = ()  # aspects of reality that are ideal all the same
    pile: PileSettings = field(default_factory=PileSettings)
    start_shift_m: float = 0.04
    start_turn_rad: float = np.deg2rad(12.0)


def run_trial(
    trial: Trial,
    make_policy: PolicyMaker,
    watch: Callable[[RobotCell], OnEvent] = lambda cell: lambda event: None,
    session: Path | None = None,
) -> list[EpisodeRow]:
    """Run one scene and judge every attempt twice. A row per attempt: one, or with ``dynamic`` as many as it takes.

    ``watch`` is shown the cell before the first attempt and answers with who is told of the episodes' events;
    ``session`` is the folder that the scene is to be recorded as. Raises SessionError when that is not possible.
    """
    streams = np.random.SeedSequence([trial.seed, trial.number]).spawn(5)
    scene_rng, reality_rng, start_rng, policy_rng, hand_rng = (np.random.default_rng(s) for s in streams)
    settings = CellSettings(
        seed=int(scene_rng.integers(2**31)),
        scene=trial.scene,
        pile=trial.pile,
        reality=sample_reality(reality_rng, trial.difficulty, trial.without),
        start_q=start_joints(start_rng, trial.start_shift_m, trial.start_turn_rad, trial.scene),
    )
    clock = _Clock()
    cell = RobotCell(settings)
    policy, on_event, robot = make_policy(cell, policy_rng), watch(cell), VirtualRobot(cell)
    config = EpisodeConfig(guard=guard_limits(trial.scene), start_q=settings.start_q)
    with closing(InProcessCamera(robot, settings.reality, settings.seed)) as camera:
        log = nullcontext() if session is None else recorded(session, camera.open(), config, asdict(trial))
        with log as kept:
            bench = _Bench(trial, cell, robot, camera, config, policy, on_event, kept)
            if trial.scene != "dynamic":
                return [bench.attempt(0, clock)]
            return _clear_away(bench, cell, hand_rng, clock)


def _clear_away(bench: _Bench, cell: RobotCell, rng: np.random.Generator, clock: _Clock) -> list[EpisodeRow]:
    """Section VI's dynamic runs: what is grasped is taken away, until nothing is left or three attempts failed in a
    row; during each attempt somebody pulls the sheet."""
    rows: list[EpisodeRow] = []
    while cell.objects() and not _given_up(rows):
        hand = _Hand(cell, rng)
        rows.append(bench.attempt(len(rows), clock, hand))
        clock = _Clock()
    return rows


def _given_up(rows: list[EpisodeRow]) -> bool:
    return len(rows) >= MAX_FAILURES and not any(row.truth for row in rows[-MAX_FAILURES:])


MAX_FAILURES = 3  # in a row


class _Hand:
    """Pulls the sheet once, at one of the first moves of the approach."""

    def __init__(self, cell: RobotCell, rng: np.random.Generator) -> None:
        self._sheet = cell.sheet
        self._goal = draw_shift(rng, cell.sheet.place)
        self._moves_left = int(rng.integers(2, 7))

    def __call__(self, event: EpisodeEvent) -> None:
        if event.state is State.MOVE:
            self._moves_left -= 1
            if self._moves_left == 0:
                self._sheet.pull(self._goal)


@dataclass(frozen=True)
class _Bench:
    """One cell with the product's loop over it."""

    trial: Trial
    cell: RobotCell
    robot: VirtualRobot
    camera: InProcessCamera
    config: EpisodeConfig
    policy: Policy
    on_event: OnEvent
    log: SessionLog | None

    def attempt(self, number: int, clock: _Clock, disturb: OnEvent = lambda event: None) -> EpisodeRow:
        """One grasp, from the start pose to the verdict; what was lifted is taken out of the cell."""
        trial, cell, robot = self.trial, self.cell, self.robot
        policy, watcher = _TimedPolicy(self.policy), _Watcher(cell, disturb, self.on_event)
        robot.physics_s = robot.render_s = 0.0
        setup_s = clock.wall_s()
        cell.judge.reset()
        episode = Episode(
            InProcessArm(robot),
            InProcessGripper(robot),
            self.camera,
            self.camera.open(),
            policy,
            self.config,
            self.log,
            on_event=watcher,
            drop_off=self._take_away,
        )
        if self.log is not None:
            self.log.begin()
        result = episode.run()
        reason = _reason(result.outcome, result.reason, watcher)
        if self.log is not None:
            self.log.end(result, f"in truth: {reason or 'lifted ' + watcher.object}")
        return EpisodeRow(
            seed=trial.seed,
            number=trial.number,
            attempt=number,
            object=watcher.object or cell.object_kinds.get(cell.nearest_object() or "", ""),
            steps=result.steps,
            outcome=result.outcome,
            reason=reason,
            success=result.success,
            truth=watcher.lifted,
            width_m=result.width_m or 0.0,
            seconds=(result.t_end_ns - result.t_start_ns) * 1e-9,
            wall_seconds=clock.wall_s(),
            ms=_per_step(result.steps, robot, policy, setup_s, clock.processor_s()) | result.timings_ms,
            reality=asdict(cell.settings.reality),
        )

    def _take_away(self, arm: Arm, gripper: Gripper) -> None:
        for name in self.cell.lifted_objects():
            self.cell.remove_object(name)


class _Clock:
    """Real time and time of the processor since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def wall_s(self) -> float:
        return time.perf_counter() - self._wall

    def processor_s(self) -> float:
        return time.process_time() - self._processor


def _per_step(
    steps: int, robot: VirtualRobot, policy: _TimedPolicy, setup_s: float, processor_s: float
) -> dict[str, float]:
    """Milliseconds per step and stage: of real time, but ``processor``, which is all of them together."""
    seconds = {
        "set-up": setup_s,  # the scene falls into place, the policy is made
        "physics": robot.physics_s,
        "render": robot.render_s,
        "observe": policy.observe_s,  # fusion
        "decide": policy.decide_s,
        "processor": processor_s,
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

    def __init__(self, cell: RobotCell, disturb: OnEvent, forward_to: OnEvent) -> None:
        self._cell, self._disturb, self._forward_to = cell, disturb, forward_to
        self.lifted = False
        self.held_before_lift = self.gripped_fixed = False
        self.object = ""

    def __call__(self, event: EpisodeEvent) -> None:
        self._disturb(event)
        if event.state is State.LIFT:
            self.held_before_lift = self._cell.finger_state().grip_detected
            self.gripped_fixed = self._cell.grips_fixed()
        if event.state is State.CHECK:
            names = self._cell.lifted_objects()
            self.lifted = bool(names)
            self.object = self._cell.object_kinds[names[0]] if names else ""
        self._forward_to(event)


def _reason(outcome: str, told: str, watcher: _Watcher) -> str:
    """One of few kinds of failure, so that they can be counted; empty for an undisputed success."""
    if outcome == "success":
        return "" if watcher.lifted else "wedged or carried"
    if outcome in ("empty", "dropped"):
        if watcher.lifted:
            return "held, but too thin for the width check"
        if watcher.gripped_fixed:
            return "gripped what stands fixed"
        return "slipped on lift" if watcher.held_before_lift else "missed"
    return told if outcome == "fault" else outcome
