"""Command-line verbs of the robot."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from robot_runner import doctor, runner
from robot_runner.episode_types import EpisodeEvent, EpisodeResult, State
from robot_runner.rig_options import RigOptions
from robot_runner.runner import DryRun, RunConfig, run_episodes
from robot_runner.view import PAGE, write_page
from wildgrasp.doctor import as_json, exit_code, tell
from wildgrasp.sessions.session import Session

Rig = Annotated[RigOptions, tyro.conf.arg(name="")]


def run(
    rig: Rig,
    policy: str,
    out: Path,
    weights: Path | None = None,
    episodes: int = 5,
    seed: int = 0,
    dry_run: bool = False,
    json: Path | None = None,
) -> int:
    """Let a policy grasp with a UR5 and an RG2, closed loop. The run is recorded as a session.

    Stay beside the emergency stop. Ctrl-C brings the arm to rest. A fault ends the run; nothing moves on by itself.

    Args:
        rig: Which robot.
        policy: A checkpoint, or a baseline by name (random, straight-down, heuristic, ggcnn, vgn).
        out: Session folder to write.
        weights: Of ggcnn or vgn, instead of those that come along; see docs/baselines.md.
        episodes: How many grasps to try.
        seed: Of policies that draw at random.
        dry_run: All but motion: look and decide once from where the arm stands. Exit code 1 if the guard refuses.
        json: Write the results to this file too.
    """
    from grasp_policy.registry import make_policy

    console = Console()
    if rig.hand_eye is None:
        console.print("No --hand-eye given: taking the camera's place from the rig's drawing.", style="yellow")
    episode = rig.episode_config()
    chosen = make_policy(policy, seed=seed, weights=weights)
    arm, gripper, camera = rig.make_arm(), rig.make_gripper(), rig.make_camera()
    try:
        arm.connect()
        gripper.connect()
        if dry_run:
            return _tell_dry_run(console, runner.dry_run(arm, gripper, camera, chosen, episode))
        config = RunConfig(
            episodes, episode, meta={"policy": policy, "weights": weights and str(weights), "host": rig.host}
        )
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


def doctor_robot(rig: Rig, json: Path | None = None) -> int:
    """Is the robot ready? Looks at controller, arm, gripper, camera, calibration and links; moves nothing.

    Exit code 0: ready, 1: something is to be mended, and each line says how. Do not call it during a run.

    Args:
        rig: Which robot.
        json: Write the findings to this file too.
    """
    findings = tell(doctor.examine_robot(rig, rig.make_arm(), rig.make_gripper(), rig.make_camera()), Console())
    if json is not None:
        json.write_text(json_module.dumps(as_json(findings), indent=2) + "\n")
    return exit_code(findings)


def summary(results: list[EpisodeResult]) -> dict[str, Any]:
    """Results of a run for ``--json``."""
    return {
        "attempts": len(results),
        "successes": sum(r.success for r in results),
        "episodes": [{**asdict(r), "success": r.success} for r in results],
    }


def view(session: tyro.conf.Positional[Path], out: Path | None = None) -> None:
    """Write a page of a robot's run, or of an evaluation's saved episode: outcomes, and what the wrist camera saw.

    Args:
        session: The folder that `wildgrasp run`, the console or `wildgrasp evaluate --save` wrote.
        out: Where the page goes; by default report.html in the session's folder.
    """
    page = session / PAGE if out is None else out
    with Session(session) as opened:
        write_page(opened, page)
    Console().print(str(page), soft_wrap=True)


def _tell_event(console: Console, number: int, event: EpisodeEvent) -> None:
    if event.state not in (State.OBSERVE, State.MOVE) or event.text not in ("", "observed"):
        console.print(f"  {number}: {event.state.value:<8} {event.text}")


def _tell_result(console: Console, number: int, result: EpisodeResult) -> None:
    style = "green" if result.success else "red" if result.outcome == "fault" else "yellow"
    console.print(f"Episode {number}: {result.outcome} after {result.steps} steps. {result.reason}", style=style)


def _tell_dry_run(console: Console, dry: DryRun) -> int:
    decision = dry.decision
    x, y, z = decision.T_base_fingertip[:3, 3]
    console.print(f"The policy would {decision.kind} to ({x:.3f}, {y:.3f}, {z:.3f}) m in the base. {decision.reason}")
    judged = (("the way to the start pose", dry.start), ("this move", dry.move), ("the lift after it", dry.lift))
    for name, verdict in judged:
        console.print(f"The guard would {verdict.kind} {name}. {verdict.reason}")
    console.print("Dry run: nothing moved.")
    return 1 if any(verdict.kind == "refuse" for _, verdict in judged) else 0


def _tell_summary(console: Console, results: list[EpisodeResult], out: Path) -> int:
    successes = sum(r.success for r in results)
    console.print(f"{successes} of {len(results)} grasps succeeded. Recorded in {out}.")
    return 2 if results and results[-1].outcome == "fault" else 0
