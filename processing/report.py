"""The quality report of a processed session: one page that shows whether the data can be trusted."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from processing.mask_step import read_masks
from processing.pictures import mask_overlay, trajectory_figure
from wildgrasp.sessions.session import Session

REPORT_NAME = "report.html"
THUMBNAIL = (400, 300)


def write_report(session: Session, steps: Mapping[str, dict[str, Any]]) -> Path:
    """Render ``report.html`` inside the session folder; an older one is replaced only when the new one is whole."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("processing", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    seconds = (session.times_ns[-1] - session.times_ns[0]) * 1e-9 if len(session) else 0.0
    page = environment.get_template("report.html.j2").render(
        name=session.path.name,
        frames=len(session),
        seconds=float(seconds),
        camera=session.camera_info,
        tracking=steps["tracking"],
        masks=steps["masks"],
        attempts=_attempts(session),
        gaps=session.gaps(),
        seconds_of={name: found["seconds"] for name, found in steps.items() if name != "report" and "seconds" in found},
        trajectory=_embedded(trajectory_figure(session)),
        first=_embedded_image(session.frame(0).color) if len(session) else "",
    )
    path, draft = session.path / REPORT_NAME, session.path / f".{REPORT_NAME}.part"
    draft.write_text(page, encoding="utf-8")
    os.replace(draft, path)  # noqa: PTH105
    return path


def _attempts(session: Session) -> list[dict[str, Any]]:
    """Rows of the attempts table with their pictures."""
    gripper, objects = read_masks(session)
    rows = []
    for row in session.db.query("SELECT * FROM attempts ORDER BY id"):
        masks = objects.get(row["id"], {})
        pictures = [
            (title, _embedded_image(mask_overlay(session.frame(frame).color, gripper, masks.get(frame))))
            for title, frame in (
                ("approach", row["frame_start"]),
                ("half way", (row["frame_start"] + row["frame_grasp"]) // 2),
                ("grasp", row["frame_grasp"]),
                ("release", row["frame_release"]),
            )
        ]
        rows.append({**row, "pictures": pictures})
    return rows


def _embedded_image(color: NDArray[np.uint8]) -> str:
    small = cv2.resize(color, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return _embedded(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes(), "jpeg")


def _embedded(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
