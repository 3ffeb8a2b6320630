"""The fused scene: a truncated signed distance volume with colour (section V-A of the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_policy.scene import fusion, raycast, surface
from grasp_policy.scene.bricks import leaps, surface_blocks
from grasp_policy.scene.parallel import run_strided
from grasp_policy.scene.surface import Mesh, SurfacePoints
from grasp_policy.scene.views import Views
from grasp_policy.scene.voxels import BLOCK, BLOCK_VOXELS, FREE, UNSEEN, block_grid, dense, offset_tables
from wildgrasp.geometry import PinholeCamera, inverse


@dataclass(frozen=True)
class Volume:
    """A box of voxels. ``origin`` is the centre of voxel (0, 0, 0) in the world frame; axes are the world's."""

    origin: tuple[float, float, float]  # metres
    shape: tuple[int, int, int]  # voxels along x, y, z
    voxel_m: float = 0.005

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", tuple(float(x) for x in self.origin))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if len(self.origin) != 3 or len(self.shape) != 3 or not np.all(np.isfinite(self.origin)):
            raise ValueError(f"A volume needs a finite origin and a shape of three: {self.origin}, {self.shape}.")
        if min(self.shape) < 4 or not self.voxel_m > 0:
            raise ValueError(f"A volume needs 4 voxels or more along each axis, of positive size: {self}.")

    @classmethod
    def around(cls, center: ArrayLike, size_m: ArrayLike = (0.8, 0.8, 0.6), voxel_m: float = 0.005) -> Self:
        """The box of the given size [3] (or a scalar for a cube) in metres around a point [3]."""
        shape = np.maximum(np.round(np.broadcast_to(size_m, 3) / voxel_m).astype(int), 4)
        return cls(tuple(np.asarray(center, float) - (shape - 1) / 2 * voxel_m), tuple(shape), voxel_m)

    def contains(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """[...]: whether points [..., 3] are inside."""
        cell = (points - np.array(self.origin)) / self.voxel_m
        return np.all((cell >= 0) & (cell <= np.array(self.shape) - 1), axis=-1)


class TsdfScene:
    """What has been seen of the scene during one episode.

    New observations replace old ones with weight ``alpha`` (exponential moving average); voxels without an observation
    keep what they had. Not for concurrent use: see ``AsyncFusion`` for fusing beside rendering.
    """

    def __init__(self, volume: Volume, truncation_m: float = 0.02, alpha: float = 0.8) -> None:
        if not 0 < alpha <= 1 or not truncation_m >= 2 * volume.voxel_m:
            raise ValueError(f"alpha {alpha} must be in (0, 1], truncation {truncation_m} m two voxels or more.")
        self.volume = volume
        self.truncation_m = truncation_m
        self.alpha = alpha
        self._grid = block_grid(volume.shape)
        self._offsets = offset_tables(self._grid)
        blocks = int(np.prod(self._grid))
        self._tsdf = np.full((blocks, BLOCK_VOXELS), UNSEEN, np.int16)
        self._colors = np.zeros((blocks, BLOCK_VOXELS, 3), np.uint8)
        self._free = np.zeros(blocks, np.bool_)
        self._solid = np.zeros(blocks, np.bool_)
        self._touched = np.zeros(blocks, np.bool_)
        self._surface: tuple[NDArray[np.int32], NDArray[np.uint8]] | None = None

    def reset(self) -> None:
        """Forget everything: the start of an episode."""
        self._tsdf.fill(UNSEEN)
        self._free.fill(False)
        self._solid.fill(False)
        self._surface = None

    def integrate(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_world_camera: NDArray[np.float64],
        ignore: NDArray[np.bool_] | None = None,
    ) -> int:
        """Fuse colour [H, W, 3] and depth [H, W] in metres (0, NaN, infinite, negative: none) seen from a pose [4, 4].

        ``ignore`` [H, W] marks pixels to leave out, such as the gripper's. Returns the number of blocks of 8³ voxels of
        which something was seen: 0 when depth is empty or the camera looks past the volume; nothing changes then.
        Poses are taken as they are: where a pose jumps, what the new view sees replaces the old within a few frames,
        and what it does not see stays. Raises ValueError, with nothing changed, when the images do not fit the camera
        or the pose is not a finite rigid motion.
        """
        color, depth, ignore = checked_images(color, depth, ignore, camera)
        T_camera_world = inverse(checked_poses(T_world_camera)[0])
        size, pixels = (camera.height, camera.width), camera.height * camera.width
        tiles = tuple(-(-n // fusion.TILE) for n in size)
        tile_min, tile_max = np.empty(tiles, np.float32), np.empty(tiles, np.float32)
        clean = np.zeros(pixels + 1, np.float32)  # the extra pixel has no depth
        run_strided(
            fusion.clean_depth,
            depth,
            _NO_MASK if ignore is None else ignore,
            ignore is not None,
            clean[:pixels].reshape(size),
            tile_min,
            tile_max,
        )
        base, steps = homogeneous_pixels(self.volume, camera, T_camera_world)
        run_strided(
            fusion.fuse_blocks,
            self._tsdf,
            self._colors,
            self._free,
            self._solid,
            self._touched,
            self._grid,
            clean,
            color.reshape(pixels, 3),
            size,
            tile_min,
            tile_max,
            base.astype(np.float32),
            steps.astype(np.float32),
            np.ascontiguousarray((_VOXELS_OF_A_BLOCK @ steps).T, np.float32),
            np.float32(self.truncation_m),
            np.float32(self.alpha),
        )
        self._surface = None
        return int(np.count_nonzero(self._touched))

    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> Views:
        """Views from N poses [N, 4, 4], all in one go. Raises ValueError when a pose is not a finite rigid motion."""
        poses = checked_poses(T_world_camera)
        count, height, width = len(poses), camera.height, camera.width
        R = np.ascontiguousarray(poses[:, :3, :3], np.float32)
        origins = ((poses[:, :3, 3] - np.array(self.volume.origin)) / self.volume.voxel_m).astype(np.float32)
        K = _intrinsics(camera)
        tiles = (count, -(-height // raycast.VIEW_TILE), -(-width // raycast.VIEW_TILE))
        nearest, farthest = np.empty(tiles, np.float32), np.empty(tiles, np.float32)
        blocks, leap_grid = self._surface_index()
        run_strided(raycast.tile_ranges, blocks, R, origins, K, nearest, farthest)
        views = Views.nothing(count, height, width)
        run_strided(
            raycast.cast_rays,
            self._tsdf.reshape(-1),
            self._colors.reshape(-1, 3),
            self._offsets,
            leap_grid,
            self.volume.shape,
            np.float32(self.volume.voxel_m),
            np.float32(self.truncation_m / self.volume.voxel_m),
            R,
            origins,
            K,
            nearest,
            farthest,
            views.color,
            views.depth,
            views.normal,
            views.valid,
        )
        return views

    def surface_points(self) -> SurfacePoints:
        """The surface as points about a voxel apart, with normals and colours."""
        vertices, normals, colors, _ = self._surface_vertices()
        return SurfacePoints(self._to_world(vertices), normals.astype(np.float64), colors)

    def mesh(self) -> Mesh:
        """The surface as triangles, for export and inspection."""
        vertices, normals, colors, cells = self._surface_vertices()
        quanta = dense(self._tsdf.reshape(-1), self._grid, self.volume.shape)
        return Mesh(self._to_world(vertices), normals.astype(np.float64), colors, surface.faces(cells, quanta))

    def to_dense(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """A copy as arrays: signed distance [X, Y, Z] in metres, NaN where unseen, and colour [X, Y, Z, 3].

        Distances are positive in front of surfaces and end at ± the truncation. Colour means something only near them.
        """
        quanta = dense(self._tsdf.reshape(-1), self._grid, self.volume.shape)
        distance = np.where(quanta == UNSEEN, np.nan, quanta * (self.truncation_m / FREE)).astype(np.float32)
        return distance, dense(self._colors.reshape(-1, 3), self._grid, self.volume.shape).copy()

    def assign(self, tsdf: NDArray[np.int16], colors: NDArray[np.uint8]) -> None:
        """Take over voxels [blocks × 512] and [blocks × 512, 3] as they lie in memory (see ``voxels``)."""
        self._tsdf[:], self._colors[:] = tsdf.reshape(self._tsdf.shape), colors.reshape(self._colors.shape)
        self._solid[:] = (self._tsdf <= 0).any(axis=1)
        self._free[:] = (self._tsdf == FREE).all(axis=1)
        self._surface = None

    def _surface_vertices(self) -> surface.Vertices:
        blocks, _ = self._surface_index()
        flat, colors = self._tsdf.reshape(-1), self._colors.reshape(-1, 3)
        return surface.vertices(flat, colors, self._offsets, blocks, self.volume.shape)

    def _to_world(self, voxels: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.array(self.volume.origin) + voxels.astype(np.float64) * self.volume.voxel_m

    def _surface_index(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Surface blocks and leaps for ray casting; made when first needed after a fusion."""
        if self._surface is None:
            solid = self._solid.reshape(self._grid)
            self._surface = surface_blocks(solid), leaps(self._tsdf, solid)
        return self._surface


_VOXELS_OF_A_BLOCK = np.stack(np.mgrid[:BLOCK, :BLOCK, :BLOCK], axis=-1).reshape(BLOCK_VOXELS, 3)


def homogeneous_pixels(
    volume: Volume, camera: PinholeCamera, T_camera_world: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(base [3], steps [3, 3]): voxel (i, j, k) is at (u z, v z, z) = base + (i, j, k) @ steps.

    u and v are shifted by half a pixel, so that truncating them rounds to the nearest pixel centre.
    """
    K = camera.matrix + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    P = K @ T_camera_world[:3, :3]
    return P @ np.array(volume.origin) + K @ T_camera_world[:3, 3], P.T * volume.voxel_m


_NO_MASK = np.zeros((1, 1), np.bool_)


def _intrinsics(camera: PinholeCamera) -> NDArray[np.float32]:
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)


def checked_images(
    color: NDArray, depth: NDArray, ignore: NDArray | None, camera: PinholeCamera
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_] | None]:
    """Images as the kernels take them. Raises ValueError when they do not fit the camera."""
    size = (camera.height, camera.width)
    if depth.shape != size or color.shape != (*size, 3) or (ignore is not None and ignore.shape != size):
        shapes = [a.shape for a in (color, depth, ignore) if a is not None]
        raise ValueError(f"Images of shapes {shapes} do not fit a camera of {size[0]} × {size[1]} pixels.")
    if color.dtype != np.uint8:
        raise ValueError(f"Colour must be uint8, not {color.dtype}.")
    if ignore is not None:
        ignore = np.ascontiguousarray(ignore, np.bool_)
    return np.ascontiguousarray(color), np.ascontiguousarray(depth, np.float32), ignore


_FARTHEST_M = 10_000.0  # beyond, float32 cannot tell voxels apart


def checked_poses(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poses as [N, 4, 4]. Raises ValueError when one is not a rigid motion, or farther away than kernels can count."""
    poses = np.asarray(T, np.float64).reshape(-1, 4, 4)
    R = poses[:, :3, :3]
    if not np.all(np.isfinite(poses)) or np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max(initial=0.0) > 1e-3:
        raise ValueError("A camera pose is not a finite rigid motion.")
    if np.abs(poses[:, :3, 3]).max(initial=0.0) > _FARTHEST_M:
        raise ValueError(f"A camera pose is no rigid motion within {_FARTHEST_M:.0f} m of the world's origin.")
    return poses
