"""Kinematics of the UR5 (CB3) and the UR5e: forward, Jacobian, and inverse by damped Newton steps from given joints.

Why Newton and not the closed form: a closed form returns up to eight branches, and picking one each cycle is how arms
jump. Newton X batch dimensions, so the guard checks every candidate of a step at once.

Source of the parameters: Universal Robots, "DH parameters for calculations of kinematics and dynamics".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import skew, so3_log

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmModel:
    """Standard Denavit–Hartenberg table of a six-joint arm: joint i maps by Rz(q) Tz(d) Tx(a) Rx(alpha)."""

    name: str
    d: Array  # [6] m
    a: Array  # [6] m
    alpha: Array  # [6] rad
    lower: Array  # [6] rad
    upper: Array  # [6] rad
    max_joint_speed_rad_s: float


def _ur(name: str, d: tuple[float, ...], a: tuple[float, ...]) -> ArmModel:
    quarter, turn = np.pi / 2, 2 * np.pi
    arrays = [
        np.array(d),
        np.array(a),
        np.array([quarter, 0, 0, quarter, -quarter, 0]),
        np.full(6, -turn),
        np.full(6, turn),
    ]
    for array in arrays:
        array.setflags(write=False)
    return ArmModel(name, *arrays, max_joint_speed_rad_s=np.pi)


UR5 = _ur("UR5", d=(0.089159, 0, 0, 0.10915, 0.09465, 0.0823), a=(0, -0.425, -0.39225, 0, 0, 0))
UR5E = _ur("UR5e", d=(0.1625, 0, 0, 0.1333, 0.0997, 0.0996), a=(0, -0.425, -0.3922, 0, 0, 0))
MODELS = {"ur5": UR5, "ur5e": UR5E}


def link_frames(model: ArmModel, q: Array) -> Array:
    """Frames [..., 7, 4, 4] in the base: the base itself, then the frame after each joint; the last is the flange."""
    q = np.asarray(q, dtype=np.float64)
    s, c = np.sin(q), np.cos(q)
    sa, ca = np.sin(model.alpha), np.cos(model.alpha)
    A = np.zeros((*q.shape, 4, 4))
    A[..., 0, 0], A[..., 0, 1], A[..., 0, 2], A[..., 0, 3] = c, -s * ca, s * sa, model.a * c
    A[..., 1, 0], A[..., 1, 1], A[..., 1, 2], A[..., 1, 3] = s, c * ca, -c * sa, model.a * s
    A[..., 2, 1], A[..., 2, 2], A[..., 2, 3], A[..., 3, 3] = sa, ca, model.d, 1.0
    frames = np.empty((*q.shape[:-1], 7, 4, 4))
    frames[..., 0, :, :] = np.eye(4)
    for i in range(6):
        np.matmul(frames[..., i, :, :], A[..., i, :, :], out=frames[..., i + 1, :, :])
    return frames


def forward(model: ArmModel, q: Array) -> Array:
    """Flange pose T_base_tool [..., 4, 4] at joint angles [..., 6] in rad."""
    return link_frames(model, q)[..., 6, :, :]


def jacobian(model: ArmModel, q: Array) -> Array:
    """Geometric Jacobian [..., 6, 6] at the flange, in the base: three rows linear (m/s), three angular (rad/s)."""
    return _jacobian_from_frames(link_frames(model, q))


def _jacobian_from_frames(frames: Array) -> Array:
    axes = frames[..., :6, :3, 2]
    arms = frames[..., 6:, :3, 3] - frames[..., :6, :3, 3]
    linear = (skew(axes) @ arms[..., None])[..., 0]
    return np.swapaxes(np.concatenate([linear, axes], axis=-1), -1, -2)


def singularity_margin(model: ArmModel, q: Array) -> Array:
    """Smallest singular value [...] of the Jacobian at joint angles [..., 6]: 0 when singular, 0.1–0.3 far from it."""
    return np.linalg.svd(jacobian(model, q), compute_uv=False)[..., -1]


# --- inverse ----------------------------------------------------------------------------------------------------------

_DAMPING = 1e-8  # on J Jᵀ: small, so that convergence stays quadratic away from singularities
_MAX_STEP_RAD = 0.3  # per Newton step: keeps far targets on the present branch
_POSITION_TOLERANCE_M = 1e-7
_ROTATION_TOLERANCE_RAD = 1e-7


def inverse_near(
    model: ArmModel, T_base_tool: Array, q_start: Array, iterations: int = 25
) -> tuple[Array, NDArray[np.bool_]]:
    """Joint angles [..., 6] that reach flange poses [..., 4, 4], by Newton from q_start [..., 6], and whether: [...].

    Where the second value is False (out of reach, or stuck at a singularity) the angles are the last iterate.
    """
    T = np.asarray(T_base_tool, dtype=np.float64)
    batch = np.broadcast_shapes(T.shape[:-2], np.shape(q_start)[:-1])
    T = np.broadcast_to(T, (*batch, 4, 4)).reshape(-1, 4, 4)
    q = np.broadcast_to(q_start, (*batch, 6)).reshape(-1, 6).astype(np.float64)
    done = np.zeros(len(q), dtype=bool)
    active = np.flatnonzero(np.isfinite(T).all(axis=(1, 2)) & np.isfinite(q).all(axis=1))
    for _ in range(iterations):
        frames = link_frames(model, q[active])
        error = _pose_error(frames[:, 6], T[active])
        arrived = _within_tolerance(error)
        done[active[arrived]] = True
        active, frames, error = active[~arrived], frames[~arrived], error[~arrived]
        if not len(active):
            break
        q[active] += _newton_step(_jacobian_from_frames(frames), error)
    return q.reshape(*batch, 6), done.reshape(batch)


def _pose_error(T: Array, T_goal: Array) -> Array:
    """Twist [N, 6] in the base that leads from T to T_goal [N, 4, 4]."""
    rotation = so3_log(T_goal[:, :3, :3] @ np.swapaxes(T[:, :3, :3], 1, 2))
    return np.concatenate([T_goal[:, :3, 3] - T[:, :3, 3], rotation], axis=1)


def _within_tolerance(error: Array) -> NDArray[np.bool_]:
    near = np.linalg.norm(error[:, :3], axis=1) < _POSITION_TOLERANCE_M
    return near & (np.linalg.norm(error[:, 3:], axis=1) < _ROTATION_TOLERANCE_RAD)


def _newton_step(J: Array, error: Array) -> Array:
    Jt = np.swapaxes(J, -1, -2)
    step = (Jt @ np.linalg.solve(J @ Jt + _DAMPING * np.eye(6), error[..., None]))[..., 0]
    largest = np.abs(step).max(axis=-1, keepdims=True)
    return step * np.minimum(1.0, _MAX_STEP_RAD / np.maximum(largest, 1e-12))


def within_limits(model: ArmModel, q: Array, margin_rad: float = 0.0) -> NDArray[np.bool_]:
    """Whether joint angles [..., 6] respect the model's limits with a margin: [...]."""
    return ((q >= model.lower + margin_rad) & (q <= model.upper - margin_rad)).all(axis=-1)
