"""What a processed session demonstrates: approaches to grasps that held, with the grasps that were possible at the
time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import SessionError
from wildgrasp.geometry import from_vector
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session

POSE_SOURCE = "tracking"
MOVED_RADIUS_M = 0.08  # what was released this close to a later grasp is taken to be the object of that grasp


@dataclass(frozen=True)
class Attempt:
    """One row of a session's attempts table, with the poses that matter here (None where tracking has none)."""

    id: int
    frame_start: int
    frame_grasp: int
    held: bool
    T_world_grasp: NDArray[np.float64] | None  # [4, 4] T_world_fingertip
    T_world_release: NDArray[np.float64] | None  # [4, 4] T_world_fingertip where the object was let go


@dataclass(frozen=True)
class Approach:
    """The frames in which a person approached an object that they then held."""

    attempt_id: int
    frame_ids: NDArray[np.int64]  # [N], those with a trusted pose, in order
    T_world_camera: NDArray[np.float64]  # [N, 4, 4]
    T_world_grasp: NDArray[np.float64]  # [4, 4] T_world_fingertip
    T_world_grasps: NDArray[np.float64]  # [G, 4, 4] all grasps that the scene allowed then, this one first


def read_approaches(session: Session) -> list[Approach]:
    """Approaches of all attempts that held, in order. Raises SessionError when the session was not processed."""
    poses = session.poses(POSE_SOURCE)
    if poses is None:
        raise SessionError(f"{session.path} has no tracked trajectory. Run `wildgrasp process` on it first.")
    trusted = np.array([status == "ok" for status in poses.status], bool)
    frame_ids, T_world_camera = poses.frame_ids[trusted], poses.T_world_camera[trusted]
    attempts = _read_attempts(session, dict(zip(frame_ids.tolist(), T_world_camera, strict=True)))
    approaches = []
    for index, attempt in enumerate(attempts):
        if not attempt.held or attempt.T_world_grasp is None:
            continue
        chosen = (frame_ids >= attempt.frame_start) & (frame_ids <= attempt.frame_grasp)
        if chosen.sum() >= 2:
            pool = grasps_possible_at(attempts, index)
            approaches.append(
                Approach(attempt.id, frame_ids[chosen], T_world_camera[chosen], attempt.T_world_grasp, pool)
            )
    return approaches


def grasps_possible_at(attempts: list[Attempt], index: int) -> NDArray[np.float64]:
    """Grasps [G, 4, 4] that the scene before attempt ``index`` allowed, that attempt's own first.

    These are the held grasps of it and of all later attempts: their objects had not been moved yet. A later grasp
    near a place where something was released in between is left out, because that object came there only then.
    """
    pool: list[NDArray[np.float64]] = []
    released: list[NDArray[np.float64]] = []
    for attempt in attempts[index:]:
        if attempt.held and attempt.T_world_grasp is not None:
            position = attempt.T_world_grasp[:3, 3]
            if all(np.linalg.norm(position - place) > MOVED_RADIUS_M for place in released):
                pool.append(attempt.T_world_grasp)
        if attempt.T_world_release is not None:
            released.append(attempt.T_world_release[:3, 3])
    return np.stack(pool)


def gripper_pixels(session: Session) -> NDArray[np.bool_]:
    """Pixels [H, W] to keep out of the fusion: the gripper as processing saw it, and as the calibrated rig predicts
    it.
    """
    T_camera_fingertip = calibration(session)
    mask = gripper_mask(session.camera, T_camera_fingertip, MAX_OPENING_M)
    for row in session.db.query("SELECT file, offset FROM masks WHERE kind = 'gripper' AND attempt_id IS NULL"):
        mask |= session.read_mask(BlobRef(row["file"], row["offset"]))
    return mask


def fingerprint(session: Session) -> str:
    """Changes when processing finds other trajectories or attempts."""
    digest = hashlib.sha1(usedforsecurity=False)
    rows = session.db.query("SELECT * FROM poses WHERE source = ? ORDER BY frame_id", (POSE_SOURCE,))
    digest.update(repr([tuple(row.values()) for row in rows]).encode())
    digest.update(
        repr([tuple(row.values()) for row in session.db.query("SELECT * FROM attempts ORDER BY id")]).encode()
    )
    return digest.hexdigest()


def calibration(session: Session) -> NDArray[np.float64]:
    """The session's T_camera_fingertip [4, 4], or the nominal rig's where it has none."""
    known = session.T_camera_fingertip
    return NOMINAL_T_CAMERA_FINGERTIP if known is None else known


def _read_attempts(session: Session, T_world_camera: dict[int, NDArray[np.float64]]) -> list[Attempt]:
    T_camera_fingertip = calibration(session)
    attempts = []
    for row in session.db.query("SELECT * FROM attempts ORDER BY t_press_ns, id"):
        if row["frame_start"] is None or row["frame_grasp"] is None:
            continue
        vector = [row[name] for name in ("gx", "gy", "gz", "gqx", "gqy", "gqz", "gqw")]
        grasp = None if any(x is None for x in vector) else from_vector(np.array(vector, dtype=np.float64))
        camera = T_world_camera.get(row["frame_release"])
        release = None if camera is None else camera @ T_camera_fingertip
        held = row["outcome"] == "held"
        attempts.append(Attempt(row["id"], row["frame_start"], row["frame_grasp"], held, grasp, release))
    return attempts
