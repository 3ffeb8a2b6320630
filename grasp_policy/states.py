"""Training states from one demonstrated approach: what the policy would have seen there, and what each move was
worth.

Along the approach the frames are fused as a robot would fuse them. About one action step apart, and at poses *beside*
the demonstrated ones, the view of the moment and the views after candidate moves are rendered from what was known by
then. The poses beside matter: people turn by less than half an action step at a time, so that on the demonstrated
path alone "straight ahead" is nearly always right and nothing is learned about coming back to it.

Views are those of the nominal camera mount, whatever the session's own calibration: the network sees the same eye
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import PRESETS, VIEW_CAMERA, ActionPreset, candidates, median_depth, step_size
from grasp_policy.demonstrations import Approach
from grasp_policy.features import PackedViews, pack
from grasp_policy.labels import frustum_overlap, funnel_cost, grasp_pixels
from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.views import Views
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.geometry import PinholeCamera, inverse, pose, rotation_angle, so3_exp, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA, gripper_boxes


@dataclass(frozen=True)
class StatesConfig:
    """How approaches become states."""

    actions: str = "fine"  # action preset
    views: int = 16  # candidates kept per state, of 35: the four best, the paper's positive, and a random rest
    frame_stride: int = 3  # every how many frames one is fused
    beside: int = 2  # poses beside each demonstrated one
    beside_translation: float = 0.8  # their standard deviation in action steps (half of it along the approach)
    beside_rotation: float = 0.9
    voxel_m: float = 0.005
    volume_m: tuple[float, float, float] = (0.8, 0.8, 0.6)  # around the grasp, the last along its approach
    seed: int = 0


@dataclass(frozen=True)
class TrainingState:
    """One state with K of its candidates; poses are not kept."""

    views: PackedViews  # [1 + K]: the view of the moment, then those after the moves
    cost_m: NDArray[np.float32]  # [K] funnel cost to go
    overlap_rank: NDArray[np.int8]  # [K] rank of the frustum overlap among all candidates, 0 = best
    grasp_pixel: NDArray[np.float32]  # [K, 2]
    step_m: float  # translation of the candidates
    steps_to_go: int
    beside: bool  # at a pose beside the demonstrated ones


def training_states(
    approach: Approach,
    frame: Callable[[int], RGBDFrame],
    camera: PinholeCamera,
    T_camera_fingertip: NDArray[np.float64],
    ignore: NDArray[np.bool_],
    config: StatesConfig,
) -> list[TrainingState]:
    """States along an approach, in its order.

    ``frame(id)`` reads a frame; ``ignore`` [H, W] marks the gripper's pixels. Deterministic: the same approach and
    configuration give the same states.
    """
    rng = np.random.default_rng([config.seed, approach.attempt_id])
    # A frame of our own, standing on the grasp: a recording knows neither the table nor what is up.
    T_local_world = inverse(approach.T_world_grasp @ _AWAY_FROM_SCENE)
    T_local_camera = T_local_world @ approach.T_world_camera
    path = T_local_camera @ T_camera_fingertip
    scene = TsdfScene(Volume.around((0.0, 0.0, config.volume_m[2] / 4), config.volume_m, config.voxel_m))
    maker = _StateMaker(scene, PRESETS[config.actions], T_local_world @ approach.T_world_grasps, config, rng)
    made: list[tuple[int, TrainingState]] = []
    stop, fused, step = 0, 0, 0
    while stop < len(path) - 1:
        for index in range(fused, stop + 1):
            if index % config.frame_stride == 0 or index == stop:
                seen = frame(int(approach.frame_ids[index]))
                scene.integrate(seen.color, seen.depth, camera, T_local_camera[index], ignore)
        fused = stop + 1
        view = maker.look(path[stop])
        next_stop = _one_step_later(path, stop, *step_size(median_depth(view), maker.preset))
        made += [(step, state) for state in maker.states_at(path[stop], view, path[next_stop])]
        stop, step = next_stop, step + 1
    return [replace(state, steps_to_go=step - at) for at, state in made]


_AWAY_FROM_SCENE = pose(np.diag([1.0, -1.0, -1.0]))  # turns z from the approach to its opposite
_SEEN_SHARE = 0.1  # of a view's pixels; a pose that sees less is inside something or looks away
_TOUCHING_POINTS = 3  # surface points inside the gripper's parts, one may be noise
_DRAWS = 4  # attempts at a pose beside that touches nothing
_LEAST_TRANSLATION_M, _LEAST_ROTATION_RAD = 0.015, 0.15  # of the poses beside, where action steps become small


@dataclass
class _StateMaker:
    """Renders and labels states in one growing scene; all poses are in its frame."""

    scene: TsdfScene
    preset: ActionPreset
    T_grasps: NDArray[np.float64]  # [G, 4, 4], the demonstrated one first
    config: StatesConfig
    rng: np.random.Generator

    def look(self, T_fingertip: NDArray[np.float64]) -> Views:
        return self.scene.render(VIEW_CAMERA, (T_fingertip @ NOMINAL_T_FINGERTIP_CAMERA)[None])

    def states_at(
        self, T_fingertip: NDArray[np.float64], view: Views, T_next: NDArray[np.float64]
    ) -> list[TrainingState]:
        """The state at a demonstrated pose and those beside it; T_next was demonstrated one action step later."""
        if view.valid.mean() < _SEEN_SHARE:
            return []
        states = [self._state(T_fingertip, view, T_next, beside=False)]
        step = step_size(median_depth(view), self.preset)
        for _ in range(self.config.beside):
            found = self._pose_beside(T_fingertip, *step[:2])
            if found is not None:
                states.append(self._state(*found, T_next, beside=True))
        return states

    def _pose_beside(
        self, T: NDArray[np.float64], translation_m: float, rotation_rad: float
    ) -> tuple[NDArray[np.float64], Views] | None:
        config, rng = self.config, self.rng
        for _ in range(_DRAWS):
            spread = rng.uniform(0.3, 1.3)
            scale_m = spread * config.beside_translation * max(translation_m, _LEAST_TRANSLATION_M)
            angle = spread * config.beside_rotation * max(rotation_rad, _LEAST_ROTATION_RAD) * abs(rng.normal())
            axis = rng.normal(size=3)
            moved = T @ pose(
                so3_exp(angle * axis / np.linalg.norm(axis)), scale_m * np.array([1.0, 1.0, 0.5]) * rng.normal(size=3)
            )
            view = self.look(moved)
            if view.valid.mean() >= _SEEN_SHARE and not _touches(view):
                return moved, view
        return None

    def _state(
        self, T_fingertip: NDArray[np.float64], view: Views, T_next: NDArray[np.float64], beside: bool
    ) -> TrainingState:
        depth = median_depth(view)
        after = T_fingertip @ candidates(depth, self.preset)
        cameras = after @ NOMINAL_T_FINGERTIP_CAMERA
        cost = funnel_cost(after, self.T_grasps)
        rank = _ranks(-frustum_overlap(cameras, T_next @ NOMINAL_T_FINGERTIP_CAMERA))
        kept = self._select(cost, rank)
        rendered = self.scene.render(VIEW_CAMERA, cameras[kept])
        return TrainingState(
            views=pack(_concatenate(view, rendered)),
            cost_m=cost[kept].astype(np.float32),
            overlap_rank=rank[kept].astype(np.int8),
            grasp_pixel=grasp_pixels(cameras[kept], self.T_grasps[0]).astype(np.float32),
            step_m=step_size(depth, self.preset)[0],
            steps_to_go=0,
            beside=beside,
        )

    def _select(self, cost: NDArray[np.float64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
        """Candidates [K] to keep: the four best, the paper's positive, and a random rest."""
        order = np.concatenate([np.argsort(cost)[:4], np.flatnonzero(rank == 0), self.rng.permutation(len(cost))])
        _, first = np.unique(order, return_index=True)
        return order[np.sort(first)][: self.config.views]


def _one_step_later(
    path: NDArray[np.float64], stop: int, translation_m: float, rotation_rad: float, advance_m: float
) -> int:
    """First index after ``stop`` that is about one action step away; the last index when none is."""
    ahead = path[stop + 1 :]
    moved = np.linalg.norm(ahead[:, :3, 3] - path[stop, :3, 3], axis=1)
    turned = rotation_angle(path[stop, :3, :3].T @ ahead[:, :3, :3])
    far = (moved >= translation_m + 0.5 * advance_m) | (turned >= 1.2 * rotation_rad)
    return stop + 1 + int(np.argmax(far)) if far.any() else len(path) - 1


def _touches(view: Views) -> bool:
    """Whether surface that a view (one image) shows lies inside the open gripper's parts."""
    points = VIEW_CAMERA.points(view.depth[0])[view.valid[0]]
    points = transform(NOMINAL_T_FINGERTIP_CAMERA, points)
    inside = 0
    for box in gripper_boxes(MAX_OPENING_M).values():
        inside += int(np.all(np.abs(points - box.center) <= box.half, axis=1).sum())
    return inside >= _TOUCHING_POINTS


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")


def _concatenate(a: Views, b: Views) -> Views:
    return Views(
        np.concatenate([a.color, b.color]),
        np.concatenate([a.depth, b.depth]),
        np.concatenate([a.normal, b.normal]),
        np.concatenate([a.valid, b.valid]),
    )
