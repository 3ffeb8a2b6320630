"""The moves a policy chooses from, when it closes, and how it finishes (section V-A of the paper).

All moves are relative: ``T_fingertip_next``, the pose of the fingertip frame after the move in the frame before it.
Everything here is a pure function of a rendered view and the gripper's geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.views import Views
from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp
from wildgrasp.rig import MAX_OPENING_M, gripper_boxes

# The D415's colour stream at 640×360 (65° horizontal field of view), and the same eye at the action views' resolution.
SENSOR_CAMERA = PinholeCamera.from_hfov(640, 360, np.deg2rad(65.0))
VIEW_CAMERA = SENSOR_CAMERA.resized(80, 45)

TRANSLATIONS = 5
ROTATIONS = 7
CANDIDATES = TRANSLATIONS * ROTATIONS


@dataclass(frozen=True)
class ActionPreset:
    """Step sizes as they grow with the scene's median depth, and when to close.

    With r = clamp((median depth − near_depth_m) / depth_span_m, 0, 1), each size is its ``min`` plus r times its
    ``span``: translations, rotations, and the offset along z that every candidate gets.
    """

    name: str
    near_depth_m: float
    depth_span_m: float
    translation_min_m: float
    translation_span_m: float
    rotation_min_rad: float
    rotation_span_rad: float
    advance_min_m: float
    advance_span_m: float
    close_margin_m: float  # close when something is this much nearer than the fingertips …
    blocked_margin_m: float  # … or this much, and the way ahead is not free
    finish_m: float  # how far the guarded finishing move may advance …
    deepest_m: float  # … while no more than this is between the fingers, which the pads can hold …
    centre_m: float  # … and aside, along the closing direction, where that lets it advance farther


# As printed in section V-A.
PAPER = ActionPreset(
    name="paper",
    near_depth_m=0.1,
    depth_span_m=0.4,
    translation_min_m=0.015,
    translation_span_m=0.035,
    rotation_min_rad=float(np.deg2rad(10.0)),
    rotation_span_rad=float(np.deg2rad(20.0)),
    advance_min_m=0.01,
    advance_span_m=0.0,
    close_margin_m=0.015,
    blocked_margin_m=np.inf,
    finish_m=0.0,
    deepest_m=np.inf,
    centre_m=0.0,
)

# With the camera 25 cm behind the fingertips the median depth hardly falls below 0.25 m, so the paper's steps are still
# 28 mm and 17.5° at contact, and its close rule fires 15 to 40 mm short of a good grasp. What each of these numbers
# is worth to an expert that knows good grasps stands in docs/proving-ground.md.
FINE = ActionPreset(
    name="fine",
    near_depth_m=0.25,
    depth_span_m=0.4,
    translation_min_m=0.008,
    translation_span_m=0.042,
    rotation_min_rad=float(np.deg2rad(5.0)),
    rotation_span_rad=float(np.deg2rad(25.0)),
    advance_min_m=0.003,
    advance_span_m=0.007,
    close_margin_m=0.025,
    blocked_margin_m=0.008,  # low things: the table stops the fingers before 25 mm of them are between
    finish_m=0.05,
    deepest_m=0.06,
    centre_m=0.016,
)

PRESETS = {preset.name: preset for preset in (PAPER, FINE)}


def median_depth(view: Views, empty_m: float = 0.5) -> float:
    """Median depth in metres over the valid pixels of a view; ``empty_m`` where there are none (nothing known yet)."""
    depth = view.depth[view.valid]
    return float(np.median(depth)) if depth.size else empty_m


def step_size(median_depth_m: float, preset: ActionPreset) -> tuple[float, float, float]:
    """(translation d in metres, rotation a in radians, offset along z in metres) at a median depth in metres."""
    r = float(np.clip((median_depth_m - preset.near_depth_m) / preset.depth_span_m, 0.0, 1.0))
    return (
        preset.translation_min_m + r * preset.translation_span_m,
        preset.rotation_min_rad + r * preset.rotation_span_rad,
        preset.advance_min_m + r * preset.advance_span_m,
    )


def candidates(median_depth_m: float, preset: ActionPreset) -> NDArray[np.float64]:
    """The 35 moves T_fingertip_next [35, 4, 4]: index = 7 × translation + rotation.

    Translations are +x, −x, +y, −y, +z by d, each with the offset along z added; rotations are the identity, +x, −x,
    +y, −y, +z, −z by a, about the fingertips. The paper counts seven rotations and prints six ("Rx = ±a, Ry = ±a,
    Rz = a, and R = 0"); turning about z by +a *and* −a makes the seven and treats both senses alike.
    """
    d, a, advance = step_size(median_depth_m, preset)
    translations = d * _TRANSLATION_DIRECTIONS + np.array([0.0, 0.0, advance])
    rotations = so3_exp(a * _ROTATION_DIRECTIONS)
    return pose(rotations[None], translations[:, None]).reshape(CANDIDATES, 4, 4)


_TRANSLATION_DIRECTIONS = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
_ROTATION_DIRECTIONS = np.array([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])


# --- When to close ----------------------------------------------------------------------------------------------------


def depth_between_fingers(view: Views, camera: PinholeCamera, T_fingertip_camera: NDArray[np.float64]) -> float:
    """How far in metres something reaches in between the fingers, in the current view (one image).

    By how much the nearest 1 % of depth in the window between the fingertips is nearer than they are: the measure of
    the paper's close rule. −inf when nothing is known there.
    """
    T_camera_fingertip = inverse(T_fingertip_camera)
    tip = T_camera_fingertip[:3, 3]
    if tip[2] <= 0:
        return -np.inf
    rows, columns = _window_between_fingers(camera, T_camera_fingertip)
    depth = view.depth[0][rows, columns][view.valid[0][rows, columns]]
    return float(tip[2] - np.percentile(depth, 1.0)) if depth.size else -np.inf


def _window_between_fingers(camera: PinholeCamera, T_camera_fingertip: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of the image that show the plane between the fingertips."""
    corners = np.array([[x, y, 0.0] for x in (-_WINDOW_X_M, _WINDOW_X_M) for y in (-_WINDOW_Y_M, _WINDOW_Y_M)])
    pixels = camera.project(corners @ T_camera_fingertip[:3, :3].T + T_camera_fingertip[:3, 3])
    (u0, v0), (u1, v1) = np.floor(pixels.min(axis=0)).astype(int), np.ceil(pixels.max(axis=0)).astype(int)
    return slice(max(v0, 0), max(v1 + 1, 0)), slice(max(u0, 0), max(u1 + 1, 0))


_WINDOW_X_M = 0.04  # half sizes: a finger's breadth of air on either side of the pads, the pads' width
_WINDOW_Y_M = 0.011


# --- The finishing move -----------------------------------------------------------------------------------------------


def finishing_move(
    points_fingertip: NDArray[np.floating],
    T_base_fingertip: NDArray[np.float64],
    allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    preset: ActionPreset,
    opening_m: float = MAX_OPENING_M,
) -> NDArray[np.float64]:
    """The move before closing, T_fingertip_close [4, 4]: along the approach, and aside if that leads farther.

    It advances as far as the preset allows while the space that fingers and palm sweep is clear of the scene's surface
    points [N, 3] (in the fingertip frame) and the poses on the way are allowed. What stands under one finger only is
    passed by moving aside along the closing direction, no farther than it takes; the identity when there is no way on.
    """
    near = points_fingertip[(np.abs(points_fingertip) < _FINISH_REACH_M).all(axis=1)]
    aside, ahead = 0.0, free_advance(near, preset, opening_m)
    for shift in _shifts(preset.centre_m):
        farther = free_advance(near - [shift, 0.0, 0.0], preset, opening_m)
        if farther > ahead + _FINISH_STEP_M:
            aside, ahead = shift, farther
    advances = np.arange(1, round(ahead / _FINISH_STEP_M) + 1) * _FINISH_STEP_M
    moves = pose(t=np.stack([np.full_like(advances, aside), np.zeros_like(advances), advances], axis=1))
    if not len(moves):
        return np.eye(4)
    possible = np.logical_and.accumulate(np.asarray(allowed(T_base_fingertip @ moves), bool))
    return moves[possible][-1] if possible.any() else np.eye(4)


def free_advance(points: NDArray[np.floating], preset: ActionPreset, opening_m: float = MAX_OPENING_M) -> float:
    """How far in metres the open gripper may advance straight, up to ``finish_m``, before it meets points [N, 3]."""
    meets = np.full(len(points), np.inf)  # after which advance each point is inside one of the gripper's parts
    for box in gripper_boxes(opening_m).values():
        local = points - box.center
        beside = (np.abs(local[:, :2]) > box.half[:2] + _CLEARANCE_M).any(axis=1) | (local[:, 2] < -box.half[2])
        ahead = np.maximum(local[:, 2] - box.half[2] - _CLEARANCE_M, 0.0)
        meets = np.minimum(meets, np.where(beside, np.inf, ahead))
    if len(meets) < _FINISH_POINTS:
        return preset.finish_m
    first = float(np.partition(meets, _FINISH_POINTS - 1)[_FINISH_POINTS - 1])
    whole_steps = np.ceil(first / _FINISH_STEP_M - 1e-6) - 1  # the last one that ends before
    return float(np.clip(whole_steps * _FINISH_STEP_M, 0.0, preset.finish_m))


def _shifts(farthest_m: float) -> NDArray[np.float64]:
    """Steps to both sides, nearest first, without 0."""
    steps = np.arange(1, int(farthest_m / _CENTRE_STEP_M + 1e-6) + 1) * _CENTRE_STEP_M
    return np.stack([steps, -steps], axis=1).ravel()


_FINISH_STEP_M = 0.005
_CENTRE_STEP_M = 0.004
_FINISH_POINTS = 2  # one stray point does not stop the move
_FINISH_REACH_M = 0.3  # what is farther away is not met
_CLEARANCE_M = 0.003
