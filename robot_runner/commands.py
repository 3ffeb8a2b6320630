"""Command-line verbs of the robot."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from robot_runner.arm.kinematics import MODELS
from robot_runner.arm.ur_arm import UrArm
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, EpisodeResult, State
from robot_runner.gripper.rg2_modbus import Rg2Modbus
from robot_runner.guard import GuardLimits
from robot_runner.hand_eye import load_hand_eye
from robot_runner.runner import RunConfig, look_once, run_episodes
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA, T_TOOL_FINGERTIP


def run(
    policy: str,
    out: Path,
    host: str,
    gripper_host: str,
    gripper_port: int = 502,
    model: Literal["ur5", "ur5e"] = "ur5",
    episodes: int = 5,
    hand_eye: Path | None = None,
    table_height: float = 0.0,
    workspace_lower: tuple[float, float, float] = GuardLimits.workspace_lower,
    workspace_upper: tuple[float, float, float] = GuardLimits.workspace_upper,
    start_q: tuple[float, float, float, float, float, float] = EpisodeConfig.start_q,
    force: float = EpisodeConfig.force_n,
    camera_latency: float = 0.0,
    camera_serial: str = "",
    seed: int = 0,
    dry_run: bool = False,
    json: Path | None = None,
) -> int:
    """Let a policy grasp with a UR5 and an RG2, closed loop. The run is recorded as a session.

    Stay beside the emergency stop. Ctrl-C brings the arm to rest. A fault ends the run; nothing moves on by itself.

    Args:
        policy: A checkpoint, or a baseline by name (random, straight-down, heuristic).
        out: Session folder to write.
        host: Address of the arm's controller.
        gripper_host: Address of the gripper's Compute Box.
        gripper_port: Its Modbus TCP port.
        model: Which arm: ur5 (CB3) or ur5e.
        episodes: How many grasps to try.
        hand_eye: Hand–eye calibration (JSON with T_tool_camera). Without it the rig's drawing is taken, good to a
            centimetre only.
        table_height: Height of the table top in the robot's base, in metres.
        workspace_lower: Where the fingertips may go, in the robot's base: lower corner in metres.
        workspace_upper: And upper corner.
        start_q: Joint angles in rad from which each grasp starts.
        force: Grip force in newtons.
        camera_latency: Age of a picture when it arrives, in seconds.
        camera_serial: Serial number of the wrist camera, where several are plugged in.
        seed: Of policies that draw at random.
        dry_run: Look and decide once from where the arm stands; move nothing.
        json: Write the results to this file too.
    """
    from grasp_policy.registry import make_policy
    from wildgrasp.cameras.realsense import RealSenseCamera, RealSenseConfig

    console = Console()
    T_tool_camera = T_TOOL_FINGERTIP @ NOMINAL_T_FINGERTIP_CAMERA
    if hand_eye is None:
        console.print("No --hand-eye given: taking the camera's place from the rig's drawing.", style="yellow")
    else:
        T_tool_camera = load_hand_eye(hand_eye)
    limits = GuardLimits(
        model=MODELS[model],
        workspace_lower=workspace_lower,
        workspace_upper=workspace_upper,
        table_height_m=table_height,
        T_tool_camera=T_tool_camera,
    )
    episode = EpisodeConfig(guard=limits, start_q=start_q, force_n=force, camera_latency_s=camera_latency)
    chosen = make_policy(policy, seed=seed)
    camera = RealSenseCamera(RealSenseConfig(serial=camera_serial))
    arm, gripper = UrArm(host, model), Rg2Modbus(gripper_host, gripper_port)
    try:
        arm.connect()
        gripper.connect()
        if dry_run:
            return _tell_dry_run(console, *look_once(arm, gripper, camera, chosen, episode))
        config = RunConfig(episodes, episode, meta={"policy": policy, "host": host})
        results = run_episodes(
            arm,
            gripper,
            camera,
            chosen,
            out,
            config,
            on_event=lambda number, event: _tell_event(console, number, event),
            on_result=lambda number, result: _tell_result(console, number, result),
        )
    finally:
        arm.close()
        gripper.close()
    if json is not None:
        json.write_text(json_module.dumps(summary(results), indent=2) + "\n")
    return _tell_summary(console, results, out)


def summary(results: list[EpisodeResult]) -> dict[str, Any]:
    """Results of a run for ``--json``."""
    return {
        "attempts": len(results),
        "successes": sum(r.success for r in results),
        "episodes": [{**asdict(r), "success": r.success} for r in results],
    }


def _tell_event(console: Console, number: int, event: EpisodeEvent) -> None:
    if event.state not in (State.OBSERVE, State.MOVE) or event.text not in ("", "observed"):
        console.print(f"  {number}: {event.state.value:<8} {event.text}")


def _tell_result(console: Console, number: int, result: EpisodeResult) -> None:
    style = "green" if result.success else "red" if result.outcome == "fault" else "yellow"
    console.print(f"Episode {number}: {result.outcome} after {result.steps} steps. {result.reason}", style=style)


def _tell_dry_run(console: Console, decision: Any, verdict: Any) -> int:
    x, y, z = decision.T_base_fingertip[:3, 3]
    console.print(f"The policy would {decision.kind} to ({x:.3f}, {y:.3f}, {z:.3f}) m in the base. {decision.reason}")
    console.print(f"The guard would {verdict.kind} it. {verdict.reason}")
    console.print("Dry run: nothing moved.")
    return 0


def _tell_summary(console: Console, results: list[EpisodeResult], out: Path) -> int:
    successes = sum(r.success for r in results)
    console.print(f"{successes} of {len(results)} grasps succeeded. Recorded in {out}.")
    return 2 if results and results[-1].outcome == "fault" else 0
