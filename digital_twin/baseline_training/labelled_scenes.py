"""Scenes of training objects as the wrist camera sees them, with what is known about them beside it.

The labels come from geometry: the surface is fused from exact pictures taken all around, and antipodal grasps with room
for the open gripper are searched on it, as the ``heuristic`` baseline does on what it has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digital_twin.benchmark.workspace import WORKSPACE_VOLUME
from digital_twin.world.cell_piles import PileSettings
from digital_twin.world.cell_reality import sample_reality
from digital_twin.world.cell_scene import TABLE_HEIGHT_IN_BASE_M
from digital_twin.world.d415 import D415, DEPTH_SCALE
from digital_twin.world.robot_cell import CAMERA_NAME, CellSettings, RobotCell
from grasp_policy.baselines.antipodal import AntipodalSearch, clear_of
from grasp_policy.baselines.steps import gripper_pose, looking_at
from grasp_policy.observer import SceneObserver
from grasp_policy.scene.surface import SurfacePoints
from robot_runner.arm.kinematics import UR5, inverse_near
from wildgrasp.geometry import Array, inverse, pose, so3_exp
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA, T_TOOL_FINGERTIP

_T_FINGERTIP_TOOL = inverse(T_TOOL_FINGERTIP)


@dataclass(frozen=True)
class Look:
    """One depth picture [H, W] in metres with the sensor's noise, and where it was taken from."""

    depth: NDArray[np.float32]
    T_base_camera: Array  # where the camera really was
    T_base_believed: Array  # where the rig's calibration says it was


@dataclass(frozen=True)
class LabelledScene:
    """A settled pile. ``surface`` is all of it that can be seen from above, exactly, in the robot's base."""

    surface: SurfacePoints
    table_m: float  # height in the base
    from_above: tuple[Look, ...]  # tool pointing down, anywhere over the pile
    around: tuple[Look, ...]  # looking at its middle from the sides


def labelled_scene(seed: int, looks: int = 8) -> LabelledScene | None:
    """The scene of a seed; None when nothing stands on its table or too little of it can be seen."""
    rng = np.random.default_rng([seed, 1])
    settings = CellSettings(seed, pile=PileSettings(family="train"), reality=sample_reality(rng, "nominal"))
    cell = RobotCell(settings)
    if not cell.objects():
        return None
    middle = np.median([T[:3, 3] for T in cell.objects().values()], axis=0)
    with D415(cell.model, CAMERA_NAME, seed, noise=settings.reality.noise) as camera:
        observer, seen = SceneObserver(WORKSPACE_VOLUME), 0
        for _ in _visit(cell, _ring(middle)):
            color, depth = camera.exact(cell.data)
            observer.observe(color, depth, camera.intrinsics, cell.T_base_camera())
            seen += 1
        if seen < _FEWEST_EXACT:
            return None
        return LabelledScene(
            observer.surface_points(),
            TABLE_HEIGHT_IN_BASE_M,
            tuple(_looks(cell, camera, _above(middle, rng, looks))),
            tuple(_looks(cell, camera, _beside(middle, rng, looks))),
        )


def with_room(standing: Array, T_base_fingertip: Array, search: AntipodalSearch) -> NDArray[np.bool_]:
    """As :func:`clear_of`, for many poses [N, 4, 4]: some at a time, or memory would be what takes the time."""
    parts = np.array_split(T_base_fingertip, max(1, len(T_base_fingertip) // _CHECKED_AT_ONCE))
    return np.concatenate([clear_of(standing, part, search) for part in parts])


def _looks(cell: RobotCell, camera: D415, poses: Iterable[Array]) -> Iterator[Look]:
    for T_base_fingertip in _visit(cell, poses):
        _, raw = camera.render(cell.data)
        depth = raw.astype(np.float32) * np.float32(DEPTH_SCALE)
        yield Look(depth, cell.T_base_camera(), T_base_fingertip @ NOMINAL_T_FINGERTIP_CAMERA)


def _visit(cell: RobotCell, poses: Iterable[Array]) -> Iterator[Array]:
    """Put the robot at those of the fingertip poses that it reaches without touching anything."""
    for T_base_fingertip in poses:
        q, reached = inverse_near(UR5, T_base_fingertip @ _T_FINGERTIP_TOOL, np.array(cell.settings.start_q), 60)
        if reached:
            cell.place_robot(q)
            if not cell.robot_touches():
                yield T_base_fingertip


def _ring(middle: Array) -> list[Array]:
    """Poses all around, for exact pictures."""
    poses = [looking_at(middle, 0.25, 0.0, 0.0, _FORWARD)]
    poses += [looking_at(middle, 0.25, 0.3, a, _FORWARD) for a in np.linspace(0, 2 * np.pi, 4, endpoint=False)]
    poses += [looking_at(middle, 0.22, 0.65, a, _FORWARD) for a in np.linspace(0.4, 2 * np.pi + 0.4, 6, endpoint=False)]
    return poses


def _above(middle: Array, rng: np.random.Generator, count: int) -> list[Array]:
    """Poses that point down from 5 to 50 cm above the table, over the pile or beside it, turned anyhow."""
    poses = []
    for _ in range(2 * count):  # not all can be reached
        at = middle + np.append(rng.uniform(-0.09, 0.09, 2), 0.0)
        at[2] = TABLE_HEIGHT_IN_BASE_M + 0.05 + 0.45 * rng.random() ** 1.5
        turned = so3_exp(np.append(rng.normal(0, 0.06, 2), rng.uniform(-np.pi / 2, np.pi / 2)))
        poses.append(gripper_pose(at, _DOWN, _FORWARD) @ pose(turned))
    return poses[:count]


def _beside(middle: Array, rng: np.random.Generator, count: int) -> list[Array]:
    return [
        looking_at(middle + rng.normal(0, 0.02, 3), rng.uniform(0.15, 0.35), rng.uniform(0, 0.65), angle, _FORWARD)
        for angle in rng.uniform(0, 2 * np.pi, count)
    ]


_DOWN = np.array([0.0, 0.0, -1.0])
_FORWARD = np.array([0.0, -1.0, 0.0])  # the closing direction nearest to that of the start pose
_FEWEST_EXACT = 6
_CHECKED_AT_ONCE = 48
