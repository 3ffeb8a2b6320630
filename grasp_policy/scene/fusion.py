"""Fusing one depth image into the signed-distance volume (section V-A of the paper), block by block.

A block of 8³ voxels is skipped when it lies outside the image or wholly behind what is seen, and written as free space
when it lies wholly in front. Both are decided from the block's outline and the depth image's tiles (smallest and
largest depth of 16×16 pixels), and both give exactly what visiting each voxel would give. Only the blocks around
surfaces are visited voxel by voxel: a tenth of the volume. A block's flags are written by the one thread that owns it.
"""

from __future__ import annotations

from math import floor, isfinite

import numpy as np
from numba import njit

from grasp_policy.scene.voxels import BLOCK, BLOCK_FREE, BLOCK_MIXED, BLOCK_UNSEEN, FREE, UNSEEN

TILE = 16  # pixels along the edge of a depth tile

_NEAREST_Z = np.float32(0.02)  # voxels closer to the image plane than this are not updated
_PIXEL_SLACK = np.float32(0.51)  # half a pixel for rounding to the nearest, and float32's error
_METRE_SLACK = np.float32(1e-5)
_HUGE = np.float32(1e30)  # fast math allows no infinities
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_SKIP, _IN_FRONT, _VISIT = 0, 1, 2


@njit(cache=True, nogil=True)
def clean_depth(start, stride, depth, ignore, has_ignore, clean, tile_min, tile_max):
    """Copy depth [H, W] to ``clean`` with 0 for NaN, infinite, negative and ignored pixels, and fill the tiles' range.

    A tile with a missing pixel has minimum 0. No fast math here: it may assume that there are no NaNs.
    """
    height, width = depth.shape
    for tile_row in range(start, tile_min.shape[0], stride):
        tile_min[tile_row, :] = np.float32(np.inf)
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


@njit(cache=True, nogil=True, fastmath=True)
def fuse_blocks(
    start,
    stride,
    tsdf,
    colors,
    state,
    solid,
    touched,
    depth,
    image,
    tile_min,
    tile_max,
    K,
    base,
    steps,
    truncation,
    alpha,
):
    """Update all blocks: tsdf [X, Y, Z] int16, colors [X, Y, Z, 3], state and solid (has a voxel ≤ 0) per block.

    Voxel (i, j, k) is at ``base + i steps[0] + j steps[1] + k steps[2]`` in the camera frame; K = (fx, fy, cx, cy).
    ``touched`` says per block whether anything was seen of it.
    """
    blocks_x, blocks_y, blocks_z = state.shape
    for column in range(start, blocks_x * blocks_y, stride):
        bi, bj = column // blocks_y, column % blocks_y
        for bk in range(blocks_z):
            i0, j0, k0 = bi * BLOCK, bj * BLOCK, bk * BLOCK
            i1, j1, k1 = min(i0 + BLOCK, tsdf.shape[0]), min(j0 + BLOCK, tsdf.shape[1]), min(k0 + BLOCK, tsdf.shape[2])
            verdict = _judge(
                i0, j0, k0, i1 - 1, j1 - 1, k1 - 1, depth.shape, tile_min, tile_max, K, base, steps, truncation
            )
            touched[bi, bj, bk] = False
            if verdict == _SKIP:
                continue
            if verdict == _IN_FRONT:
                touched[bi, bj, bk] = True
                if state[bi, bj, bk] != BLOCK_FREE:
                    _clear_block(tsdf, i0, j0, k0, i1, j1, k1, alpha)
            else:
                touched[bi, bj, bk] = _visit_block(
                    tsdf, colors, i0, j0, k0, i1, j1, k1, depth, image, K, base, steps, truncation, alpha
                )
            if state[bi, bj, bk] != BLOCK_FREE or verdict == _VISIT:
                state[bi, bj, bk], solid[bi, bj, bk] = _summary(tsdf, i0, j0, k0, i1, j1, k1)


@njit(cache=True, nogil=True, fastmath=True)
def _judge(i0, j0, k0, i1, j1, k1, image_shape, tile_min, tile_max, K, base, steps, truncation):
    """Whether a block with corner voxels (i0, j0, k0) and (i1, j1, k1) is out of sight, in front, or to be visited."""
    u_min, v_min, z_min = _HUGE, _HUGE, _HUGE
    u_max, v_max, z_max = -_HUGE, -_HUGE, -_HUGE
    behind = False
    for corner in range(8):
        i = np.float32(i1 if corner & 4 else i0)
        j = np.float32(j1 if corner & 2 else j0)
        k = np.float32(k1 if corner & 1 else k0)
        z = base[2] + i * steps[0, 2] + j * steps[1, 2] + k * steps[2, 2]
        z_min, z_max = min(z_min, z), max(z_max, z)
        if z <= _NEAREST_Z:
            behind = True
            continue
        inv_z = _ONE / z
        u = K[0] * (base[0] + i * steps[0, 0] + j * steps[1, 0] + k * steps[2, 0]) * inv_z + K[2]
        v = K[1] * (base[1] + i * steps[0, 1] + j * steps[1, 1] + k * steps[2, 1]) * inv_z + K[3]
        u_min, u_max, v_min, v_max = min(u_min, u), max(u_max, u), min(v_min, v), max(v_max, v)
    if behind:
        return _SKIP if z_max <= _NEAREST_Z else _VISIT
    height, width = image_shape
    u_min, u_max, v_min, v_max = u_min - _PIXEL_SLACK, u_max + _PIXEL_SLACK, v_min - _PIXEL_SLACK, v_max + _PIXEL_SLACK
    if u_max < 0 or v_max < 0 or u_min > width - 1 or v_min > height - 1:
        return _SKIP
    inside = u_min >= 0 and v_min >= 0 and u_max <= width - 1 and v_max <= height - 1
    nearest, farthest = _HUGE, np.float32(0.0)
    for tile_row in range(int(max(v_min, 0)) // TILE, int(min(v_max, height - 1)) // TILE + 1):
        for tile in range(int(max(u_min, 0)) // TILE, int(min(u_max, width - 1)) // TILE + 1):
            nearest = min(nearest, tile_min[tile_row, tile])
            farthest = max(farthest, tile_max[tile_row, tile])
    if z_min > farthest + truncation + _METRE_SLACK or farthest == 0:
        return _SKIP
    if inside and z_max < nearest - truncation - _METRE_SLACK:
        return _IN_FRONT
    return _VISIT


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _blend(old, new, alpha):
    """Exponential moving average of a stored distance towards a new one, both in quanta."""
    if old == UNSEEN:
        return np.int16(new)
    return np.int16(floor(np.float32(old) + alpha * (np.float32(new) - np.float32(old)) + _HALF))


@njit(cache=True, nogil=True, fastmath=True)
def _clear_block(tsdf, i0, j0, k0, i1, j1, k1, alpha):
    for i in range(i0, i1):
        for j in range(j0, j1):
            for k in range(k0, k1):
                tsdf[i, j, k] = _blend(tsdf[i, j, k], FREE, alpha)


@njit(cache=True, nogil=True, fastmath=True)
def _visit_block(tsdf, colors, i0, j0, k0, i1, j1, k1, depth, image, K, base, steps, truncation, alpha):
    height, width = depth.shape
    scale = np.float32(FREE) / truncation
    dx, dy, dz = steps[2, 0], steps[2, 1], steps[2, 2]
    touched = False
    for i in range(i0, i1):
        for j in range(j0, j1):
            fi, fj, fk = np.float32(i), np.float32(j), np.float32(k0)
            x = base[0] + fi * steps[0, 0] + fj * steps[1, 0] + fk * dx
            y = base[1] + fi * steps[0, 1] + fj * steps[1, 1] + fk * dy
            z = base[2] + fi * steps[0, 2] + fj * steps[1, 2] + fk * dz
            for n in range(k1 - k0):
                fn = np.float32(n)
                zn = z + fn * dz
                if zn <= _NEAREST_Z:
                    continue
                inv_z = _ONE / zn
                fu = K[0] * (x + fn * dx) * inv_z + K[2] + _HALF
                fv = K[1] * (y + fn * dy) * inv_z + K[3] + _HALF
                if fu < 0 or fv < 0 or fu >= width or fv >= height:
                    continue
                u, v = int(fu), int(fv)
                d = depth[v, u]
                if d <= 0:
                    continue
                distance = d - zn
                if distance < -truncation:
                    continue
                touched = True
                k = k0 + n
                old = tsdf[i, j, k]
                if distance >= truncation:
                    tsdf[i, j, k] = _blend(old, FREE, alpha)
                    continue
                tsdf[i, j, k] = _blend(old, np.int16(floor(distance * scale + _HALF)), alpha)
                # A voxel that was free or unseen carries no colour worth keeping.
                weight = _ONE if old >= FREE else alpha
                for c in range(3):
                    seen = np.float32(image[v, u, c])
                    kept = np.float32(colors[i, j, k, c])
                    colors[i, j, k, c] = np.uint8(kept + weight * (seen - kept) + _HALF)
    return touched


@njit(cache=True, nogil=True)
def _summary(tsdf, i0, j0, k0, i1, j1, k1):
    """(state, has a voxel at or behind a surface) of a block."""
    lowest, highest = UNSEEN, np.int16(-32768)
    for i in range(i0, i1):
        for j in range(j0, j1):
            for k in range(k0, k1):
                lowest, highest = min(lowest, tsdf[i, j, k]), max(highest, tsdf[i, j, k])
    if lowest == UNSEEN:
        return BLOCK_UNSEEN, False
    if lowest == FREE and highest == FREE:
        return BLOCK_FREE, False
    return BLOCK_MIXED, lowest <= 0
