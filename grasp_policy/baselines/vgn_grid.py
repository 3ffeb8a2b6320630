"""What a network of VGN's kind sees and says: a signed distance in, grasps out, on 40³ voxels (Breyer et al. 2020).

The cube is 30 cm wide, its axes are those of the base, the table lies 5 cm above its floor. Positions in voxels count
from its corner: voxel (i, j, k) of the *output* stands for the point 7.5 mm · (i, j, k), while the *input's* voxel
(i, j, k) is measured half a voxel further, in the middle of its cell. Published weights were trained so.

Input: (signed distance / 30 mm + 1) / 2 where that is in (0.01, 0.99), in front of a surface above one half; elsewhere,
be it free, deep inside or unseen, 0. Output: quality; a unit quaternion (x, y, z, w); the opening in voxels. A grasp's
origin lies between the *roots* of the fingers, 5 cm before their tips; z approaches, y closes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from grasp_policy.scene.tsdf import TsdfScene, Volume
from wildgrasp.geometry import Array, PinholeCamera, pose

SIDE = 40  # voxels
VOXEL_M = 0.0075
TABLE_M = 0.05  # above the cube's floor
FINGER_M = 0.05
_TRUNCATION_M = 4 * VOXEL_M

# What our fingertip frame (x closes, origin at the tips) is in the frame of a published grasp.
T_GRASP_FINGERTIP = pose(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([0, 0, FINGER_M]))


@dataclass(frozen=True)
class Depth:
    """A depth image [H, W] in metres (0 = none, which is also what shows the gripper) and where it was taken."""

    depth: NDArray[np.float32]
    camera: PinholeCamera
    T_base_camera: Array


@dataclass(frozen=True)
class Volumes:
    """A network's answer: quality [40, 40, 40], quaternions [4, 40, 40, 40], opening in voxels [40, 40, 40]."""

    quality: NDArray[np.float32]
    rotation: NDArray[np.float32]
    width: NDArray[np.float32]


@dataclass(frozen=True)
class Detections:
    """Grasps in the base, best first."""

    T_base_fingertip: Array  # [N, 4, 4]
    quality: Array  # [N]
    width_m: Array  # [N]


def cube_corner(middle: Array, table_m: float) -> Array:
    """The corner [3] in the base of a cube over a point, with the table where it belongs."""
    half = SIDE * VOXEL_M / 2
    return np.array([middle[0] - half, middle[1] - half, table_m - TABLE_M])


def fuse(images: Iterable[Depth], corner: Array) -> NDArray[np.float32]:
    """The network's input [40, 40, 40] of some depth images."""
    scene = TsdfScene(Volume(tuple(corner + VOXEL_M / 2), (SIDE,) * 3, VOXEL_M), _TRUNCATION_M, alpha=0.3)
    for image in images:
        no_color = np.zeros((*image.depth.shape, 3), np.uint8)
        scene.integrate(no_color, image.depth, image.camera, image.T_base_camera)
    distance, _ = scene.to_dense()
    value = (distance / _TRUNCATION_M + 1) / 2
    return np.where((value > 0.01) & (value < 0.99), value, 0).astype(np.float32)  # NaN, unseen, is neither


def near_surface(grid: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Voxels that may be a grasp's origin: in front of a surface, no further than two voxels from where it is known."""
    outside, inside = grid > 0.5, (grid > 1e-3) & (grid < 0.5)
    return ndimage.binary_dilation(outside, iterations=2, mask=~inside)


def detections(grid: NDArray[np.float32], out: Volumes, corner: Array, least: float, widest_m: float) -> Detections:
    """Local maxima of the smoothed quality that are ``least`` or better, near a surface, and of an opening that fits.

    As published: Gaussian of one voxel, non-maximum suppression over four.
    """
    quality = ndimage.gaussian_filter(out.quality, 1.0, mode="nearest")
    width_m = out.width * VOXEL_M
    turned = np.linalg.norm(out.rotation, axis=0) > 0.5  # a network may answer with no rotation at all
    usable = near_surface(grid) & turned & (quality >= least) & (width_m >= 0) & (width_m <= widest_m)
    quality = np.where(usable, quality, 0)
    found = np.argwhere((quality == ndimage.maximum_filter(quality, size=4)) & (quality > 0))
    value = quality[tuple(found.T)]
    order = np.argsort(-value, kind="stable")
    found = found[order]
    R = Rotation.from_quat(out.rotation[:, *found.T].T.reshape(-1, 4)).as_matrix()
    T = pose(R, corner + VOXEL_M * found) @ T_GRASP_FINGERTIP
    return Detections(T, value[order].astype(np.float64), width_m[tuple(found.T)].astype(np.float64))


def as_published(T_base_fingertip: Array, width_m: Array, corner: Array) -> Array:
    """Fingertip poses [N, 4, 4] and openings [N] as rows [N, 8]: position in voxels, quaternion, opening in voxels."""
    T = T_base_fingertip @ np.linalg.inv(T_GRASP_FINGERTIP)
    quaternions = Rotation.from_matrix(T[:, :3, :3]).as_quat()
    return np.column_stack([(T[:, :3, 3] - corner) / VOXEL_M, quaternions, width_m / VOXEL_M])
