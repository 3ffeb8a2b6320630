"""The verb ``demo``: the main job end to end on the digital twin, and a page that shows it."""

from __future__ import annotations

import json as json_module
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from digital_twin.demo.record import record_picks
from digital_twin.demo.report import write_report
from digital_twin.demo.robot import GraspOutcome, run_grasps
from digital_twin.demonstrator.take import truth_path
from grasp_policy.checkpoints import SHIPPED
from grasp_policy.registry import make_policy
from processing.pipeline import process_session
from robot_runner.episode_types import EpisodeEvent, State
from wildgrasp.errors import UserError
from wildgrasp.sessions.names import new_session_path


def demo(
    out: Path = Path("demo"),
    seed: int = 7,
    picks: int = 3,
    episodes: int = 5,
    policy: str = str(SHIPPED),
    json: Path | None = None,
) -> int:
    """Record picks, process them, let the robot grasp; all on the digital twin, with the product's own code.

    Args:
        out: Folder for the recordings (one folder per call) and report.html.
        seed: Of the person's kitchen and the robot's pile.
        picks: How often the person picks something up.
        episodes: How often the robot tries to.
        policy: A checkpoint, or a baseline by name (random, straight-down, heuristic).
        json: Write the outcomes and timings to this file too.
    """
    console = Console()
    make_policy(policy)  # a checkpoint that cannot be read is said before anything is recorded
    folder = new_session_path(out / "runs", datetime.now())
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}). Give another folder with --out.") from error
    recording, robot_run = folder / "recording", folder / "robot-run"
    seconds: dict[str, float] = {}

    with _stage(console, "1/4 A simulated person records", seconds, "recording") as say:
        summary = record_picks(recording, seed, picks, lambda p: say(f"pick {min(p.attempts + 1, picks)}: {p.phase}"))
    console.print(
        f"    {summary.frames} frames in {summary.duration_s:.0f} s, {summary.events} gripper events: {recording}"
    )

    with _stage(console, "2/4 Processing", seconds, "processing") as say:
        processed = process_session(recording, on_progress=lambda step, done: say(f"{step} {100 * done:.0f} %"))
    console.print(f"    attempts: {processed.attempts}; tracking: {processed.tracking}")

    with _stage(console, "3/4 The robot grasps", seconds, "robot") as say:
        outcomes = run_grasps(
            robot_run,
            policy,
            seed,
            episodes,
            on_event=lambda number, event: say(f"grasp {number}: {_words(event)}"),
            on_outcome=lambda outcome: console.print(f"    {_verdict(outcome)}"),
        )

    with _stage(console, "4/4 The report", seconds, "report"):
        page = write_report(out / "report.html", recording, truth_path(recording), robot_run, outcomes, seconds, policy)
    console.print(_table(outcomes))
    console.print(
        f"{sum(o.result.success for o in outcomes)} of {len(outcomes)} grasps succeeded as the paper counts, "
        f"{sum(bool(o.lifted) for o in outcomes)} in truth. Open {page}"
    )
    if json is not None:
        json.write_text(json_module.dumps(_as_json(outcomes, seconds, processed.as_json()), indent=2) + "\n")
    return 0


@contextmanager
def _stage(console: Console, title: str, seconds: dict[str, float], name: str):
    started = time.monotonic()
    with console.status(title) as status:
        yield lambda text: status.update(f"{title}: {text}")
    seconds[name] = time.monotonic() - started
    console.print(f"[bold]{title}[/bold] ({seconds[name]:.0f} s)")


def _words(event: EpisodeEvent) -> str:
    return event.state.value if event.state in (State.OBSERVE, State.MOVE) else f"{event.state.value} {event.text}"


def _verdict(outcome: GraspOutcome) -> str:
    truth = f"in truth it held {' and '.join(outcome.lifted)}" if outcome.lifted else "in truth it held nothing"
    return f"grasp {outcome.number}: {outcome.result.outcome} after {outcome.result.steps} steps; {truth}"


def _table(outcomes: list[GraspOutcome]) -> Table:
    table = Table("grasp", "as the paper counts", "in truth", "fingers", "steps", "seconds", "how it ended")
    for o in outcomes:
        r = o.result
        table.add_row(
            str(o.number),
            "success" if r.success else "failure",
            " and ".join(o.lifted) or "nothing held",
            "–" if r.width_m is None else f"{r.width_m * 1e3:.0f} mm",
            str(r.steps),
            f"{(r.t_end_ns - r.t_start_ns) * 1e-9:.0f}",
            r.reason,
        )
    return table


def _as_json(outcomes: list[GraspOutcome], seconds: dict[str, float], processed: dict) -> dict:
    return {
        "attempts": len(outcomes),
        "successes": sum(o.result.success for o in outcomes),
        "successes_in_truth": sum(bool(o.lifted) for o in outcomes),
        "seconds": seconds,
        "processing": processed,
        "episodes": [
            {
                "outcome": o.result.outcome,
                "reason": o.result.reason,
                "success": o.result.success,
                "lifted": list(o.lifted),
                "width_m": o.result.width_m,
                "steps": o.result.steps,
                "seconds": (o.result.t_end_ns - o.result.t_start_ns) * 1e-9,
                "timings_ms": o.result.timings_ms,
            }
            for o in outcomes
        ],
    }
