"""The steps from a recorded session to attempts, masks, a trajectory and grasps.

    attempts ─┬─> masks ──> tracking ──> grasps ──> report
              └ the button and the servo alone

Masks come first and make their own rough trajectories of a few seconds each, because tracking must not look at what is
held, and what is held cannot be known without a trajectory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processing.accuracy import compare_poses
from processing.attempts import Attempt, AttemptConfig, find_attempts
from processing.fingers import median_depth, visible_gripper
from processing.ignored import IgnoreConfig, Ignored, openings_at_frames, views
from processing.masks import ClipImages, MaskConfig, ObjectMask, carry_to, object_mask, static_mask
from processing.steps import Found
from processing.tracking.keyframe_tracker import KeyframeTracker, TrackerConfig
from processing.tracking.trajectory import verdict_of
from wildgrasp.geometry import to_vector
from wildgrasp.rig import MAX_OPENING_M
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session, SessionEdit

Mask = NDArray[np.bool_]
OnFraction = Callable[[float], None]

GRASP_COLUMNS = ("gx", "gy", "gz", "gqx", "gqy", "gqz", "gqw")


@dataclass(frozen=True)
class ClipConfig:
    """The short clips in which masks are sought."""

    every_s: float = 0.1
    longest_s: float = 3.0


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


# --- masks ------------------------------------------------------------------------------------------------------------


def find_session_masks(
    session: Session,
    attempts: Sequence[Attempt],
    configs: tuple[MaskConfig, ClipConfig, IgnoreConfig, TrackerConfig],
    on_fraction: OnFraction,
) -> Found:
    """The gripper's mask for the session, and of each attempt the mask of what was held."""
    masks, clips, ignore, tracker = configs
    if session.T_camera_fingertip is None:
        return Found(_clear_masks, {"gripper": "the session has no gripper", "objects": []})
    rough = replace(tracker, refinement=None)
    ignored = Ignored(
        session.camera, session.T_camera_fingertip, attempts, openings_at_frames(session), ignore, static=None
    )
    open_outline = ignored.gripper(1.0)
    learned = np.zeros_like(open_outline)
    approach = _approach_frames(session, attempts, clips)
    if len(approach) > 2:
        clip = _rough_clip(session, ignored, approach, rough)
        learned = static_mask(clip, session.camera, open_outline, masks) & ~open_outline
    gripper = open_outline | learned
    ignored = replace(ignored, static=gripper)
    fingertip_px = session.camera.project(session.T_camera_fingertip[:3, 3])
    objects: dict[int, ObjectMask] = {}
    for n, attempt in enumerate(attempts):
        on_fraction((n + 1) / (len(attempts) + 1))
        if attempt.outcome == "empty":
            continue
        clip = _rough_clip(session, ignored, _sample(session, attempt.hold, clips), rough)
        width = MAX_OPENING_M * (1.0 if attempt.opening is None else attempt.opening)
        if not clip.depths:
            continue
        fingers = visible_gripper(
            session.camera,
            session.T_camera_fingertip,
            width,
            median_depth(clip.depths),
            masks.finger_margin_px,
        )
        objects[attempt.number] = object_mask(clip, session.camera, fingers | learned, fingertip_px, masks)

    def write(edit: SessionEdit) -> None:
        _clear_masks(edit)
        _insert_mask(edit, "gripper", None, None, gripper, float(learned.mean()))
        for attempt in attempts:
            found = objects.get(attempt.number)
            if found is not None and found.mask.any():
                _insert_mask(edit, "object", attempt.number + 1, attempt.frame_grasp, found.mask, found.score)

    report = {
        "gripper": f"{gripper.mean():.1%} of the image, {learned.mean():.1%} of it learned",
        "objects": [
            {"attempt": n, "pixels": int(o.mask.sum()), "score": o.score, "reason": o.reason}
            for n, o in objects.items()
        ],
    }
    return Found(write, report)


def _approach_frames(session: Session, attempts: Sequence[Attempt], config: ClipConfig) -> range:
    """Frames of the liveliest time with open fingers: the seconds before the first grasp."""
    if not attempts:
        return range(0)
    first = attempts[0]
    press = int(np.searchsorted(session.times_ns, first.t_press_ns))
    return _sample(session, range(first.frame_start, press)[::-1], config)[::-1]


def _sample(session: Session, frames: range, config: ClipConfig) -> range:
    """Every so many frames from the first of ``frames`` on, for so long."""
    stride = max(1, round(config.every_s * session.camera_info.fps))
    return frames[: round(config.longest_s * session.camera_info.fps) : stride]


def _rough_clip(session: Session, ignored: Ignored, frames: range, config: TrackerConfig) -> ClipImages:
    """Some frames with a trajectory of their own; frames that were not measured are left out."""
    seen = list(views(session, ignored, frames))
    trajectory = KeyframeTracker(session.camera, config).track(seen)
    ok = [n for n, status in enumerate(trajectory.status) if status == "ok"]
    times_s = (session.times_ns[list(frames)] - session.times_ns[0]) * 1e-9
    return ClipImages(
        [seen[n].color for n in ok], [seen[n].depth for n in ok], trajectory.T_world_camera[ok], times_s[ok]
    )


def _clear_masks(edit: SessionEdit) -> None:
    edit.execute("DELETE FROM masks")


def _insert_mask(
    edit: SessionEdit, kind: str, attempt_id: int | None, frame: int | None, mask: Mask, score: float
) -> None:
    ref = edit.add_mask(mask)
    edit.execute(
        "INSERT INTO masks (kind, attempt_id, frame_id, file, offset, score) VALUES (?,?,?,?,?,?)",
        (kind, attempt_id, frame, ref.file, ref.offset, score),
    )


def read_masks(session: Session) -> tuple[Mask | None, dict[int, dict[int, Mask]]]:
    """The gripper's mask, and per attempt id the object's masks by frame."""
    gripper, objects = None, {}
    for row in session.db.query("SELECT kind, attempt_id, frame_id, file, offset FROM masks ORDER BY id"):
        mask = session.read_mask(BlobRef(row["file"], row["offset"]))
        if row["kind"] == "gripper":
            gripper = mask
        else:
            objects.setdefault(row["attempt_id"], {})[row["frame_id"]] = mask
    return gripper, objects


# --- tracking ---------------------------------------------------------------------------------------------------------


def track_session(
    session: Session,
    attempts: Sequence[Attempt],
    configs: tuple[TrackerConfig, IgnoreConfig],
    on_fraction: OnFraction,
) -> Found:
    """All frames' poses, source 'tracking', with gripper and held objects masked."""
    tracker_config, ignore_config = configs
    gripper, objects = read_masks(session)
    held = {a.number: objects[a.number + 1][a.frame_grasp] for a in attempts if a.number + 1 in objects}
    ignored = Ignored(
        session.camera,
        session.T_camera_fingertip,
        attempts,
        openings_at_frames(session),
        ignore_config,
        gripper,
        held,
    )
    tracker = KeyframeTracker(session.camera, tracker_config)
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
        "keyframes": len(tracker.keyframes),
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
    updates, carried = [], []
    for n, attempt in enumerate(attempts):
        on_fraction(n / max(len(attempts), 1))
        frames = slice(attempt.frame_start, attempt.frame_end + 1)
        grasp: list[float | None] = [None] * 7
        known = poses.status[attempt.frame_grasp] != "lost"
        if known and T_camera_fingertip is not None:
            grasp = to_vector(poses.T_world_camera[attempt.frame_grasp] @ T_camera_fingertip).tolist()
        updates.append((verdict_of(poses.status[frames]), *grasp, attempt.number + 1))
        mask = objects.get(attempt.number + 1, {}).get(attempt.frame_grasp)
        if mask is not None and known:
            carried += _seen_in_approach(session, attempt, mask, poses.T_world_camera, poses.status, config)

    def write(edit: SessionEdit) -> None:
        columns = ", ".join(f"{c} = ?" for c in ("tracking", *GRASP_COLUMNS))
        for row in updates:
            edit.execute(f"UPDATE attempts SET {columns} WHERE id = ?", row)
        for attempt in attempts:
            keep = (attempt.number + 1, attempt.frame_grasp)
            edit.execute("DELETE FROM masks WHERE kind = 'object' AND attempt_id = ? AND frame_id <> ?", keep)
        for attempt_id, frame, mask in carried:
            _insert_mask(edit, "object", attempt_id, frame, mask, 0.0)

    return Found(write, {"tracking": [u[0] for u in updates], "masks_in_approach": len(carried)})


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
