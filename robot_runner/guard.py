"""What stands between a decision and the arm: a pure function that allows, clips or refuses a move, and says why.

Dry run, live run and evaluation call the same functions. Limits are on by default: a rig that needs more room says so
in its configuration. Everything is vectorised over candidates, since the policy asks about all of them at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.capsules import arm_capsules, box_distance, lowest_point, self_distance
from robot_runner.arm.kinematics import MODELS, ArmModel, inverse_near, link_frames, singularity_margin, within_limits
from robot_runner.keep_out import KeepOutBox, gripper_enters
from wildgrasp.geometry import inverse, pose, so3_exp, so3_log, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA, T_TOOL_FINGERTIP, gripper_boxes

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GuardLimits:
    """Where and how the arm may move. Positions in metres in the robot's base, whose z points up."""

    model: ArmModel = MODELS["ur5"]
    workspace_lower: tuple[float, float, float] = (-0.85, -0.85, -0.01)  # of the fingertips
    workspace_upper: tuple[float, float, float] = (0.85, 0.85, 0.80)
    keep_out: tuple[KeepOutBox, ...] = ()
    keep_out_clearance_m: float = 0.02  # half of what the fingertips move between two samples of a path
    table_height_m: float = 0.0
    table_clearance_m: float = 0.003  # below every corner of the gripper
    table_clip_m: float = 0.03  # a pose that dips deeper than this is refused instead of raised
    max_step_m: float = 0.15  # longer moves are shortened
    max_step_rad: float = 0.8
    joint_margin_rad: float = 0.05
    min_singular_value: float = 0.025
    max_joint_change_rad: float = 0.6  # between two samples of a path: more is a jump to another branch
    self_clearance_m: float = 0.01
    path_samples: int = 4
    T_tool_fingertip: Array = field(default_factory=lambda: T_TOOL_FINGERTIP)
    T_tool_camera: Array = field(default_factory=lambda: T_TOOL_FINGERTIP @ NOMINAL_T_FINGERTIP_CAMERA)


@dataclass(frozen=True)
class Verdict:
    """The guard's answer. ``T_base_fingertip`` and ``q`` are where the move may end; meaningless when refused."""

    kind: Literal["allow", "clip", "refuse"]
    reason: str
    T_base_fingertip: Array  # [4, 4]
    q: Array  # [6]


def check(T_base_fingertip: Array, q: Array, limits: GuardLimits, opening_m: float = MAX_OPENING_M) -> Verdict:
    """Judge a straight move of the fingertips to a pose [4, 4] from joint angles q [6]."""
    T = np.asarray(T_base_fingertip, dtype=np.float64)
    examined = _examine(T[None], q, limits, opening_m)
    reason = examined.refusals[0] or examined.clips[0]
    kind = "refuse" if examined.refusals[0] else "clip" if examined.clips[0] else "allow"
    return Verdict(kind, reason, examined.T[0], examined.q[0])


def allowed(candidates: Array, q: Array, limits: GuardLimits, opening_m: float = MAX_OPENING_M) -> NDArray[np.bool_]:
    """Which straight moves to fingertip poses [N, 4, 4] from joint angles q [6] would not be refused: [N]."""
    return np.array([not reason for reason in _examine(candidates, q, limits, opening_m).refusals], dtype=bool)


def raised(T: Array, limits: GuardLimits, opening_m: float = MAX_OPENING_M) -> tuple[Array, Array]:
    """Fingertip poses [N, 4, 4] lifted where the gripper would touch the table, and by how much [N] (0 where not)."""
    deficit = limits.table_height_m + limits.table_clearance_m - _lowest(T, opening_m)
    deficit = np.where(deficit > 1e-9, deficit, 0.0)
    T = T.copy()
    T[:, 2, 3] += np.minimum(deficit, limits.table_clip_m)
    return T, deficit


def check_joints(q_goal: Array, q: Array, limits: GuardLimits, opening_m: float = MAX_OPENING_M) -> Verdict:
    """Judge a move in joint space from q [6] to q_goal [6]: sampled every 0.1 rad or closer."""
    q_goal = np.asarray(q_goal, dtype=np.float64)
    if not (q_goal.shape == (6,) and np.isfinite(q_goal).all() and np.isfinite(q).all()):
        return Verdict("refuse", _NOT_FINITE, np.eye(4), np.asarray(q))
    samples = max(2, int(np.ceil(np.abs(q_goal - q).max() / 0.1)) + 1)
    path = q + np.linspace(0, 1, samples)[1:, None] * (q_goal - q)
    reasons = _path_reasons(path[:, None], limits, opening_m)
    T = link_frames(limits.model, q_goal)[6] @ limits.T_tool_fingertip
    return Verdict("refuse" if reasons[0] else "allow", reasons[0], T, q_goal)


# --- how --------------------------------------------------------------------------------------------------------------

_NOT_FINITE = "the goal or the joint reading is not a finite number"


@dataclass(frozen=True)
class _Examined:
    T: Array  # [N, 4, 4] after clipping
    q: Array  # [N, 6] at the end of the path
    clips: list[str]
    refusals: list[str]


def _examine(T: Array, q: Array, limits: GuardLimits, opening_m: float) -> _Examined:
    T = np.array(T, dtype=np.float64)
    n = len(T)
    finite = np.isfinite(T).all(axis=(1, 2)) & _is_pose(T)
    if not np.isfinite(q).all():
        return _Examined(T, np.tile(q, (n, 1)), [""] * n, [_NOT_FINITE] * n)
    T_now = link_frames(limits.model, q)[6] @ limits.T_tool_fingertip
    T[~finite] = T_now
    T, shortened = _shorten(T_now, T, limits)
    T, raised_m = raised(T, limits, opening_m)
    path, reached, jumped = _follow(T_now, T, q, limits)
    refusals = _path_reasons(path, limits, opening_m)
    workspace = _outside(T[:, :3, 3], limits)
    clips = []
    for i in range(n):
        clips.append(_clip_reason(shortened[i], raised_m[i]))
        if not finite[i]:
            refusals[i] = _NOT_FINITE
        elif raised_m[i] > limits.table_clip_m:
            refusals[i] = f"the gripper would reach {raised_m[i] * 1e3:.0f} mm into the table"
        elif workspace[i]:
            refusals[i] = f"outside the workspace ({workspace[i]})"
        elif not reached[i]:
            refusals[i] = "out of the arm's reach"
        elif jumped[i]:
            refusals[i] = "the arm would have to jump to another configuration"
    return _Examined(T, path[-1], clips, refusals)


def _is_pose(T: Array) -> NDArray[np.bool_]:
    """Whether matrices [N, 4, 4] are rigid motions, within the rounding of float32 networks."""
    with np.errstate(invalid="ignore"):
        R = T[:, :3, :3]
        deviation = np.abs(np.swapaxes(R, 1, 2) @ R - np.eye(3)).max(axis=(1, 2))
        return (deviation < 1e-3) & (np.linalg.det(np.nan_to_num(R)) > 0)


def _clip_reason(shortened: bool, raised_m: float) -> str:
    parts = ["the step was shortened"] if shortened else []
    if raised_m > 0:
        parts.append(f"raised {raised_m * 1e3:.0f} mm to stay above the table")
    return ", ".join(parts)


def _shorten(T_now: Array, T: Array, limits: GuardLimits) -> tuple[Array, NDArray[np.bool_]]:
    translation = T[:, :3, 3] - T_now[:3, 3]
    rotation = so3_log(T_now[:3, :3].T @ T[:, :3, :3])
    tiny = 1e-12
    u = np.minimum(
        limits.max_step_m / np.maximum(np.linalg.norm(translation, axis=1), tiny),
        limits.max_step_rad / np.maximum(np.linalg.norm(rotation, axis=1), tiny),
    )
    u = np.minimum(u, 1.0)
    R = T_now[:3, :3] @ so3_exp(u[:, None] * rotation)
    return pose(R, T_now[:3, 3] + u[:, None] * translation), u < 1.0


def _lowest(T_base_fingertip: Array, opening_m: float) -> Array:
    """Height [...] of the lowest corner of the gripper at fingertip poses [..., 4, 4]."""
    return transform(T_base_fingertip, hull_corners(opening_m))[..., 2].min(axis=-1)


def hull_corners(opening_m: float) -> Array:
    """Corners [40, 3] of the gripper's boxes in the fingertip frame."""
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    return np.concatenate([box.center + signs * box.half for box in gripper_boxes(opening_m).values()])


def _follow(
    T_now: Array, T: Array, q: Array, limits: GuardLimits
) -> tuple[Array, NDArray[np.bool_], NDArray[np.bool_]]:
    """Joint angles [K, N, 6] along straight moves to poses [N, 4, 4]; whether each was reached; whether it jumped."""
    rotation = so3_log(T_now[:3, :3].T @ T[:, :3, :3])
    T_fingertip_tool = inverse(limits.T_tool_fingertip)
    previous = np.tile(np.asarray(q, dtype=np.float64), (len(T), 1))
    reached, jumped, path = np.ones(len(T), dtype=bool), np.zeros(len(T), dtype=bool), []
    for u in np.linspace(0, 1, limits.path_samples + 1)[1:]:
        R = T_now[:3, :3] @ so3_exp(u * rotation)
        T_u = pose(R, T_now[:3, 3] + u * (T[:, :3, 3] - T_now[:3, 3]))
        q_u, ok = inverse_near(limits.model, T_u @ T_fingertip_tool, previous, iterations=12)
        reached &= ok
        jumped |= np.abs(q_u - previous).max(axis=1) > limits.max_joint_change_rad
        path.append(q_u)
        previous = q_u
    return np.stack(path), reached, jumped


def _path_reasons(path: Array, limits: GuardLimits, opening_m: float) -> list[str]:
    """Why each of N joint paths [K, N, 6] is not acceptable ('' where it is)."""
    frames = link_frames(limits.model, path)
    A, B = arm_capsules(limits.model, frames, limits.T_tool_fingertip, limits.T_tool_camera)
    floor = limits.table_height_m + limits.table_clearance_m - 1e-4
    T_fingertip = frames[..., 6, :, :] @ limits.T_tool_fingertip
    heights = _lowest(T_fingertip, opening_m)
    # A path may start too low (the arm was led there by hand); it must then rise.
    sinks = (heights < floor) & (np.diff(heights, axis=0, prepend=heights[:1]) < -1e-6)
    low = sinks.any(axis=0) | (heights[-1] < floor)
    reasons = [
        (~within_limits(limits.model, path, limits.joint_margin_rad), "a joint would reach its limit"),
        (singularity_margin(limits.model, path) < limits.min_singular_value, "too close to a singularity"),
        (self_distance(A, B) < limits.self_clearance_m, "the arm would touch itself"),
        (lowest_point(A, B) < limits.table_height_m, "the arm or its camera would touch the table"),
    ]
    for box in limits.keep_out:
        distance = box_distance(A, B, np.array(box.lower), np.array(box.upper))
        near = (distance <= limits.keep_out_clearance_m) | gripper_enters(
            T_fingertip, box, opening_m, limits.keep_out_clearance_m
        )
        reasons.append((near, f"it would enter the keep-out box {box.name!r}"))
    result = ["the gripper would touch the table" if bad else "" for bad in low]
    for bad, text in reasons:
        for i in np.flatnonzero(bad.any(axis=0)):
            result[i] = result[i] or text
    return result


def _outside(position: Array, limits: GuardLimits) -> list[str]:
    """For positions [N, 3]: which side of the workspace box each is beyond, in words ('' inside)."""
    words = []
    for p in position:
        beyond = [
            f"{n} {v:+.2f} m"
            for n, v, lo, hi in zip("xyz", p, limits.workspace_lower, limits.workspace_upper, strict=True)
            if not lo <= v <= hi
        ]
        words.append(", ".join(beyond))
    return words
