"""Pictures of a processed session: for its report page, and for whoever wants to show one."""

from __future__ import annotations

import io

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


def mask_overlay(color: NDArray[np.uint8], gripper: Mask | None, held: Mask | None) -> NDArray[np.uint8]:
    """A frame [H, W, 3] RGB with the gripper tinted blue and the held object orange, both outlined."""
    picture = color.copy()
    for mask, tint in ((gripper, GRIPPER_TINT), (held, OBJECT_TINT)):
        if mask is None or not mask.any():
            continue
        picture[mask] = (0.55 * picture[mask] + 0.45 * np.array(tint)).astype(np.uint8)
        outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
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
