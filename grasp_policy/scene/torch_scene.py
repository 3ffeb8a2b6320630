"""The fused scene on a CUDA device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_policy.scene import torch_kernels
from grasp_policy.scene.surface import Mesh, SurfacePoints
from grasp_policy.scene.torch_kernels import Rays, Voxels
from grasp_policy.scene.tsdf import TsdfScene, Volume, checked_images, checked_poses, homogeneous_pixels
from grasp_policy.scene.views import Views
from grasp_policy.scene.voxels import BLOCK, BLOCK_VOXELS, UNSEEN, block_grid, offset_tables
from wildgrasp.geometry import PinholeCamera, inverse


class TorchScene:
    """See :class:`TsdfScene`: the same voxels and promises, on any device of torch's."""

    def __init__(
        self, volume: Volume, truncation_m: float = 0.02, alpha: float = 0.8, device: str | torch.device = "cuda"
    ) -> None:
        self._on_cpu = TsdfScene(volume, truncation_m, alpha)  # checks the settings; filled when points are asked for
        self.volume, self.truncation_m, self.alpha = volume, truncation_m, alpha
        self._device = torch.device(device)
        grid = block_grid(volume.shape)
        count = int(np.prod(grid)) * BLOCK_VOXELS
        self._voxels = Voxels(
            torch.full((count,), int(UNSEEN), dtype=torch.int16, device=self._device),
            torch.zeros((count, 3), dtype=torch.uint8, device=self._device),
            tuple(torch.from_numpy(table.astype(np.int64)).to(self._device) for table in offset_tables(grid)),
            grid,
            volume.shape,
        )
        self._homogeneous = self._to_device(_voxel_indices(grid))

    def reset(self) -> None:
        self._voxels.tsdf.fill_(int(UNSEEN))

    @torch.inference_mode()
    def integrate(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_world_camera: NDArray[np.float64],
        ignore: NDArray[np.bool_] | None = None,
    ) -> int:
        color, depth, ignore = checked_images(color, depth, ignore, camera)
        base, steps = homogeneous_pixels(self.volume, camera, inverse(checked_poses(T_world_camera)[0]))
        distance = self._to_device(depth)
        good = torch.isfinite(distance) & (distance > 0)
        if ignore is not None:
            good &= ~self._to_device(ignore)
        to_pixels = self._to_device(np.column_stack([steps.T, base]).astype(np.float32))
        return int(
            torch_kernels.fuse(
                self._voxels,
                to_pixels @ self._homogeneous,
                torch.where(good, distance, 0.0),
                self._to_device(color).view(-1, 3),
                self.truncation_m,
                self.alpha,
            )
        )

    @torch.inference_mode()
    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> Views:
        poses = checked_poses(T_world_camera)
        count, height, width = len(poses), camera.height, camera.width
        origins = (poses[:, :3, 3] - np.array(self.volume.origin)) / self.volume.voxel_m
        R = self._to_device(poses[:, :3, :3].astype(np.float32))
        in_camera = self._to_device(camera.points(np.ones((height, width), np.float32)).astype(np.float32)).view(-1, 3)
        cos = 1 / in_camera.norm(dim=1)
        directions = (in_camera * cos[:, None]) @ R.transpose(1, 2)  # [N, H × W, 3]
        rays = Rays(
            self._to_device(origins.astype(np.float32)).repeat_interleave(height * width, 0),
            directions.reshape(-1, 3),
            cos.repeat(count),
        )
        leap_grid = torch_kernels.leaps(self._voxels)
        truncation = self.truncation_m / self.volume.voxel_m
        hit, distance, gradient, colors = torch_kernels.cast(self._voxels, leap_grid, rays, truncation)
        views = Views.nothing(count, height, width)
        pixels = hit.cpu().numpy()
        normals = torch.einsum("mwc,mw->mc", R[hit // (height * width)], gradient)
        normals /= normals.norm(dim=1, keepdim=True)
        views.valid.reshape(-1)[pixels] = True
        views.depth.reshape(-1)[pixels] = (distance * rays.cos[hit] * self.volume.voxel_m).cpu().numpy()
        views.normal.reshape(-1, 3)[pixels] = normals.cpu().numpy()
        views.color.reshape(-1, 3)[pixels] = colors.cpu().numpy()
        return views

    def surface_points(self) -> SurfacePoints:
        return self._copied().surface_points()

    def mesh(self) -> Mesh:
        return self._copied().mesh()

    def to_dense(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return self._copied().to_dense()

    def _copied(self) -> TsdfScene:
        self._on_cpu.assign(self._voxels.tsdf.cpu().numpy(), self._voxels.colors.cpu().numpy())
        return self._on_cpu

    def _to_device(self, array: NDArray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)


def _voxel_indices(grid: tuple[int, int, int]) -> NDArray[np.float32]:
    """(i, j, k, 1) of all voxels, block by block, [4, voxels]."""
    blocks = np.stack(np.mgrid[: grid[0], : grid[1], : grid[2]], axis=-1).reshape(-1, 1, 3) * BLOCK
    within = np.stack(np.mgrid[:BLOCK, :BLOCK, :BLOCK], axis=-1).reshape(1, -1, 3)
    indices = (blocks + within).reshape(-1, 3).T
    return np.concatenate([indices, np.ones((1, indices.shape[1]))]).astype(np.float32)
