"""Camera trajectories of a session, by source."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import from_vector, to_vector


@dataclass(frozen=True)
class Poses:
    """Camera trajectory of one source."""

    frame_ids: NDArray[np.int64]  # [N]
    T_world_camera: NDArray[np.float64]  # [N, 4, 4]
    status: list[str]  # ok | predicted | lost
    sigma_m: NDArray[np.float64]  # [N]


def read_poses(db: sqlite3.Connection, source: str) -> Poses | None:
    """Trajectory of a source, or None. Raises ValueError or TypeError where a row holds no pose."""
    sql = "SELECT frame_id, x, y, z, qx, qy, qz, qw, status, sigma_m FROM poses WHERE source = ? ORDER BY frame_id"
    rows = db.execute(sql, (source,)).fetchall()
    if not rows:
        return None
    return Poses(
        np.array([r[0] for r in rows], dtype=np.int64),
        from_vector(np.array([r[1:8] for r in rows], dtype=np.float64)),
        [str(r[8]) for r in rows],
        np.array([r[9] for r in rows], dtype=np.float64),
    )


def write_poses(db: sqlite3.Connection, source: str, poses: Poses) -> None:
    """Replace the trajectory of a source."""
    db.execute("DELETE FROM poses WHERE source = ?", (source,))
    rows = zip(poses.frame_ids, to_vector(poses.T_world_camera), poses.status, poses.sigma_m, strict=True)
    db.executemany(
        "INSERT INTO poses VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        [(source, int(i), *map(float, v), status, float(s)) for i, v, status, s in rows],
    )
