"""The demo's page: one HTML file with its pictures inside."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from digital_twin.demo.robot import GraspOutcome
from digital_twin.demo.robot_sections import decision_panels, robot_section
from digital_twin.demo.sections import processing_section, recording_section
from wildgrasp.sessions.session import Session

TWIN_NOTE = (
    "The firmware's AVR binary runs in a cycle-accurate simulator with a virtual AX-12A servo; the person, the "
    "objects and the robot live in MuJoCo, where contact and friction alone hold an object; camera pictures "
    "carry a depth camera's noise and holes. Recorder, processing, policy, guard and runner are the product "
    "itself: it reads a serial port and a camera, and drives the arm through the unmodified ur_rtde client and "
    "the gripper over Modbus TCP. Nothing here was run on real hardware."
)
STAGES = {
    "recording": "Recording (in real time)",
    "processing": "Processing the recording",
    "robot": "Robot grasps (in real time)",
}


def write_report(
    page: Path,
    recording: Path,
    truth_file: Path,
    robot_run: Path,
    outcomes: list[GraspOutcome],
    seconds: dict[str, float],
    policy: str,
) -> Path:
    """Write the page from the two sessions, the truth and the outcomes; returns its path."""
    with Session(recording) as session:
        told = recording_section(session)
        found = processing_section(session, truth_file)
    with Session(robot_run) as session:
        panels = decision_panels(session)
        robot = robot_section(session, outcomes, policy)
    environment = Environment(loader=PackageLoader("digital_twin.demo", "."), autoescape=select_autoescape())
    html = environment.get_template("report.html.j2").render(
        twin_note=TWIN_NOTE,
        facts=_facts(found, outcomes, robot["step_ms"]),
        recording=told,
        processing=found,
        decisions=panels,
        robot=robot,
        timings=_timings(seconds, robot["timings"]),
        versions=f"WildGrasp {version('wildgrasp')}, Python {platform.python_version()}, policy {Path(policy).name}",
    )
    page.write_text(html, encoding="utf-8")
    return page


def _facts(found: dict[str, Any], outcomes: list[GraspOutcome], step_ms: float) -> list[dict[str, str]]:
    held = sum(row["outcome"] == "held" for row in found["attempts"])
    won, true = sum(o.result.success for o in outcomes), sum(bool(o.lifted) for o in outcomes)
    return [
        {"value": f"{held} of {len(found['attempts'])}", "label": "demonstrated picks recovered"},
        {"value": f"{found['ate_mm']:.1f} mm", "label": "error of the recovered camera path"},
        {"value": f"{won} of {len(outcomes)}", "label": "robot grasps, as the paper counts"},
        {"value": f"{true} of {len(outcomes)}", "label": "robot grasps, in the simulation's truth"},
        {"value": f"{step_ms:.0f} ms", "label": "to fuse, render 35 views and value them"},
    ]


def _timings(seconds: dict[str, float], decision_ms: dict[str, float]) -> list[dict[str, str]]:
    rows = [{"label": STAGES[name], "value": f"{s:.0f} s"} for name, s in seconds.items() if name in STAGES]
    names = {"fuse": "Fusing one frame", "views": "Rendering 35 views", "q": "Valuing them"}
    return rows + [{"label": names[k], "value": f"{ms:.1f} ms"} for k, ms in decision_ms.items() if k in names]
