"""The steps from a recorded session to attempts, masks, a trajectory and grasps.

    attempts ──> masks ──> tracking ──> grasps ──> report

Attempts need the button and the servo alone; masks (mask_step.py) come before tracking, which must not look at what is
held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.accuracy import compare_poses
from processing.attempts import Attempt, AttemptConfig, find_attempts
from processing.ignored import IgnoreConfig, Ignored, openings_at_frames, readout_of, views
from processing.mask_config import MaskConfig
from processing.mask_step import Mask, insert_mask, read_masks
from processing.masks import carry_to, share_still_there
from processing.steps import Found
from processing.tracking.keyframe_tracker import TrackerConfig
from processing.tracking.methods import make_tracker
from processing.tracking.trajectory import verdict_of
from wildgrasp.geometry import to_vector
from wildgrasp.rig import MAX_OPENING_M, gripper_mask
from wildgrasp.sessions.session import Poses, Session, SessionEdit

OnFraction = Callable[[float], None]

OPENED_S = 0.5  # after the release the fingers are open, and what fell has landed
FELL = "it was gone when the fingers had opened: let go in mid-air"
GRASP_COLUMNS = ("gx", "gy", "gz", "gqx", "gqy", "gqz", "gqw")


def attempts_of(session: Session, config: AttemptConfig) -> list[Attempt]:
    return find_attempts(session.events(), session.servo(), session.times_ns, config)


# --- attempts ---------------------------------------------------------------------------------------------------------


def find_session_attempts(session: Session, config: AttemptConfig, on_fraction: OnFraction) -> Found:
    """Events and servo readings → rows of the attempts table, without poses yet."""
    attempts = attempts_of(session, config)

    def write(edit: SessionEdit) -> None:
        edit.execute("DELETE FROM attempts")
        for a in attempts:
            edit.execute(
                "INSERT INTO attempts (id, t_press_ns, t_release_ns, frame_start, frame_grasp, frame_release, "
                "frame_end, outcome, reason) VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    a.number + 1,
                    a.t_press_ns,
                    a.t_release_ns,
                    a.frame_start,
                    a.frame_grasp,
                    a.frame_release,
                    a.frame_end,
                    a.outcome,
                    a.reason,
                ),
            )

    return Found(write, {"attempts": [dataclasses.asdict(a) for a in attempts]})


# --- tracking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrackingStepConfig:
    tracker: TrackerConfig
    ignore: IgnoreConfig


def ignored_in_tracking(session: Session, attempts: Sequence[Attempt], config: IgnoreConfig) -> Ignored:
    """What tracking does not look at: gripper and held objects, as the mask step found them."""
    gripper, objects = read_masks(session, "held")
    held = {a.number: objects[a.number + 1][a.frame_grasp] for a in attempts if a.number + 1 in objects}
    return Ignored(
        session.camera,
        session.T_camera_fingertip,
        attempts,
        session.times_ns,
        openings_at_frames(session),
        config,
        gripper,
        held,
    )


def track_session(
    session: Session,
    attempts: Sequence[Attempt],
    config: TrackingStepConfig,
    on_fraction: OnFraction,
) -> Found:
    """All frames' poses, source 'tracking', with gripper and held objects masked."""
    ignored = ignored_in_tracking(session, attempts, config.ignore)
    tracker = make_tracker(session.camera, config.tracker, readout_of(session))
    for n, view in enumerate(views(session, ignored, range(len(session)))):
        tracker.register_frame(view)
        if n % 15 == 0:
            on_fraction(0.8 * n / len(session))
    trajectory = tracker.finish()
    poses = trajectory.as_poses()
    recorded = session.poses("recorded")
    accuracy = None if recorded is None else compare_poses(poses, recorded)
    report = {
        "verdict": trajectory.verdict,
        "frames": len(session),
        "lost_frames": trajectory.lost_frames,
        "method": config.tracker.method,
        "keyframes": tracker.keyframe_count,
        "sigma_mm_median": _finite_median_mm(trajectory.sigma_m),
        "accuracy": None if accuracy is None else dataclasses.asdict(accuracy),
    }
    return Found(lambda edit: edit.set_poses("tracking", poses), report)


def _finite_median_mm(sigma_m: NDArray[np.float64]) -> float | None:
    known = sigma_m[np.isfinite(sigma_m)]
    return float(1e3 * np.median(known)) if len(known) else None


# --- grasps -----------------------------------------------------------------------------------------------------------


def find_grasps(session: Session, attempts: Sequence[Attempt], config: MaskConfig, on_fraction: OnFraction) -> Found:
    """The final grasp pose of each attempt, how well its frames were tracked, and its object seen in the approach."""
    poses = session.poses("tracking")
    T_camera_fingertip = session.T_camera_fingertip
    _, objects = read_masks(session)
    updates, carried, fallen = [], [], []
    _, held = read_masks(session, "held")
    for n, attempt in enumerate(attempts):
        on_fraction(n / max(len(attempts), 1))
        frames = slice(attempt.frame_start, attempt.frame_end + 1)
        grasp: list[float | None] = [None] * 7
        known = poses.status[attempt.frame_grasp] != "lost"
        if known and T_camera_fingertip is not None:
            grasp = to_vector(poses.T_world_camera[attempt.frame_grasp] @ T_camera_fingertip).tolist()
        updates.append((verdict_of(poses.status[frames]), *grasp, attempt.number + 1))
        whole = held.get(attempt.number + 1, {}).get(attempt.frame_grasp)
        judged = config.fallen_share > 0 and attempt.outcome == "held" and whole is not None
        if judged and fell_at_release(session, attempt, whole, poses, config):
            fallen.append(attempt.number + 1)
        mask = objects.get(attempt.number + 1, {}).get(attempt.frame_grasp)
        if mask is not None and known:
            carried += _seen_in_approach(session, attempt, mask, poses.T_world_camera, poses.status, config)

    def write(edit: SessionEdit) -> None:
        columns = ", ".join(f"{c} = ?" for c in ("tracking", *GRASP_COLUMNS))
        for row in updates:
            edit.execute(f"UPDATE attempts SET {columns} WHERE id = ?", row)
        for attempt in attempts:
            fell = attempt.number + 1 in fallen
            outcome = ("dropped", FELL) if fell else (attempt.outcome, attempt.reason)
            edit.execute("UPDATE attempts SET outcome = ?, reason = ? WHERE id = ?", (*outcome, attempt.number + 1))
            keep = (attempt.number + 1, attempt.frame_grasp)
            edit.execute("DELETE FROM masks WHERE kind = 'object' AND attempt_id = ? AND frame_id <> ?", keep)
        for attempt_id, frame, mask in carried:
            insert_mask(edit, "object", attempt_id, frame, mask, 0.0)

    return Found(write, {"tracking": [u[0] for u in updates], "masks_in_approach": len(carried), "fallen": fallen})


def fell_at_release(session: Session, attempt: Attempt, held: Mask, poses: Poses, config: MaskConfig) -> bool:
    """Whether what was held is gone once the fingers have opened: let go in mid-air, not set down.

    False where the pictures cannot tell.
    """
    opened = attempt.frame_release + round(OPENED_S * session.camera_info.fps)
    before = max(attempt.frame_release - 1, attempt.frame_grasp)
    if attempt.t_release_ns is None or opened >= len(session):
        return False
    if poses.status[before] == "lost" or poses.status[opened] == "lost":
        return False
    share = share_still_there(
        held,
        session.frame(before).depth,
        poses.T_world_camera[before],
        session.frame(opened).depth,
        poses.T_world_camera[opened],
        gripper_mask(session.camera, session.T_camera_fingertip, MAX_OPENING_M),
        session.camera,
        config,
    )
    return share is not None and share < config.fallen_share


def _seen_in_approach(session: Session, attempt: Attempt, mask: Mask, T_world_camera, status, config: MaskConfig):
    """(attempt id, frame, mask) at the start and in the middle of the approach, where the object is in view."""
    rows = []
    reference_depth = session.frame(attempt.frame_grasp).depth
    for frame in sorted({attempt.frame_start, (attempt.frame_start + attempt.frame_grasp) // 2}):
        if frame >= attempt.frame_grasp or status[frame] == "lost":
            continue
        seen = carry_to(
            mask,
            T_world_camera[attempt.frame_grasp],
            session.frame(frame).depth,
            T_world_camera[frame],
            session.camera,
            reference_depth,
            config,
        )
        if seen.sum() >= config.min_area_px:
            rows.append((attempt.number + 1, frame, seen))
    return rows
