"""Which robot, gripper and camera, and where they may go: what ``run``, ``doctor robot`` and ``console`` are told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.kinematics import MODELS
from robot_runner.arm.ur_arm import UrArm
from robot_runner.episode_types import EpisodeConfig
from robot_runner.gripper.base import Gripper
from robot_runner.gripper.rg2_modbus import Rg2Modbus
from robot_runner.gripper.rg2_xmlrpc import Rg2XmlRpc
from robot_runner.guard import GuardLimits
from robot_runner.hand_eye import load_hand_eye
from robot_runner.keep_out import load_keep_out
from wildgrasp.cameras.base import Camera
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA, T_TOOL_FINGERTIP


@dataclass(frozen=True)
class RigOptions:
    host: str
    """Address of the arm's controller."""
    gripper_host: str = ""
    """Address of the gripper's Compute Box; the arm's own for --gripper urcap."""
    gripper: Literal["modbus", "urcap"] = "modbus"
    """How the RG2 is reached: through its Compute Box, or through OnRobot's URCap on the arm's controller."""
    gripper_port: int = 0
    """Its port, where it is not the usual one."""
    model: Literal["ur5", "ur5e"] = "ur5"
    """Which arm: ur5 (CB3) or ur5e."""
    payload: float = 0.0
    """Mass of gripper, camera and mount in kg; 0 leaves the controller's setting."""
    hand_eye: Path | None = None
    """Hand–eye calibration (JSON with T_tool_camera). Without it the rig's drawing is taken, good to a centimetre."""
    table_height: float = 0.0
    """Height of the table top in the robot's base, in metres."""
    workspace_lower: tuple[float, float, float] = GuardLimits.workspace_lower
    """Where the fingertips may go, in the robot's base: lower corner in metres."""
    workspace_upper: tuple[float, float, float] = GuardLimits.workspace_upper
    """And upper corner."""
    keep_out: Path | None = None
    """File of keep-out boxes (the console draws them)."""
    start_q: tuple[float, float, float, float, float, float] = EpisodeConfig.start_q
    """Joint angles in rad from which each grasp starts."""
    force: float = EpisodeConfig.force_n
    """Grip force in newtons."""
    camera_latency: float = 0.0
    """Age of a picture when it arrives, in seconds."""
    camera_serial: str = ""
    """Serial number of the wrist camera, where several are plugged in."""

    def make_arm(self) -> UrArm:
        return UrArm(self.host, self.model, payload_kg=self.payload)

    def make_gripper(self) -> Gripper:
        kind = Rg2Modbus if self.gripper == "modbus" else Rg2XmlRpc
        host = self.gripper_host or self.host
        return kind(host, self.gripper_port) if self.gripper_port else kind(host)

    def make_camera(self) -> Camera:
        from wildgrasp.cameras.realsense import RealSenseCamera, RealSenseConfig

        return RealSenseCamera(RealSenseConfig(serial=self.camera_serial))

    def T_tool_camera(self) -> NDArray[np.float64]:
        """The calibration [4, 4], or the drawing's. Raises RobotError when the file is not what it should be."""
        if self.hand_eye is None:
            return T_TOOL_FINGERTIP @ NOMINAL_T_FINGERTIP_CAMERA
        return load_hand_eye(self.hand_eye)

    def episode_config(self) -> EpisodeConfig:
        """Raises RobotError when a file that it names is not what it should be."""
        limits = GuardLimits(
            model=MODELS[self.model],
            workspace_lower=self.workspace_lower,
            workspace_upper=self.workspace_upper,
            keep_out=() if self.keep_out is None else load_keep_out(self.keep_out),
            table_height_m=self.table_height,
            T_tool_camera=self.T_tool_camera(),
        )
        return EpisodeConfig(
            guard=limits, start_q=self.start_q, force_n=self.force, camera_latency_s=self.camera_latency
        )
