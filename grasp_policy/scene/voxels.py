"""How voxels are stored, shared by the kernels of this folder.

A signed distance is an int16: FREE (+32766) is one truncation distance or more in front of a surface, 0 the surface,
-32766 one truncation distance behind it. UNSEEN is the largest int16, next to FREE: a marching ray passes through
unseen space as through free space without asking, and only a hit has to tell them apart. Half the bytes of a float, no
separate weight; one quantum is 0.6 µm at 20 mm truncation.

Voxels lie block by block: a block's 8³ voxels (the unit of skipping) are contiguous, so fusion runs over flat arrays,
and the blocks around a surface fit into the cache when rays are cast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNSEEN = np.int16(32767)
FREE = np.int16(32766)

BLOCK_BITS = 3
BLOCK = 1 << BLOCK_BITS  # voxels along the edge of a block
BLOCK_VOXELS = BLOCK**3

# Options of every kernel that computes. Fast math allows no NaN and no infinity; numpy's error model drops the check
# for division by zero, which would keep loops from being vectorised.
#
# A function that several kernels call is inlined (``inline="always"``): with a shared compiled copy, which kernel's
# copy runs depends on which was compiled first and which came from the cache, and under fast math their last bits
# differ, so that two processes would not render the same picture.
COMPUTE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}


def block_grid(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Number of blocks along each axis that cover a number of voxels along each axis."""
    return tuple(-(-n // BLOCK) for n in shape)


def offset_tables(grid: tuple[int, int, int]) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Tables with which voxel (i, j, k) lies at ``x[i] + y[j] + z[k]`` of the flat array of all voxels."""
    tables = []
    for axis, block_stride in enumerate((grid[1] * grid[2], grid[2], 1)):
        i = np.arange(grid[axis] * BLOCK)
        within = (i % BLOCK) * BLOCK ** (2 - axis)
        tables.append(((i // BLOCK) * block_stride * BLOCK_VOXELS + within).astype(np.uint32))
    return tuple(tables)


def dense(blocked: NDArray, grid: tuple[int, int, int], shape: tuple[int, int, int]) -> NDArray:
    """Blocked voxels [blocks × 512, …] as an array [X, Y, Z, …]."""
    rest = blocked.shape[1:]
    split = blocked.reshape(*grid, BLOCK, BLOCK, BLOCK, *rest)
    order = (0, 3, 1, 4, 2, 5, *range(6, 6 + len(rest)))
    joined = split.transpose(order).reshape(*(n * BLOCK for n in grid), *rest)
    return joined[: shape[0], : shape[1], : shape[2]]
