"""A robot's run as a page: what became of each grasp, and what the wrist camera saw on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from wildgrasp.errors import SessionError
from wildgrasp.pages import data_uri
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.codecs import encode_color
from wildgrasp.sessions.session import Session

PAGE = "report.html"
STEPS_SHOWN = 8  # of each episode, evenly over it


def write_page(session: Session, page: Path) -> None:
    """Write one HTML file. Raises SessionError when the session is no robot's run, or ``page`` cannot be written."""
    episodes = list(session.db.query("SELECT * FROM episodes ORDER BY id"))
    if not episodes:
        raise SessionError(f"{session.path} holds no robot's episode. `wildgrasp process` makes pages of recordings.")
    environment = Environment(loader=PackageLoader("robot_runner", "."), autoescape=select_autoescape())
    html = environment.get_template("view.html.j2").render(
        name=session.path.name,
        policy=session.meta.get("policy"),
        simulated=bool(session.meta.get("simulated")),
        successes=sum(bool(episode["success"]) for episode in episodes),
        episodes=[_episode(session, episode) for episode in episodes],
    )
    try:
        page.write_text(html, encoding="utf-8")
    except OSError as error:
        raise SessionError(f"{page} cannot be written ({error.strerror}). Give another file with --out.") from error


def _episode(session: Session, episode: dict[str, Any]) -> dict[str, Any]:
    sql = "SELECT * FROM decisions WHERE episode_id = ? AND frame_id IS NOT NULL ORDER BY step"
    decisions = list(session.db.query(sql, (episode["id"],)))
    shown = np.unique(np.linspace(0, len(decisions) - 1, STEPS_SHOWN).astype(int)) if decisions else []
    return {
        **episode,
        "seconds": (episode["t_end_ns"] - episode["t_start_ns"]) * 1e-9,
        "shots": [_shot(session, decisions[k]) for k in shown],
    }


def _shot(session: Session, decision: dict[str, Any]) -> dict[str, str | None]:
    """The wrist camera's picture of a step, and the view that the chosen move promised, where there is one."""
    seen = data_uri(encode_color(session.frame(decision["frame_id"]).color[::2, ::2], 85))
    promised = None
    if decision["chosen"] is not None and decision["file"] is not None:
        views = session.read_arrays(BlobRef(decision["file"], decision["offset"])).get("views_color")
        if views is not None:
            promised = data_uri(encode_color(np.ascontiguousarray(views[decision["chosen"]]), 85))
    value = "" if decision["value"] is None else f", value {decision['value']:.2f}"
    return {"seen": seen, "promised": promised, "caption": f"step {decision['step']}: {decision['kind']}{value}"}
