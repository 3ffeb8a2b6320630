"""The quality report of a processed session: one page that shows whether the data can be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from processing.mask_step import read_masks
from processing.pictures import mask_overlay, timeline_figure, trajectory_figure
from processing.quality import Quality
from wildgrasp.pages import data_uri
from wildgrasp.sessions.session import Session

REPORT_NAME = "report.html"
THUMBNAIL_NAME = "thumbnail.jpg"
PICTURE, THUMBNAIL = (400, 300), (192, 144)


def write_report(session: Session, steps: Mapping[str, dict[str, Any]], quality: Quality) -> Path:
    """Render ``report.html`` and ``thumbnail.jpg`` inside the session folder; older ones are replaced only when the new
    ones are whole."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("processing", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    seconds = (session.times_ns[-1] - session.times_ns[0]) * 1e-9
    page = environment.get_template("report.html.j2").render(
        name=session.path.name,
        frames=len(session),
        seconds=float(seconds),
        camera=session.camera_info,
        tracking=steps["tracking"],
        masks=steps["masks"],
        quality=quality,
        attempts=_attempts(session),
        gaps=session.gaps(),
        health=_health(session, quality),
        seconds_of={name: found["seconds"] for name, found in steps.items() if name != "report" and "seconds" in found},
        trajectory=data_uri(trajectory_figure(session)),
        timeline=data_uri(timeline_figure(session)),
        first=data_uri(_jpeg(session.frame(0).color, PICTURE)),
    )
    _replace(session.path / THUMBNAIL_NAME, _thumbnail(session))
    _replace(session.path / REPORT_NAME, page.encode())
    return session.path / REPORT_NAME


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    os.replace(draft, path)  # noqa: PTH105


def _thumbnail(session: Session) -> bytes:
    """The grasp of the first attempt that held something, else the middle of the session."""
    gripper, objects = read_masks(session)
    order = "SELECT id, frame_grasp FROM attempts ORDER BY outcome <> 'held', id"
    row = next(iter(session.db.query(order)), None)
    if row is None:
        return _jpeg(session.frame(len(session) // 2).color, THUMBNAIL)
    frame = row["frame_grasp"]
    shown = mask_overlay(session.frame(frame).color, gripper, objects.get(row["id"], {}).get(frame))
    return _jpeg(shown, THUMBNAIL)


def _health(session: Session, quality: Quality) -> list[tuple[str, str]]:
    """What is known of the recording itself, as lines of a table."""
    told = session.meta.get("health") or {}
    seconds = (session.times_ns[-1] - session.times_ns[0]) * 1e-9
    rate = (len(session) - 1) / seconds if seconds > 0 else 0.0
    servo = session.servo()
    rows = [
        ("frames", f"{len(session)} at {rate:.2f} per second; {quality.missing_frames} missing"),
        ("gripper", f"{len(session.events())} events, {len(servo)} readings of the servo"),
        ("recording", "finished in order" if session.closed else "cut off"),
    ]
    if told.get("ended_early"):
        rows.append(("ended early", str(told["ended_early"])))
    if servo and any(s.temperature_c for s in servo):
        rows.append(("servo", f"at most {max(s.temperature_c or 0 for s in servo):.0f} °C"))
    rows += [(key, str(session.meta[key])) for key in ("participant", "task", "started") if session.meta.get(key)]
    return rows


def _attempts(session: Session) -> list[dict[str, Any]]:
    """Rows of the attempts table with their pictures."""
    gripper, objects = read_masks(session)
    rows = []
    for row in session.db.query("SELECT * FROM attempts ORDER BY id"):
        masks = objects.get(row["id"], {})
        pictures = []
        for title, frame in (
            ("approach", row["frame_start"]),
            ("half way", (row["frame_start"] + row["frame_grasp"]) // 2),
            ("grasp", row["frame_grasp"]),
            ("release", row["frame_release"]),
        ):
            shown = mask_overlay(session.frame(frame).color, gripper, masks.get(frame))
            pictures.append((title, data_uri(_jpeg(shown, PICTURE))))
        rows.append({**row, "pictures": pictures})
    return rows


def _jpeg(color: NDArray[np.uint8], size: tuple[int, int]) -> bytes:
    small = cv2.resize(color, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()
