"""Training volumes for the one-shot baseline: the signed distance of a few pictures, and grasps of the scene."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from digital_twin.baseline_training.labelled_scenes import LabelledScene, with_room
from digital_twin.world.d415 import CAMERA
from grasp_policy.baselines.antipodal import AntipodalSearch, antipodal_grasps, tips_above
from grasp_policy.baselines.vgn_grid import SIDE, Depth, as_published, cube_corner, fuse, near_surface
from grasp_policy.precision import prefers_bfloat16
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

_SEARCH = AntipodalSearch(contacts=250)
_GRIDS = 3
_LOOKS = (2, 6)  # pictures that a volume is fused from


def volumes(scene: LabelledScene, rng: np.random.Generator) -> dict[str, NDArray]:
    """``grid`` [3, 40, 40, 40] in 1/255 and ``grasps`` [M, 8]: position in voxels, quaternion, opening in voxels."""
    points = scene.surface.points
    standing = points[points[:, 2] > scene.table_m + _SEARCH.table_gap_m]
    middle = np.median(standing, axis=0) + rng.uniform(-0.03, 0.03, 3)
    corner = cube_corner(middle, scene.table_m)
    gripper = gripper_mask(CAMERA, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    images = [Depth(np.where(gripper, 0, look.depth), CAMERA, look.T_base_believed) for look in scene.around]
    grids = []
    for _ in range(_GRIDS):
        count = min(int(rng.integers(*_LOOKS, endpoint=True)), len(images))
        grids.append(fuse([images[n] for n in rng.permutation(len(images))[:count]], corner))
    rows = _grasps(scene, standing, corner, rng)
    return {"grid": np.round(255 * np.stack(grids)).astype(np.uint8), "grasps": rows}


def _grasps(scene: LabelledScene, standing: NDArray, corner: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    grasps = antipodal_grasps(scene.surface, scene.table_m, rng, _SEARCH)
    grasps = grasps[tips_above(scene.table_m, grasps.T_world_fingertip, _SEARCH)]
    poses = grasps.T_world_fingertip
    free = with_room(standing, poses, _SEARCH)
    rows = as_published(poses[free], grasps.widths_m[free], corner)
    inside = np.all((rows[:, :3] > -0.5) & (rows[:, :3] < SIDE - 0.5), axis=1)
    return rows[inside].astype(np.float32)


class VgnBatches:
    """The loss of random volumes. ``scenes`` are what :func:`volumes` gave."""

    def __init__(self, scenes: list[dict[str, NDArray]], batch: int = 4) -> None:
        self._batch = batch
        self._scenes = [scene for scene in scenes if len(scene["grasps"]) >= _FEWEST_GRASPS]

    def __len__(self) -> int:
        return len(self._scenes) * _GRIDS

    def loss(self, network: nn.Module, rng: np.random.Generator) -> Tensor:
        """Cross-entropy of quality; where there is a grasp, as published, 1 − |q · q'| and 0.01 × the squared error of
        the opening in voxels. A grasp turned by half a turn about its approach is the same grasp."""
        drawn = [self._volume(rng) for _ in range(self._batch)]
        grids = torch.from_numpy(np.stack([grid for grid, _, _ in drawn]))[:, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=prefers_bfloat16()):
            quality, rotation, width = (
                part.float() for part in network(grids.to(memory_format=torch.channels_last_3d))
            )
        losses = []
        for n, (_, grasps, negatives) in enumerate(drawn):
            i, j, k = torch.from_numpy(np.round(grasps[:, :3]).astype(np.int64).T)
            yes, no = quality[n, 0, i, j, k], quality[n, 0][torch.from_numpy(negatives).unbind(1)]
            q = torch.from_numpy(grasps[:, 3:7])
            turned = torch.from_numpy(half_turned(grasps[:, 3:7]))
            found = rotation[n, :, i, j, k].T
            apart = 1 - torch.maximum((found * q).sum(1).abs(), (found * turned).sum(1).abs())
            off = (width[n, 0, i, j, k] - torch.from_numpy(grasps[:, 7])) ** 2
            right = -(_log(yes).mean() + _log(1 - no).mean())
            losses.append(right + apart.mean() + 0.01 * off.mean())
        return torch.stack(losses).mean()

    def _volume(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """A grid, some of its grasps, and voxels [N, 3] that are none; turned by quarters about the vertical."""
        scene = self._scenes[rng.integers(len(self._scenes))]
        grid = scene["grid"][rng.integers(len(scene["grid"]))].astype(np.float32) / 255
        grid, grasps = quarter_turned(grid, scene["grasps"], int(rng.integers(4)))
        voxels = np.round(grasps[:, :3]).astype(int)
        near = near_surface(grid)
        good = np.zeros(grid.shape, bool)
        good[tuple(voxels.T)] = True
        bad = near & ~ndimage.binary_dilation(good, iterations=2, structure=np.ones((3, 3, 3)))
        close = np.argwhere(bad & ndimage.binary_dilation(good, iterations=7))
        anywhere = np.argwhere(bad)
        negatives = [part[rng.permutation(len(part))[:_SAMPLES]] for part in (close, anywhere)]
        known = grasps[near[tuple(voxels.T)]]
        grasps = known if len(known) else grasps
        return grid, grasps[rng.permutation(len(grasps))[:_SAMPLES]], np.concatenate(negatives)


def half_turned(quaternions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same grasps [N, 4] (x, y, z, w) with the fingers swapped: turned by π about their own z."""
    x, y, z, w = quaternions.T
    return np.stack([y, -x, w, -z], axis=1)


def quarter_turned(
    grid: NDArray[np.float32], grasps: NDArray[np.float32], turns: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A grid and its grasps [N, 8], turned by quarters about the vertical through the cube's middle."""
    middle = SIDE / 2  # where output voxels count from the corner, and input voxels from half a voxel further
    R = Rotation.from_rotvec([0, 0, turns * np.pi / 2])
    turned = grasps.copy()
    turned[:, :3] = R.apply(grasps[:, :3] - middle) + middle
    turned[:, 3:7] = (R * Rotation.from_quat(grasps[:, 3:7])).as_quat()
    inside = np.all((turned[:, :3] > -0.5) & (turned[:, :3] < SIDE - 0.5), axis=1)
    return np.ascontiguousarray(np.rot90(grid, turns, axes=(0, 1))), turned[inside]


def _log(p: Tensor) -> Tensor:
    return torch.log(p.clamp(min=1e-6))


_FEWEST_GRASPS = 20
_SAMPLES = 200
