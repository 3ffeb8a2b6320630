"""How a hand is held to look at something with the camera on it."""

from __future__ import annotations

import numpy as np

from digital_twin.world.workplace import Workplace
from wildgrasp import rig
from wildgrasp.geometry import Array, pose, rotation_angle, so3_exp, so3_log

HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])  # about the approach axis: the fingers change places
TRIES = 50


def gaze(
    workplace: Workplace, rng: np.random.Generator, target: Array, T_like: Array, distance: float, turn: float
) -> Array:
    """T_world_fingertip, turned by ``turn`` rad or so from ``T_like``, whose camera sees a point [3] at a distance.

    Where that is not in the open, turned as far as need be towards how one looks at the workplace.
    """
    R_like, R_fingertip_camera = T_like[:3, :3], rig.NOMINAL_T_FINGERTIP_CAMERA[:3, :3]
    to_open = so3_log(R_like.T @ nearest_turn(workplace.R_looking, R_like))
    for attempt in range(TRIES):
        share = attempt / TRIES
        R = R_like @ so3_exp(to_open * share) @ so3_exp(rng.normal(size=3) * turn * (1 - share)) @ R_fingertip_camera
        ray = np.array([*rng.normal(size=2) * 0.08, 1.0])
        T_world_camera = pose(R, target - distance * (R @ ray) / np.linalg.norm(ray))
        T = T_world_camera @ rig.NOMINAL_T_CAMERA_FINGERTIP
        if workplace.in_the_open(T, T_world_camera):
            break
    return T


def nearest_turn(T: Array, like: Array) -> Array:
    """A pose or rotation, or the same with the fingers exchanged, whichever is turned less from another."""
    turned = HALF_TURN[: len(T), : len(T)]
    return min((T, T @ turned), key=lambda option: float(rotation_angle(like[:3, :3].T @ option[:3, :3])))
