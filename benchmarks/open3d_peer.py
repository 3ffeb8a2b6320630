"""Open3D's VoxelBlockGrid as a peer for fusion and views, where the package ``open3d`` is installed."""

from __future__ import annotations

import importlib.util
import time
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import PinholeCamera, inverse, transform


def available() -> bool:
    return importlib.util.find_spec("open3d") is not None


class Open3DScene:
    """The same job: fuse colour and depth at the same voxel size and truncation, cast the same rays.

    It averages observations without forgetting, and allocates blocks of 8³ voxels around what it sees. Rays are cast
    with its fastest setting, which :meth:`tune` finds.
    """

    def __init__(self, volume: Volume, truncation_m: float) -> None:
        import open3d as o3d

        o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)  # it tells of every buffer that it enlarges
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
        self.range_map_factor, self.cull = 1, False

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

    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> float:
        """Casts the rays of N views one after the other, as its interface asks; returns the fraction that hit."""
        hits = 0
        keys = self._grid.hashmap().key_tensor()[self._grid.hashmap().active_buf_indices().to(self._core.int64)]
        centers = (keys.numpy() + 0.5) * (8 * self._voxel_m)
        K = self._tensor(camera.matrix)
        for T in T_world_camera:
            blocks = keys
            if self.cull:
                blocks = keys[self._core.Tensor(np.flatnonzero(self._in_sight(centers, camera, T)))]
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
                self.range_map_factor,
            )
            hits += int(np.count_nonzero(result["depth"].numpy()))
        return hits / (len(T_world_camera) * camera.width * camera.height)

    def tune(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> None:
        """Take its fastest setting: resolution of its map of ranges, and all blocks or those in the view's frustum.

        The resolution has to divide the image's: with its default of 8 it reads past the end of the map where that is
        not so, and marches on without end.
        """
        common = gcd(camera.width, camera.height)
        times = {}
        for factor in (f for f in range(1, min(common, 16) + 1) if common % f == 0):
            for cull in (False, True):
                self.range_map_factor, self.cull = factor, cull
                self.render(camera, T_world_camera)  # the first call only finds out how large its buffers must be
                started = time.perf_counter()
                for _ in range(3):
                    self.render(camera, T_world_camera)
                times[factor, cull] = time.perf_counter() - started
        self.range_map_factor, self.cull = min(times, key=times.__getitem__)

    def _in_sight(
        self, centers: NDArray[np.float64], camera: PinholeCamera, T: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which blocks' enclosing spheres reach into the view's frustum."""
        points = transform(inverse(T), centers)
        radius = 0.5 * np.sqrt(3.0) * 8 * self._voxel_m
        half = np.array([camera.width / 2 / camera.fx, camera.height / 2 / camera.fy])
        beyond = np.abs(points[:, :2]) - half * points[:, 2:]
        return np.all(beyond < radius * np.sqrt(1 + half**2), axis=1) & (points[:, 2] > -radius)

    def _images(self, color: NDArray[np.uint8], depth: NDArray[np.float32]) -> tuple[Any, Any]:
        """Its own format, depth in millimetres; made once per image, so that benchmarks do not time it."""
        if id(depth) not in self._prepared:
            image, tensor = self._o3d.t.geometry.Image, self._core.Tensor
            self._prepared[id(depth)] = image(tensor((1000 * depth).astype(np.uint16))), image(tensor(color))
        return self._prepared[id(depth)]

    def _tensor(self, matrix: NDArray[np.float64]) -> Any:
        return self._core.Tensor(np.ascontiguousarray(matrix))
