"""Where surfaces can be, and how far a ray may safely leap elsewhere.

A *brick* is 2³ cells, a cell the space between eight voxels. A surface can only be in a cell that has a voxel at or
behind a surface. Every other brick knows a leap that cannot cross one: a marching ray reads one byte and leaps.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grasp_policy.scene.voxels import BLOCK, BLOCK_VOXELS, COMPUTE

BRICK_BITS = 1
BRICK = 1 << BRICK_BITS  # cells along the edge of a brick

_PER_BLOCK = BLOCK // BRICK
_DOUBLINGS = 3


def surface_blocks(solid: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Blocks [M, 3] whose cells may hold a surface, from the solid flags [X, Y, Z] of blocks.

    A cell reaches one voxel into the next block along each axis, so a solid block makes those before it surface blocks.
    """
    surface = solid.copy()
    for axis in range(3):
        along = np.moveaxis(surface, axis, 0)
        along[:-1] |= along[1:]
    return np.argwhere(surface).astype(np.int32)


def leaps(tsdf: NDArray[np.int16], solid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Leap [X / 2, Y / 2, Z / 2] from anywhere in a brick, in voxels of Chebyshev distance; 0 where a surface may be.

    ``tsdf`` [blocks, 512], ``solid`` [X / 8, Y / 8, Z / 8]. A leap ends at most one voxel deep in a brick that may hold
    a surface. The largest leap is 15 voxels: 1, 3, 7 and 15 when there is none within 0, 1, 3 and 7 bricks.
    """
    shape = tuple(n * _PER_BLOCK for n in solid.shape)
    near = np.zeros(shape, np.uint8)
    _mark_bricks(tsdf, solid, near)
    # Shifting the flattened array wraps from the end of a row to the start of the next. That only ever marks more
    # bricks, next to the volume's faces, and so shortens leaps; in return every pass is one contiguous operation.
    near, strides = near.ravel(), (shape[1] * shape[2], shape[2], 1)
    for stride in strides:
        near[:-stride] |= near[stride:].copy()
    leap = 1 - near
    for doubling in range(_DOUBLINGS):  # marks within 2^n - 1 bricks become marks within 2^(n+1) - 1
        for stride in strides:
            shift = stride << doubling
            before = near.copy()
            if shift < len(near):
                near[shift:] |= before[:-shift]
                near[:-shift] |= before[shift:]
        leap += (1 - near) << (doubling + 1)
    return leap.reshape(shape)


@njit(**COMPUTE)
def _mark_bricks(tsdf, solid, marked):
    """Mark the bricks that have a voxel at or behind a surface."""
    block = 0
    for bi in range(solid.shape[0]):
        for bj in range(solid.shape[1]):
            for bk in range(solid.shape[2]):
                if solid[bi, bj, bk]:
                    for n in range(BLOCK_VOXELS):
                        if tsdf[block, n] <= 0:
                            i = bi * _PER_BLOCK + n // (BLOCK * BLOCK * BRICK)
                            j = bj * _PER_BLOCK + n // BLOCK % BLOCK // BRICK
                            k = bk * _PER_BLOCK + n % BLOCK // BRICK
                            marked[i, j, k] = 1
                block += 1
