"""What the report says and shows: one function per section, from sessions to words and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digital_twin.demo import figures
from digital_twin.demonstrator.truth import load_truth
from processing.accuracy import compare
from processing.pictures import mask_overlay
from processing.tracking.alignment import rigid_fit
from wildgrasp.geometry import from_vector, inverse, rotation_angle
from wildgrasp.pages import data_uri
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session

Section = dict[str, Any]


# --- 1: the recording -------------------------------------------------------------------------------------------------


def recording_section(session: Session) -> Section:
    attempts = attempt_rows(session)
    events, servo = session.events(), session.servo()
    picks = []
    for number, attempt in enumerate(attempts, 1):
        shown = _moments(attempt)
        images = [session.frame(frame).color for frame, _ in shown]
        picks.append(
            {
                "image": data_uri(figures.strip(images, [text for _, text in shown])),
                "caption": f"Pick {number}, as the camera on the gripper saw it.",
            }
        )
    health = session.meta["health"]
    presses = sum(event.kind == "press" for event in events)
    text = (
        "A simulated person looks around, approaches an object, presses the button on the grip, lifts, puts "
        f"it down and lets go, {presses} times. The firmware closes the fingers and reports over its serial "
        f"port; the recorder wrote {health['frames']} frames of 640×480 colour and depth at "
        f"{health['fps']:.1f} a second ({health['lost_frames']} lost), {health['events']} gripper events and "
        f"{health['servo_samples']} servo readings."
    )
    fit = session.meta["gripper"]["clock_fit"]
    clock = (
        f"drift {fit['drift_ppm']:+.0f} ppm, uncertainty ± {fit['uncertainty_ns'] * 1e-6:.2f} ms"
        if fit
        else "not known at the end of the recording"
    )
    timeline = figures.timeline(events, servo, attempts, int(session.times_ns[0]))
    return {"text": text, "picks": picks, "timeline": data_uri(timeline), "clock": clock}


def attempt_rows(session: Session) -> list[dict[str, Any]]:
    return list(session.db.query("SELECT * FROM attempts ORDER BY id"))


def _moments(attempt: dict[str, Any]) -> list[tuple[int, str]]:
    start, grasp, release, end = (attempt[f"frame_{name}"] for name in ("start", "grasp", "release", "end"))
    return [
        (start + (grasp - start) // 4, "looks"),
        (start + (grasp - start) * 2 // 3, "approaches"),
        (grasp, "fingers closed"),
        (grasp + (release - grasp) // 2, "carries"),
        (end, "has let go"),
    ]


# --- 2: processing ----------------------------------------------------------------------------------------------------


def processing_section(session: Session, truth_file: Path) -> Section:
    truth = load_truth(truth_file)
    poses = session.poses("tracking")
    attempts = attempt_rows(session)
    T_true_camera = _true_cameras(session, truth)[poses.frame_ids]
    # The tracker's world is where its first frame was; the twin's is the table's.
    T_fit = rigid_fit(poses.T_world_camera[:, :3, 3], T_true_camera[:, :3, 3])
    T_camera = T_fit @ poses.T_world_camera
    ate_mm = compare(poses.T_world_camera, T_true_camera).ate_mm
    segments = [(a["frame_start"], a["frame_end"] + 1, f"pick {k}") for k, a in enumerate(attempts, 1)]
    grasps = [T_fit @ _grasp(a) for a in attempts if a["gx"] is not None]
    tips = T_camera @ session.T_camera_fingertip, T_true_camera @ session.T_camera_fingertip
    rows = [_attempt_row(k, a, truth, inverse(T_fit), session) for k, a in enumerate(attempts, 1)]
    lost = sum(status == "lost" for status in poses.status)
    return {
        "text": (
            "The gripper's own pixels are masked, the camera is tracked through the rest, and the button says "
            f"what was a grasp. {len(attempts)} attempts were found; {len(poses.status) - lost} of "
            f"{len(poses.status)} frames have a pose."
        ),
        "trajectories": data_uri(figures.trajectories(*tips, segments, grasps)),
        "accuracy": f"Against the twin's truth the camera's path is off by {ate_mm:.2f} mm (root mean square).",
        "ate_mm": ate_mm,
        "masks": data_uri(_mask_strip(session, attempts)),
        "attempts": rows,
    }


def _true_cameras(session: Session, truth: dict[str, NDArray]) -> NDArray[np.float64]:
    """T_world_camera [N, 4, 4] of the twin at the session's frames (the nearest noted ones)."""
    nearest = np.abs(truth["t_ns"][None] - session.times_ns[:, None]).argmin(axis=1)
    return from_vector(truth["T_world_camera"][nearest])


def _grasp(attempt: dict[str, Any]) -> NDArray[np.float64]:
    return from_vector(np.array([attempt[name] for name in ("gx", "gy", "gz", "gqx", "gqy", "gqz", "gqw")]))


def _attempt_row(
    number: int, attempt: dict[str, Any], truth: dict[str, NDArray], T_world_true: NDArray, session: Session
) -> dict[str, Any]:
    t0 = session.times_ns[attempt["frame_start"]]
    row = {
        "number": number,
        "outcome": attempt["outcome"],
        "reason": attempt["reason"],
        "approach_s": f"{(attempt['t_press_ns'] - t0) * 1e-9:.1f}",
        "held_s": f"{(attempt['t_release_ns'] - attempt['t_press_ns']) * 1e-9:.1f}" if attempt["t_release_ns"] else "–",
        "error": "–",
    }
    if attempt["gx"] is not None and len(truth["attempt_press_ns"]):
        which = int(np.abs(truth["attempt_press_ns"] - attempt["t_press_ns"]).argmin())
        delta = inverse(T_world_true @ from_vector(truth["attempt_T_world_fingertip"][which])) @ _grasp(attempt)
        shift_mm = np.linalg.norm(delta[:3, 3]) * 1e3
        row["error"] = f"{shift_mm:.1f} mm, {np.rad2deg(rotation_angle(delta[:3, :3])):.2f}°"
    return row


def _mask_strip(session: Session, attempts: list[dict[str, Any]]) -> bytes:
    masks = list(session.db.query("SELECT kind, attempt_id, frame_id, file, offset FROM masks"))
    gripper = next((session.read_mask(_ref(m)) for m in masks if m["kind"] == "gripper"), None)
    images, captions = [], []
    for number, attempt in enumerate(attempts, 1):
        row = next((m for m in masks if m["kind"] == "object" and m["attempt_id"] == attempt["id"]), None)
        held = session.read_mask(_ref(row)) if row else None
        frame = row["frame_id"] if row else attempt["frame_grasp"]
        images.append(mask_overlay(session.frame(frame).color, gripper, held))
        captions.append(f"pick {number}" + ("" if row else ": no object found"))
    return figures.strip(images, captions, width=320)


def _ref(row: dict[str, Any]) -> BlobRef:
    return BlobRef(row["file"], row["offset"])
