"""The fused scene: a truncated signed distance volume with colour (section V-A of the paper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_policy.scene import fusion, raycast
from grasp_policy.scene.parallel import run_strided
from grasp_policy.scene.views import Views
from grasp_policy.scene.voxels import BLOCK, BLOCK_UNSEEN, UNSEEN
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
        blocks = tuple((n + BLOCK - 1) // BLOCK for n in volume.shape)
        self._tsdf = np.full(volume.shape, UNSEEN, np.int16)
        self._colors = np.zeros((*volume.shape, 3), np.uint8)
        self._state = np.full(blocks, BLOCK_UNSEEN, np.uint8)
        self._solid = np.zeros(blocks, np.bool_)
        self._touched = np.zeros(blocks, np.bool_)
        self._surface = np.zeros(blocks, np.bool_)
        self._surface_blocks = np.zeros((0, 3), np.int32)

    def reset(self) -> None:
        """Forget everything: the start of an episode."""
        self._tsdf.fill(UNSEEN)
        self._state.fill(BLOCK_UNSEEN)
        self._solid.fill(False)
        self._surface.fill(False)
        self._surface_blocks = np.zeros((0, 3), np.int32)

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
        color, depth, ignore = _checked_images(color, depth, ignore, camera)
        T_camera_world = inverse(_checked_poses(T_world_camera)[0])
        tiles = (-(-camera.height // fusion.TILE), -(-camera.width // fusion.TILE))
        clean = np.empty_like(depth)
        tile_min, tile_max = np.empty(tiles, np.float32), np.empty(tiles, np.float32)
        has_ignore = ignore is not None
        run_strided(
            fusion.clean_depth, depth, ignore if has_ignore else _NO_MASK, has_ignore, clean, tile_min, tile_max
        )
        base = T_camera_world[:3, :3] @ np.array(self.volume.origin) + T_camera_world[:3, 3]
        steps = T_camera_world[:3, :3].T * self.volume.voxel_m
        run_strided(
            fusion.fuse_blocks,
            self._tsdf,
            self._colors,
            self._state,
            self._solid,
            self._touched,
            clean,
            color,
            tile_min,
            tile_max,
            _intrinsics(camera),
            base.astype(np.float32),
            np.ascontiguousarray(steps, np.float32),
            np.float32(self.truncation_m),
            np.float32(self.alpha),
        )
        raycast.mark_surface_blocks(self._solid, self._surface)
        self._surface_blocks = np.argwhere(self._surface).astype(np.int32)
        return int(np.count_nonzero(self._touched))

    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> Views:
        """Views from N poses [N, 4, 4], all in one go. Raises ValueError when a pose is not a finite rigid motion."""
        poses = _checked_poses(T_world_camera)
        count, height, width = len(poses), camera.height, camera.width
        R = np.ascontiguousarray(poses[:, :3, :3], np.float32)
        origins = ((poses[:, :3, 3] - np.array(self.volume.origin)) / self.volume.voxel_m).astype(np.float32)
        K = _intrinsics(camera)
        tiles = (count, -(-height // raycast.VIEW_TILE), -(-width // raycast.VIEW_TILE))
        nearest, farthest = np.empty(tiles, np.float32), np.empty(tiles, np.float32)
        run_strided(raycast.tile_ranges, self._surface_blocks, R, origins, K, nearest, farthest)
        views = Views(
            np.zeros((count, height, width, 3), np.uint8),
            np.zeros((count, height, width), np.float32),
            np.zeros((count, height, width, 3), np.float32),
            np.zeros((count, height, width), np.bool_),
        )
        run_strided(
            raycast.cast_rays,
            self._tsdf,
            self._colors,
            self._surface,
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


_NO_MASK = np.zeros((1, 1), np.bool_)


def _intrinsics(camera: PinholeCamera) -> NDArray[np.float32]:
    return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float32)


def _checked_images(
    color: NDArray, depth: NDArray, ignore: NDArray | None, camera: PinholeCamera
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_] | None]:
    size = (camera.height, camera.width)
    if depth.shape != size or color.shape != (*size, 3) or (ignore is not None and ignore.shape != size):
        shapes = [a.shape for a in (color, depth, ignore) if a is not None]
        raise ValueError(f"Images of shapes {shapes} do not fit a camera of {size[0]} × {size[1]} pixels.")
    if color.dtype != np.uint8:
        raise ValueError(f"Colour must be uint8, not {color.dtype}.")
    if ignore is not None:
        ignore = np.ascontiguousarray(ignore, np.bool_)
    return np.ascontiguousarray(color), np.ascontiguousarray(depth, np.float32), ignore


def _checked_poses(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poses as [N, 4, 4]."""
    poses = np.asarray(T, np.float64).reshape(-1, 4, 4)
    R = poses[:, :3, :3]
    if not np.all(np.isfinite(poses)) or np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max(initial=0.0) > 1e-3:
        raise ValueError("A camera pose is not a finite rigid motion.")
    return poses
