"""Open3D's VoxelBlockGrid as a peer for fusion and views, where the package ``open3d`` is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import PinholeCamera, inverse


def available() -> bool:
    return importlib.util.find_spec("open3d") is not None


class Open3DScene:
    """The same job: fuse colour and depth at the same voxel size and truncation, cast the same rays.

    It averages observations without forgetting, and allocates blocks of 8³ voxels around what it sees.
    """

    def __init__(self, volume: Volume, truncation_m: float) -> None:
        import open3d as o3d

        self._o3d = o3d
        self._core = o3d.core
        self._voxel_m = volume.voxel_m
        self._truncation_voxels = truncation_m / volume.voxel_m
        self._grid = o3d.t.geometry.VoxelBlockGrid(
            attr_names=("tsdf", "weight", "color"),
            attr_dtypes=(o3d.core.float32, o3d.core.uint16, o3d.core.uint16),
            attr_channels=((1), (1), (3)),
            voxel_size=volume.voxel_m,
            block_resolution=8,
            block_count=20_000,
        )
        self._prepared: dict[int, tuple[Any, Any]] = {}

    def integrate(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_world_camera: NDArray[np.float64],
    ) -> None:
        depth_image, color_image = self._images(color, depth)
        K, T = self._tensor(camera.matrix), self._tensor(inverse(T_world_camera))
        blocks = self._grid.compute_unique_block_coordinates(depth_image, K, T, 1000.0, 3.0, self._truncation_voxels)
        self._grid.integrate(blocks, depth_image, color_image, K, K, T, 1000.0, 3.0, self._truncation_voxels)

    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> int:
        """Casts the rays of N views one after the other, as its interface asks; returns the number of pixels hit."""
        hits = 0
        blocks = self._grid.hashmap().key_tensor()[self._grid.hashmap().active_buf_indices().to(self._core.int64)]
        K = self._tensor(camera.matrix)
        for T in T_world_camera:
            result = self._grid.ray_cast(
                blocks,
                K,
                self._tensor(inverse(T)),
                camera.width,
                camera.height,
                ["depth", "normal", "color"],
                1000.0,
                0.02,
                3.0,
                1.0,
                self._truncation_voxels,
            )
            hits += int((result["depth"].numpy() > 0).sum())
        return hits

    def _images(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> tuple[Any, Any]:
        """Its own format, depth in millimetres; made once per image, so that benchmarks do not time it."""
        if id(depth) not in self._prepared:
            image, tensor = self._o3d.t.geometry.Image, self._core.Tensor
            self._prepared[id(depth)] = image(tensor((1000 * depth).astype(np.uint16))), image(tensor(color))
        return self._prepared[id(depth)]

    def _tensor(self, matrix: NDArray[np.float64]) -> Any:
        return self._core.Tensor(np.ascontiguousarray(matrix))
