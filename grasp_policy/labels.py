"""What demonstrations say about candidate poses: a cost to go to the nearest grasp, and the paper's frustum overlap.

``funnel`` (default): how far a candidate is from the nearest of the known grasps, counted along a funnel that opens
away from the grasp: near it, only the approach corridor is cheap. Soft labels are softmax(−cost / temperature). In a
simulation study this taught three times as well as the paper's labels, because a person's rotation per step is less
than half a candidate step, and so 85 % of the paper's positives are "straight ahead".

``paper``: the candidate whose view frustum overlaps most with the view demonstrated one step later is the positive,
with target λ^(steps to go); candidates ranked below the top four are negatives, with target 0 (section V-B).

All functions are pure; poses are in one common world frame, costs in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import VIEW_CAMERA
from wildgrasp.geometry import PinholeCamera, inverse, transform

PAPER_DISCOUNT = 0.999  # λ
PAPER_UNLABELLED = 4  # the ranks between the positive and this one are neither positive nor negative
PAPER_NEGATIVES = 5  # per positive


@dataclass(frozen=True)
class FunnelCost:
    """Weights of the cost to go, and the shape of the approach corridor.

    The height h is the distance before the grasp along its approach. A pose that is lateral metres beside the
    approach axis and tilted by angle radians must be at least ``lateral_slope · (lateral − lateral_free_m) +
    angle_slope_m · (angle − angle_free_rad)`` high, or its fingers meet the object or its neighbours.
    """

    angle_m: float = 0.12  # metres that one radian is worth
    forward: float = 0.6  # per metre still to advance; below 1, so that aligning comes before advancing
    overshoot: float = 2.0  # per metre beyond the grasp
    overshoot_free_m: float = 0.005
    corridor: float = 2.0  # per metre too low for the corridor
    lateral_slope: float = 1.2
    lateral_free_m: float = 0.006
    angle_slope_m: float = 0.12
    angle_free_rad: float = 0.10


def funnel_cost(
    T_world_fingertip: NDArray[np.float64], T_world_grasps: NDArray[np.float64], cost: FunnelCost = FunnelCost()
) -> NDArray[np.float64]:
    """Cost to go [N] in metres from poses [N, 4, 4] to the nearest of the grasps [G, 4, 4], G ≥ 1.

    A grasp turned by 180° about its approach is the same grasp: the jaws are alike, only the camera changes sides.
    """
    R, R_grasp = T_world_fingertip[:, None, :3, :3], T_world_grasps[None, :, :3, :3]
    offset = (T_world_fingertip[:, None, :3, 3] - T_world_grasps[None, :, :3, 3])[..., None, :] @ R_grasp
    lateral = np.hypot(offset[..., 0, 0], offset[..., 0, 1])
    height = -offset[..., 0, 2]
    angle = _angle_up_to_flip(np.swapaxes(R_grasp, -1, -2) @ R)
    needed = cost.lateral_slope * np.maximum(lateral - cost.lateral_free_m, 0.0)
    needed += cost.angle_slope_m * np.maximum(angle - cost.angle_free_rad, 0.0)
    total = (
        lateral
        + cost.angle_m * angle
        + cost.forward * np.maximum(height, 0.0)
        + cost.overshoot * np.maximum(-height - cost.overshoot_free_m, 0.0)
        + cost.corridor * np.maximum(needed - height, 0.0)
    )
    return total.min(axis=1)


def soft_labels(cost: NDArray[np.floating], temperature: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Probabilities softmax(−cost / temperature) over the last axis of costs [..., K]; temperature [...] in metres."""
    scaled = -(cost - cost.min(axis=-1, keepdims=True)) / np.asarray(temperature)[..., None]
    weights = np.exp(scaled)
    return weights / weights.sum(axis=-1, keepdims=True)


def frustum_overlap(
    T_world_candidates: NDArray[np.float64],
    T_world_truth: NDArray[np.float64],
    camera: PinholeCamera = VIEW_CAMERA,
    near_m: float = 0.05,
    far_m: float = 0.6,
) -> NDArray[np.float64]:
    """Intersection over union [N], 0 … 1, of the view frusta of camera poses [N, 4, 4] with that of a pose [4, 4].

    Estimated from points spread evenly over the volume of the true frustum; all frusta have the same volume V, so
    with the share s of points that a candidate sees, the union is (2 − s) V.
    """
    points = transform(T_world_truth, _frustum_points(camera, near_m, far_m))
    seen = transform(inverse(T_world_candidates), points)
    z = seen[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        uv = camera.project(seen)
    inside = (z > near_m) & (z < far_m) & (np.abs(uv[..., 0] - (camera.width - 1) / 2) < camera.width / 2)
    share = np.mean(inside & (np.abs(uv[..., 1] - (camera.height - 1) / 2) < camera.height / 2), axis=-1)
    return share / (2.0 - share)


def paper_target(steps_to_go: NDArray[np.integer]) -> NDArray[np.float64]:
    """The paper's target value λ^(m − t) of a positive."""
    return PAPER_DISCOUNT**steps_to_go


def grasp_pixels(
    T_world_cameras: NDArray[np.float64], T_world_grasp: NDArray[np.float64], camera: PinholeCamera = VIEW_CAMERA
) -> NDArray[np.float64]:
    """Pixels [N, 2] in which the views [N, 4, 4] show the position of a grasp [4, 4]; −1e3 where it is behind them."""
    points = transform(inverse(T_world_cameras), T_world_grasp[None, :3, 3])[:, 0]
    behind = points[:, 2] < 0.02
    pixels = camera.project(np.where(behind[:, None], 1.0, points))
    return np.where(behind[:, None], -1e3, pixels)


def _angle_up_to_flip(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smaller of the angles of R and of R turned by 180° about z, [...]."""
    trace = np.maximum(R[..., 0, 0] + R[..., 1, 1], -R[..., 0, 0] - R[..., 1, 1]) + R[..., 2, 2]
    return np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0))


def _frustum_points(camera: PinholeCamera, near_m: float, far_m: float, count: int = 1500) -> NDArray[np.float64]:
    """Points [count, 3] spread evenly over the volume of a frustum, the same ones every time."""
    rng = np.random.default_rng(0)
    z = np.cbrt(rng.uniform(near_m**3, far_m**3, count))
    uv = rng.uniform([-0.5, -0.5], [camera.width - 0.5, camera.height - 0.5], (count, 2))
    return camera.unproject(uv, z)
