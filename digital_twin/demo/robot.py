"""Second part of the demo: a policy grasps with the simulated UR5 and RG2, over the real protocols, in real time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.workspace import WORKSPACE_VOLUME, guard_limits
from digital_twin.world.cell_process import RobotCellTwin, start_robot_cell
from digital_twin.world.robot_cell import START_Q
from grasp_policy.registry import make_policy
from robot_runner.arm.base import Arm
from robot_runner.arm.link_messages import Patience
from robot_runner.arm.ur_arm import UrArm
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, EpisodeResult, State
from robot_runner.gripper.base import Gripper
from robot_runner.gripper.rg2_modbus import Rg2Modbus
from robot_runner.runner import RunConfig, run_episodes

# A demo shares two cores with the physics, the pictures and the policy: late readings there are no broken cable.
PATIENCE = Patience(watchdog_hz=3.0, stale_s=0.4, lost_s=0.8)
POLICY_S = 20.0  # for a step, for the same reason
DROP_TURN_RAD = 1.3  # of the arm's first joint, from the start pose to above the drop-off beside the workspace
FILMED = {State.OBSERVE: "from outside", State.CLOSE: "before closing", State.CHECK: "lifted 0.1 m"}
GRIPPER_PORT = 15502


@dataclass
class GraspOutcome:
    """One episode: what the product says, what is true, and how it looked from outside."""

    number: int
    result: EpisodeResult | None = None
    lifted: tuple[str, ...] = ()  # kinds of the objects that hung between the pads at the width check
    outside: list[tuple[str, NDArray[np.uint8]]] = field(default_factory=list)  # caption, picture [H, W, 3]


def run_grasps(
    out: Path,
    policy: str,
    seed: int,
    episodes: int,
    on_event: Callable[[int, EpisodeEvent], None],
    on_outcome: Callable[[GraspOutcome], None],
) -> list[GraspOutcome]:
    """Run episodes with a policy (name or checkpoint) in a cell with the test family of objects; ``out``: the session.

    Raises RobotError, CameraError, CheckpointError or SessionError.
    """
    chosen = make_policy(policy, WORKSPACE_VOLUME, seed)
    config = EpisodeConfig(guard=guard_limits(), start_q=START_Q, policy_timeout_s=POLICY_S)
    meta = {"policy": Path(policy).name, "simulated": True, "objects": "test family"}
    with start_robot_cell(seed, gripper_port=GRIPPER_PORT) as cell:
        arm, gripper = UrArm(cell.host, patience=PATIENCE), Rg2Modbus(cell.gripper_host, cell.gripper_port)
        film = _Film(cell, on_event)
        try:
            arm.connect()
            gripper.connect()
            run_episodes(
                arm,
                gripper,
                cell.camera,
                chosen,
                out,
                RunConfig(episodes, config, meta=meta),
                on_event=film.event,
                on_result=lambda number, result: on_outcome(film.end(number, result)),
                drop_off=lambda arm, gripper: _drop_beside(arm, gripper, config),
            )
        finally:
            arm.close()
            gripper.close()
    return film.outcomes


class _Film:
    """Asks the twin for pictures and the truth at the moments that matter."""

    def __init__(self, cell: RobotCellTwin, on_event: Callable[[int, EpisodeEvent], None]) -> None:
        self._cell, self._on_event = cell, on_event
        self.outcomes: list[GraspOutcome] = []

    def event(self, number: int, event: EpisodeEvent) -> None:
        if len(self.outcomes) < number:
            self.outcomes.append(GraspOutcome(number))
        outcome = self.outcomes[-1]
        seen = {caption for caption, _ in outcome.outside}
        caption = FILMED.get(event.state)
        if caption is not None and caption not in seen:
            outcome.outside.append((caption, self._cell.camera.outside_view()))
        if event.state is State.CHECK:
            truth = self._cell.truth()
            outcome.lifted = tuple(self._cell.object_kinds[name] for name in truth.lifted)
        self._on_event(number, event)

    def end(self, number: int, result: EpisodeResult) -> GraspOutcome:
        outcome = self.outcomes[number - 1]
        outcome.result = result
        return outcome


def _drop_beside(arm: Arm, gripper: Gripper, config: EpisodeConfig) -> None:
    """Rise to the start pose, turn aside, go down, let go, rise again; nothing to do with empty fingers."""
    if gripper.state().width_m <= config.min_width_m:
        return
    above = np.array(config.start_q)
    aside = above + np.array([DROP_TURN_RAD, 0, 0, 0, 0, 0])
    for q in (above, aside):
        arm.move_joints(q, config.travel)
        arm.wait(config.move_timeout_s)
    lower = arm.state().T_base_tool.copy()
    lower[2, 3] -= 0.2
    arm.move_to(lower, config.travel)
    arm.wait(config.move_timeout_s)
    gripper.move_to(config.open_width_m, config.force_n)
    gripper.wait(config.gripper_timeout_s)
    arm.move_joints(aside, config.travel)
    arm.wait(config.move_timeout_s)
