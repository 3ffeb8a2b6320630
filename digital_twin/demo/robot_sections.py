"""What the report shows of the robot's run: the views that decisions were made on, and a filmstrip of each grasp."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digital_twin.demo import figures
from digital_twin.demo.robot import GraspOutcome
from wildgrasp.pages import data_uri
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session

WRIST_FRAMES = 4  # of each grasp, beside those from outside


def decision_panels(session: Session) -> list[dict[str, str]]:
    """The 35 views with their values at three steps of the first grasp: at the start, half way, before closing."""
    sql = "SELECT * FROM decisions WHERE episode_id = 1 AND kind = 'move' AND chosen IS NOT NULL ORDER BY step"
    decisions = list(session.db.query(sql))
    shown = [decisions[k] for k in sorted({0, len(decisions) // 2, len(decisions) - 1})] if decisions else []
    panels = []
    for row in shown:
        arrays = session.read_arrays(BlobRef(row["file"], row["offset"]))
        if "views_color" not in arrays:
            continue
        image = figures.action_views(arrays["views_color"], arrays["views_depth"] > 0, arrays["values"], row["chosen"])
        caption = f"Grasp 1, step {row['step']}: the best of 35 views has the value {row['value']:.2f}."
        panels.append({"image": data_uri(image), "caption": caption})
    return panels


def robot_section(session: Session, outcomes: list[GraspOutcome], policy: str) -> dict[str, Any]:
    episodes = [_episode(session, outcome) for outcome in outcomes]
    timings = {name: _mean([o.result.timings_ms.get(name) for o in outcomes]) for name in ("fuse", "views", "q")}
    return {
        "text": (
            "A UR5 with an RG2 and the same camera on its wrist, over a pile of objects of kinds that nobody "
            "demonstrated. Each grasp starts half a metre away; the loop looks, chooses, moves, and closes when "
            "something is between the fingers. The paper counts a success when the fingers are not closed after "
            "lifting by 0.1 m; beside it stands what the simulation knows."
        ),
        "episodes": episodes,
        "timings": {name: ms for name, ms in timings.items() if ms is not None},
        "step_ms": sum(ms for ms in timings.values() if ms is not None),
    }


def _episode(session: Session, outcome: GraspOutcome) -> dict[str, Any]:
    result = outcome.result
    truth_text = f"held {' and '.join(outcome.lifted)}" if outcome.lifted else "held nothing"
    verdict = f"{result.outcome} ({truth_text} in truth)"
    return {
        "number": outcome.number,
        "success": result.success,
        "truth": bool(outcome.lifted),
        "truth_text": truth_text,
        "verdict": verdict,
        "image": data_uri(_filmstrip(session, outcome)),
        "caption": f"Outside views, and what the wrist camera saw on the way; {result.reason.rstrip('.')}.",
        "width_mm": "–" if result.width_m is None else f"{result.width_m * 1e3:.0f}",
        "steps": result.steps,
        "seconds": f"{(result.t_end_ns - result.t_start_ns) * 1e-9:.0f}",
        "reason": result.reason,
    }


def _filmstrip(session: Session, outcome: GraspOutcome) -> bytes:
    sql = "SELECT DISTINCT frame_id, step FROM decisions WHERE episode_id = ? AND frame_id IS NOT NULL ORDER BY step"
    rows = list(session.db.query(sql, (outcome.number,)))
    chosen = [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, WRIST_FRAMES).astype(int))] if rows else []
    wrist = [(f"wrist, step {row['step']}", session.frame(row["frame_id"]).color) for row in chosen]
    outside = list(outcome.outside)
    film: list[tuple[str, NDArray[np.uint8]]] = outside[:1] + wrist + outside[1:]
    if not film:
        film = [("no picture", np.full((60, 80, 3), 235, np.uint8))]
    return figures.strip([image for _, image in film], [caption for caption, _ in film], width=200)


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
