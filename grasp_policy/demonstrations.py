"""What a processed session demonstrates: approaches to grasps that held, with the grasps that were possible at the
time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import SessionError
from wildgrasp.geometry import from_vector, rotation_angle
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask
from wildgrasp.sessions.blobs import BlobRef
from wildgrasp.sessions.session import Session

POSE_SOURCE = "tracking"
SAME_OBJECT_M = 0.08  # a grasp and a release this close to each other are taken to be of the same object
PUT_BACK_M, PUT_BACK_RAD = 0.015, 0.25  # an object let go this close to where it was grasped has not moved


@dataclass(frozen=True)
class Attempt:
    """One row of a session's attempts table, with the poses that matter here (None where tracking has none)."""

    id: int
    frame_start: int
    frame_grasp: int
    held: bool  # until it was let go
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

    Of this and later attempts: where they grasped, unless something was put down there in between. Of earlier ones:
    where they let go, for what one lets go one can grasp again, unless it was taken away in between. An object that
    was put back where it had been has not moved.
    """
    pool = []
    for number in range(index, len(attempts)):
        grasp = attempts[number].T_world_grasp
        brought = [a.T_world_release for a in attempts[index:number] if _moved(a)]
        if attempts[number].held and grasp is not None and not _near(grasp, brought):
            pool.append(grasp)
    for number in range(index):
        release = attempts[number].T_world_release
        taken = [a.T_world_grasp for a in attempts[number + 1 : index] if _moved(a)]
        if attempts[number].held and release is not None and not _near(release, taken):
            pool.append(release)
    return np.stack(pool)


def _moved(attempt: Attempt) -> bool:
    """Whether an object stands elsewhere after an attempt. One that held nothing moved nothing that we know of."""
    grasp, release = attempt.T_world_grasp, attempt.T_world_release
    if not attempt.held or grasp is None or release is None:
        return attempt.held
    turned = rotation_angle(grasp[:3, :3].T @ release[:3, :3])
    return bool(np.linalg.norm(grasp[:3, 3] - release[:3, 3]) > PUT_BACK_M or turned > PUT_BACK_RAD)


def _near(T: NDArray[np.float64], places: list[NDArray[np.float64] | None]) -> bool:
    return any(p is not None and np.linalg.norm(T[:3, 3] - p[:3, 3]) < SAME_OBJECT_M for p in places)


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
