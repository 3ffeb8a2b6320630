"""Fusing one depth image into the signed-distance volume (section V-A of the paper), block by block.

A block of 8³ voxels is skipped when it lies outside the image or wholly behind what is seen, and written as free space
when it lies wholly in front. Both are decided from the block's outline and the depth image's tiles (smallest and
largest depth of 16×16 pixels), and both give exactly what visiting each voxel would give. The others, about a fifth,
are updated in flat loops over their 512 voxels that the compiler vectorises. A block is written by one thread only.
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numba import njit

from grasp_policy.scene.voxels import BLOCK, BLOCK_VOXELS, COMPUTE, FREE, UNSEEN

TILE = 16  # pixels along the edge of a depth tile

_NEAREST_Z = np.float32(0.02)  # voxels closer to the image plane than this are not updated
_PIXEL_SLACK = np.float32(0.51)  # half a pixel for rounding to the nearest, and float32's error
_METRE_SLACK = np.float32(1e-5)
_HUGE = np.float32(1e30)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_FREE = np.float32(FREE)
_UNSEEN = np.float32(UNSEEN)
_NOTHING = np.float32(-1e9)  # quanta: no observation of this voxel
_SKIP, _IN_FRONT, _VISIT = 0, 1, 2


@njit(cache=True, nogil=True)
def clean_depth(start, stride, depth, ignore, has_ignore, clean, tile_min, tile_max):
    """Copy depth [H, W] to ``clean`` [H, W] with 0 for NaN, infinite, negative and ignored pixels; fill tile ranges.

    A tile with a missing pixel has minimum 0. No fast math here: it may assume that there are no NaNs.
    """
    height, width = depth.shape
    for tile_row in range(start, tile_min.shape[0], stride):
        tile_min[tile_row, :] = _HUGE
        tile_max[tile_row, :] = np.float32(0.0)
        for v in range(tile_row * TILE, min(height, (tile_row + 1) * TILE)):
            for u in range(width):
                d = depth[v, u]
                if not isfinite(d) or d < 0 or (has_ignore and ignore[v, u]):
                    d = np.float32(0.0)
                clean[v, u] = d
                tile = u // TILE
                tile_min[tile_row, tile] = min(tile_min[tile_row, tile], d)
                tile_max[tile_row, tile] = max(tile_max[tile_row, tile], d)


@njit(**COMPUTE)
def fuse_blocks(
    start,
    stride,
    tsdf,
    colors,
    free,
    solid,
    touched,
    grid,
    depth,
    image,
    size,
    tile_min,
    tile_max,
    base,
    steps,
    offsets,
    truncation,
    alpha,
):
    """Update blocks ``start``, ``start + stride``, …: tsdf [blocks, 512], colors [blocks, 512, 3], and per block
    whether all of it is free, it has a voxel at or behind a surface (solid), anything was seen of it now (touched).

    ``grid``: blocks along each axis. ``depth`` [H × W + 1] ends with an extra pixel without depth, for voxels out of
    sight; ``image`` [H × W, 3]; size = (H, W). Voxel (i, j, k) is at (u z, v z, z) = ``base + i steps[0] +
    j steps[1] + k steps[2]``, with pixel coordinates u, v shifted by half a pixel so that truncation rounds;
    ``offsets`` [3, 512] are those of a block's voxels from its first.
    """
    pixels = np.empty(BLOCK_VOXELS, np.int32)
    seen = np.empty(BLOCK_VOXELS, np.float32)
    scale = _FREE / truncation
    height, width = np.int32(size[0]), np.int32(size[1])
    for block in range(start, len(free), stride):
        i = np.float32(BLOCK * (block // (grid[1] * grid[2])))
        j = np.float32(BLOCK * (block // grid[2] % grid[1]))
        k = np.float32(BLOCK * (block % grid[2]))
        x = base[0] + i * steps[0, 0] + j * steps[1, 0] + k * steps[2, 0]
        y = base[1] + i * steps[0, 1] + j * steps[1, 1] + k * steps[2, 1]
        z = base[2] + i * steps[0, 2] + j * steps[1, 2] + k * steps[2, 2]
        verdict = _judge(x, y, z, offsets, height, width, tile_min, tile_max, truncation)
        touched[block] = verdict == _IN_FRONT
        if verdict == _SKIP or (verdict == _IN_FRONT and free[block]):
            continue
        if verdict == _IN_FRONT:
            seen[:] = _FREE
        else:
            _project(x, y, z, offsets, height, width, pixels)
            touched[block] = _measure(depth, pixels, z, offsets, scale, seen)
            if not touched[block]:
                continue
            _blend_colors(colors[block], tsdf[block], image, pixels, seen, alpha)
        lowest, highest = _blend_distances(tsdf[block], seen, alpha)
        solid[block] = lowest <= 0
        free[block] = lowest == FREE and highest == FREE


@njit(**COMPUTE)
def _judge(x, y, z, offsets, height, width, tile_min, tile_max, truncation):
    """Whether a block whose first voxel is at (x, y, z) is out of sight, in front of what is seen, or to be visited."""
    u_min, v_min, z_min = _HUGE, _HUGE, _HUGE
    u_max, v_max, z_max = -_HUGE, -_HUGE, -_HUGE
    last = BLOCK - 1
    for i in range(0, BLOCK, last):
        for j in range(0, BLOCK, last):
            for k in range(0, BLOCK, last):
                n = (i * BLOCK + j) * BLOCK + k
                zn = z + offsets[2, n]
                z_min, z_max = min(z_min, zn), max(z_max, zn)
                inv_z = _ONE / max(zn, _NEAREST_Z)
                u, v = (x + offsets[0, n]) * inv_z - _HALF, (y + offsets[1, n]) * inv_z - _HALF
                u_min, u_max, v_min, v_max = min(u_min, u), max(u_max, u), min(v_min, v), max(v_max, v)
    if z_max <= _NEAREST_Z:
        return _SKIP
    if z_min <= _NEAREST_Z:
        return _VISIT
    u_min, u_max, v_min, v_max = u_min - _PIXEL_SLACK, u_max + _PIXEL_SLACK, v_min - _PIXEL_SLACK, v_max + _PIXEL_SLACK
    u_last, v_last = np.float32(width - 1), np.float32(height - 1)
    if u_max < 0 or v_max < 0 or u_min > u_last or v_min > v_last:
        return _SKIP
    inside = u_min >= 0 and v_min >= 0 and u_max <= u_last and v_max <= v_last
    nearest, farthest = _HUGE, np.float32(0.0)
    for row in range(int(max(v_min, 0)) // TILE, int(min(v_max, v_last)) // TILE + 1):
        for column in range(int(max(u_min, 0)) // TILE, int(min(u_max, u_last)) // TILE + 1):
            nearest = min(nearest, tile_min[row, column])
            farthest = max(farthest, tile_max[row, column])
    if farthest == 0 or z_min > farthest + truncation + _METRE_SLACK:
        return _SKIP
    if inside and z_max < nearest - truncation - _METRE_SLACK:
        return _IN_FRONT
    return _VISIT


@njit(**COMPUTE)
def _project(x, y, z, offsets, height, width, pixels):
    """Index of the pixel that shows each voxel; the extra pixel where none does."""
    u_end, v_end = np.float32(width), np.float32(height)
    for n in range(BLOCK_VOXELS):
        zn = z + offsets[2, n]
        inv_z = _ONE / max(zn, _NEAREST_Z)
        u = (x + offsets[0, n]) * inv_z
        v = (y + offsets[1, n]) * inv_z
        visible = (zn > _NEAREST_Z) & (u >= 0) & (v >= 0) & (u < u_end) & (v < v_end)
        pixels[n] = np.int32(v) * width + np.int32(u) if visible else height * width


@njit(**COMPUTE)
def _measure(depth, pixels, z, offsets, scale, seen):
    """Observed signed distance in quanta, at most FREE; below -FREE where nothing is observed. True if anything is."""
    highest = _NOTHING
    for n in range(BLOCK_VOXELS):
        d = depth[np.uint32(pixels[n])]
        distance = (d - (z + offsets[2, n])) * scale
        distance = min(np.floor(distance + _HALF), _FREE) if d > 0 else _NOTHING
        seen[n] = distance
        highest = max(highest, distance)
    return highest >= -_FREE


@njit(**COMPUTE)
def _blend_colors(colors, tsdf, image, pixels, seen, alpha):
    """Exponential moving average of the colour of voxels near a surface; a voxel that had none takes the new one."""
    for n in range(BLOCK_VOXELS):
        if -_FREE <= seen[n] < _FREE:
            weight = _ONE if tsdf[n] >= FREE else alpha
            for c in range(3):
                kept = np.float32(colors[n, c])
                colors[n, c] = np.uint8(kept + weight * (np.float32(image[np.uint32(pixels[n]), c]) - kept) + _HALF)


@njit(**COMPUTE)
def _blend_distances(tsdf, seen, alpha):
    """Exponential moving average towards what was seen; returns the lowest and highest distance of the block."""
    lowest, highest = UNSEEN, np.int16(-32768)
    for n in range(BLOCK_VOXELS):
        old = np.float32(tsdf[n])
        new = seen[n] if old == _UNSEEN else np.floor(old + alpha * (seen[n] - old) + _HALF)
        kept = np.int16(np.int32(new if seen[n] >= -_FREE else old))
        tsdf[n] = kept
        lowest, highest = min(lowest, kept), max(highest, kept)
    return lowest, highest
