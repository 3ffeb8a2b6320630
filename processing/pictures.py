"""Pictures of a processed session: for its report page, and for whoever wants to show one."""

from __future__ import annotations

import io
import itertools

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from wildgrasp.sessions.session import Poses, Session

Mask = NDArray[np.bool_]

GRIPPER_TINT, OBJECT_TINT = (70, 120, 255), (255, 150, 30)  # RGB
PATH, HOLD, LOST, RECORDED = "#3b6ea8", "#e07a1f", "#c0392b", "#999999"
OUTCOME = {"held": "#2e8b57", "empty": "#8a8a8a", "dropped": "#c0392b", "unfinished": "#c87f0a"}
STATUS = {"ok": "#2e8b57", "predicted": "#c87f0a", "lost": LOST}


def mask_overlay(color: NDArray[np.uint8], gripper: Mask | None, held: Mask | None) -> NDArray[np.uint8]:
    """A frame [H, W, 3] RGB with the gripper tinted blue and the held object orange, both outlined."""
    picture = color.copy()
    for mask, tint in ((gripper, GRIPPER_TINT), (held, OBJECT_TINT)):
        if mask is None or not mask.any():
            continue
        picture[mask] = (0.55 * picture[mask] + 0.45 * np.array(tint)).astype(np.uint8)
        outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outline, -1, tint, 2)
    return picture


def trajectory_figure(session: Session) -> bytes:
    """PNG: the path of the fingertips (of the camera where there is no gripper) in space, and its height over time."""
    poses = session.poses("tracking")
    figure = Figure(figsize=(10, 4.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    space = figure.add_subplot(1, 2, 1, projection="3d")
    time = figure.add_subplot(1, 2, 2)
    if poses is not None and any(s != "lost" for s in poses.status):
        _draw(session, poses, space, time)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def timeline_figure(session: Session) -> bytes:
    """PNG: over the session's time, the attempts with the fingers' opening, tracking with its own estimate of the
    error, and the interval from frame to frame."""
    figure = Figure(figsize=(10, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    fingers, tracking, frames = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1.3, 0.8))
    seconds = (session.times_ns - session.times_ns[0]) * 1e-9
    _draw_attempts(session, seconds, fingers)
    _draw_status(session, seconds, tracking)
    frames.plot(seconds[1:], 1e3 * np.diff(seconds), color=RECORDED, lw=0.8)
    frames.set_ylabel("frame\ninterval [ms]")
    frames.set_ylim(bottom=0)
    frames.set_xlabel("time [s]")
    frames.set_xlim(0, max(float(seconds[-1]), 1e-3))
    for gap in session.gaps():
        start, end = ((t - session.times_ns[0]) * 1e-9 for t in (gap.t_start_ns, gap.t_end_ns))
        frames.axvspan(start, end, color=LOST, alpha=0.3, lw=0)
    for panel in (fingers, tracking, frames):
        panel.grid(alpha=0.3)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _draw_attempts(session: Session, seconds: NDArray[np.float64], panel) -> None:
    """Each attempt's approach (pale), hold (full) and retreat (pale) behind the opening of the fingers."""
    for row in session.db.query("SELECT * FROM attempts ORDER BY id"):
        color = OUTCOME.get(row["outcome"], RECORDED)
        start, grasp, release, end = (seconds[row[f"frame_{n}"]] for n in ("start", "grasp", "release", "end"))
        panel.axvspan(start, end, color=color, alpha=0.12, lw=0)
        panel.axvspan(grasp, release, color=color, alpha=0.35, lw=0)
        panel.text((grasp + release) / 2, 1.04, f"{row['id']} {row['outcome']}", color=color, ha="center", fontsize=8)
    servo = session.servo()
    if servo:
        times = [(s.t_ns - session.times_ns[0]) * 1e-9 for s in servo]
        panel.plot(times, [s.opening for s in servo], color=PATH, lw=1.2)
    panel.set_ylim(-0.05, 1.2)
    panel.set_ylabel("fingers' opening")


def _draw_status(session: Session, seconds: NDArray[np.float64], panel) -> None:
    """Error estimate, over a background in the colour of each frame's status."""
    poses = session.poses("tracking")
    if poses is None:
        return
    status, times = np.array(poses.status), seconds[poses.frame_ids]
    changes = [0, *(np.flatnonzero(status[1:] != status[:-1]) + 1), len(status)]
    for a, b in itertools.pairwise(changes):
        until = times[b] if b < len(times) else times[-1]
        alpha = 0.15 if status[a] == "ok" else 0.5
        panel.axvspan(times[a], until, color=STATUS.get(status[a], LOST), alpha=alpha, lw=0)
    panel.plot(times, 1e3 * np.where(status == "lost", np.nan, poses.sigma_m), color=PATH, lw=1.0)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("error estimate\n[mm]")


def _draw(session: Session, poses: Poses, space, time) -> None:
    T_camera_tip = session.T_camera_fingertip
    T = poses.T_world_camera if T_camera_tip is None else poses.T_world_camera @ T_camera_tip
    known = np.array([s != "lost" for s in poses.status])
    up = _up(T, known)
    path = np.where(known[:, None], T[:, :3, 3], np.nan) @ up.T
    path[:, 2] -= np.nanmin(path[:, 2])
    seconds = (session.times_ns[poses.frame_ids] - session.times_ns[0]) * 1e-9
    space.plot(*path.T, color=PATH, lw=1.2, label="fingertips" if T_camera_tip is not None else "camera")
    time.plot(seconds, path[:, 2], color=PATH, lw=1.2)
    for number, row in enumerate(session.db.query("SELECT * FROM attempts ORDER BY id")):
        hold = slice(row["frame_grasp"], row["frame_release"] + 1)
        space.plot(*path[hold].T, color=HOLD, lw=2.2, label="holding" if number == 0 else None)
        time.plot(seconds[hold], path[hold, 2], color=HOLD, lw=2.2)
        space.text(*path[row["frame_grasp"]], f" {number + 1}", fontsize=10)
        time.annotate(f"{number + 1} {row['outcome']}", (seconds[hold.start], path[hold.start, 2]), fontsize=8)
    for n in np.flatnonzero(~known):
        time.axvspan(seconds[n] - 0.02, seconds[n] + 0.02, color=LOST, alpha=0.3, lw=0)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_major_locator(MaxNLocator(4))
    space.set_xlabel("x [m]")
    space.set_ylabel("y [m]")
    space.set_zlabel("height [m]")
    space.set_aspect("equal")
    space.legend(fontsize=8, loc="upper left")
    time.set_xlabel("time [s]")
    time.set_ylabel("height over the lowest point [m]")
    time.grid(alpha=0.3)


def _up(T_world_tip: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Rotation [3, 3] that turns the mean approach downwards: gravity is not measured, but hands reach down."""
    down = T_world_tip[known, :3, 2].mean(axis=0)
    z = -down / max(float(np.linalg.norm(down)), 1e-9)
    x = np.cross([0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
