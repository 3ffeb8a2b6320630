"""The step that finds masks: of the gripper for the session, of what was held for each attempt.

It makes its own rough trajectories of a few seconds each, because tracking must not look at what is held, and what is
held cannot be known without a trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processing.attempts import Attempt
from processing.ego_motion import ClipImages
from processing.fingers import GripperLook, looks_like_gripper, visible_gripper
from processing.ignored import IgnoreConfig, Ignored, openings_at_frames, readout_of, views
from processing.mask_config import MaskConfig
from processing.masks import ObjectMask, median_depth, middle_colors, object_mask, static_mask, visible_at
from processing.steps import Found
from processing.tracking.keyframe_tracker import KeyframeTracker, TrackerConfig
from wildgrasp.rig import MAX_OPENING_M, gripper_mask
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session, SessionEdit

Mask = NDArray[np.bool_]

LOOK_FRAMES = 9  # of the approach show what the gripper looks like
LOOK_OPENING = 0.02  # within which the fingers stand still in them


@dataclass(frozen=True)
class ClipConfig:
    """The short clips in which masks are sought."""

    every_s: float = 0.1
    longest_s: float = 3.0


@dataclass(frozen=True)
class MaskStepConfig:
    masks: MaskConfig
    clips: ClipConfig
    ignore: IgnoreConfig
    tracker: TrackerConfig


@dataclass(frozen=True)
class _Held:
    """What an attempt held."""

    found: ObjectMask  # over the whole hold
    shown: Mask  # [H, W] what the grasp frame shows of it


def find_session_masks(
    session: Session, attempts: Sequence[Attempt], config: MaskStepConfig, on_fraction: Callable[[float], None]
) -> Found:
    """The gripper's mask for the session, and of each attempt the mask of what was held."""
    if session.T_camera_fingertip is None:
        return Found(clear_masks, {"gripper": "the session has no gripper", "objects": []})
    openings = openings_at_frames(session)
    ignored = Ignored(session.camera, session.T_camera_fingertip, attempts, session.times_ns, openings, config.ignore)
    outline = ignored.gripper(1.0)
    learned, look = _learn_gripper(session, attempts, ignored, outline, config)
    learned &= ~outline
    ignored = replace(ignored, static=outline | learned)
    held: dict[int, _Held] = {}
    for n, attempt in enumerate(attempts):
        on_fraction((n + 1) / (len(attempts) + 1))
        if attempt.outcome != "empty":
            held[attempt.number] = _find_held(session, attempt, ignored, learned, look, config)

    def write(edit: SessionEdit) -> None:
        clear_masks(edit)
        insert_mask(edit, "gripper", None, None, outline | learned, float(learned.mean()))
        for number, h in held.items():
            for kind, mask in (("held", h.found.mask), ("object", h.shown)):
                if mask.any():
                    insert_mask(edit, kind, number + 1, attempts[number].frame_grasp, mask, h.found.score)

    share = f"{(outline | learned).mean():.1%} of the image, {learned.mean():.1%} of it learned"
    objects = [
        {"attempt": n, "pixels": int(h.shown.sum()), "score": h.found.score, "reason": h.found.reason}
        for n, h in held.items()
    ]
    return Found(write, {"gripper": share, "objects": objects})


def _learn_gripper(
    session: Session, attempts: Sequence[Attempt], ignored: Ignored, outline: Mask, config: MaskStepConfig
) -> tuple[Mask, GripperLook | None]:
    """What the pictures before the first grasp show to be fixed in the camera, next to the expected outline; and what
    the gripper looks like there: the median over some frames, behind which the world moves."""
    approach = _approach_frames(session, attempts, config.clips)
    clip = _rough_clip(session, ignored, approach, config.tracker)
    learned = static_mask(clip, session.camera, outline, config.masks)
    openings = ignored.openings[list(approach)]
    still = [f for f, opening in zip(approach, openings, strict=True) if opening > openings.max() - LOOK_OPENING]
    rows = np.flatnonzero((outline | learned).any(axis=1))
    if len(still) < LOOK_FRAMES or len(rows) == 0:
        return learned, None
    some = np.array(still)[np.linspace(0, len(still) - 1, LOOK_FRAMES).astype(int)]
    color = np.zeros((*outline.shape, 3), np.uint8)
    pictures = [session.frame(int(f)).color[rows[0] :] for f in some]
    color[rows[0] :] = np.sort(pictures, axis=0)[LOOK_FRAMES // 2]
    return learned, GripperLook(color, float(openings.max()) * MAX_OPENING_M)


def _find_held(
    session: Session,
    attempt: Attempt,
    ignored: Ignored,
    learned: Mask,
    look: GripperLook | None,
    config: MaskStepConfig,
) -> _Held:
    camera, T_camera_fingertip, masks = session.camera, session.T_camera_fingertip, config.masks
    clip = _rough_clip(session, ignored, _sample(session, attempt.hold, config.clips), config.tracker)
    nothing = np.zeros_like(learned)
    if not clip.depths:
        return _Held(ObjectMask(nothing, 0.0, "tracking was lost while it was held"), nothing)
    at_grasp = session.frame(attempt.frame_grasp)
    width = MAX_OPENING_M * (1.0 if attempt.opening is None else attempt.opening)
    gripper = learned | visible_gripper(
        camera, T_camera_fingertip, width, median_depth(clip.depths), masks.finger_margin_px
    )
    if look is not None:
        colors = [at_grasp.color, *middle_colors(clip)]
        gripper &= looks_like_gripper(colors, look, camera, T_camera_fingertip, width, masks.finger_color)
    expected = learned | gripper_mask(camera, T_camera_fingertip, width, config.ignore.margin_px // 2)
    fingertip_px = camera.project(T_camera_fingertip[:3, 3])
    found = object_mask(clip, camera, expected, gripper, fingertip_px, masks)
    return _Held(found, visible_at(found.mask, clip, at_grasp.color, at_grasp.depth, gripper, masks))


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
    trajectory = KeyframeTracker(session.camera, replace(config, refinement=None), readout_of(session)).track(seen)
    ok = [n for n, status in enumerate(trajectory.status) if status == "ok"]
    times_s = (session.times_ns[list(frames)] - session.times_ns[0]) * 1e-9
    return ClipImages(
        [seen[n].color for n in ok], [seen[n].depth for n in ok], trajectory.T_world_camera[ok], times_s[ok]
    )


# --- rows of the masks table ---


def clear_masks(edit: SessionEdit) -> None:
    edit.execute("DELETE FROM masks")


def insert_mask(
    edit: SessionEdit, kind: str, attempt_id: int | None, frame: int | None, mask: Mask, score: float
) -> None:
    ref = edit.add_mask(mask)
    edit.execute(
        "INSERT INTO masks (kind, attempt_id, frame_id, file, offset, score) VALUES (?,?,?,?,?,?)",
        (kind, attempt_id, frame, ref.file, ref.offset, score),
    )


def read_masks(session: Session, kind: str = "object") -> tuple[Mask | None, dict[int, dict[int, Mask]]]:
    """The gripper's mask, and per attempt id the masks by frame of what was held.

    kind: ``object`` (as a frame shows it) or ``held`` (all that was fixed in the camera during the hold).
    """
    gripper, objects = None, {}
    sql = "SELECT kind, attempt_id, frame_id, file, offset FROM masks WHERE kind IN ('gripper', ?) ORDER BY id"
    for row in session.db.query(sql, (kind,)):
        mask = session.read_mask(BlobRef(row["file"], row["offset"]))
        if row["kind"] == "gripper":
            gripper = mask
        else:
            objects.setdefault(row["attempt_id"], {})[row["frame_id"]] = mask
    return gripper, objects
