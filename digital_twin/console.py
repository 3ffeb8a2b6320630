"""The operator's console on the simulated cell: ``wildgrasp console --twin``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from digital_twin.benchmark.workspace import WORKSPACE_VOLUME, guard_limits
from digital_twin.demo.robot import PATIENCE, POLICY_S
from digital_twin.ur_controller.server import RG2_PORT
from digital_twin.world.cell_process import start_robot_cell
from digital_twin.world.robot_cell import START_Q
from grasp_policy.checkpoints import SHIPPED
from robot_runner.arm.ur_arm import UrArm
from robot_runner.console.command import open_console
from robot_runner.console.scene import Scene
from robot_runner.console.station import Equipment
from robot_runner.episode_types import EpisodeConfig
from robot_runner.gripper.rg2_modbus import Rg2Modbus

_META = {"simulated": True, "objects": "test family"}
_PARTS = {"whole table": (-0.40, 0.40), "left half": (0.0, 0.40), "right half": (-0.40, 0.0)}  # y of the base


@dataclass(frozen=True)
class TwinStation:
    """A simulated cell with a pile of objects, behind the console's seam."""

    seed: int
    address: str
    gripper_port: int
    boxes: Path  # folder of keep-out files, one a scene

    def open(self) -> Equipment:
        cell = start_robot_cell(self.seed, self.address, self.gripper_port)
        arm, gripper = UrArm(cell.host, patience=PATIENCE), Rg2Modbus(cell.gripper_host, cell.gripper_port)
        return Equipment(arm, gripper, cell.camera, self.scenes(), WORKSPACE_VOLUME, cell.close, _META)

    def scenes(self) -> Sequence[Scene]:
        self.boxes.mkdir(parents=True, exist_ok=True)
        limits, scenes = guard_limits(), []
        for name, (low, high) in _PARTS.items():
            lower = (limits.workspace_lower[0], low, limits.workspace_lower[2])
            upper = (limits.workspace_upper[0], high, limits.workspace_upper[2])
            guard = replace(limits, workspace_lower=lower, workspace_upper=upper)
            file = self.boxes / f"{name.replace(' ', '-')}.keep-out.json"
            scenes.append(Scene(name, EpisodeConfig(guard=guard, start_q=START_Q, policy_timeout_s=POLICY_S), file))
        return scenes


def console_twin(
    out: Path = Path("runs"),
    policy: str = str(SHIPPED),
    policies: Path | None = None,
    seed: int = 7,
    address: str = "127.0.0.1",
    gripper_port: int = RG2_PORT,
) -> int:
    """The operator's console on a simulated UR5 with an RG2, over the real protocols.

    Args:
        out: Folder of runs; each run is a session in it.
        policy: A checkpoint, or a baseline by name (random, straight-down, heuristic); the window offers others.
        policies: Folder of checkpoints to choose from.
        seed: Of the pile of objects.
        address: Loopback address of the simulated controller.
        gripper_port: Port of the simulated Compute Box.
    """
    station = TwinStation(seed, address, gripper_port, out / "scenes")
    return open_console(station, out, policy, policies, "WildGrasp console – simulated robot (digital twin)")
