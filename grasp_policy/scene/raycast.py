"""Ray casting the signed-distance volume: what cameras would see (section V-A of the paper), many views in one go.

A surface can only be where a cell of eight voxels has one at or behind a surface. Blocks with such cells are projected
into each view first, as coarse tiles that say between which depths a ray may meet a surface; most rays start within
centimetres of theirs, and rays through empty tiles end at once.

A pixel is valid only where the surface is certain: all eight voxels around the hit have been observed, the surface
faces the camera, and the ray came from free or unseen space. A ray that starts inside something, or meets the unseen
back of something, ends there without a value: what lies behind is not visible either.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

from grasp_policy.scene.voxels import BLOCK, BLOCK_BITS, FREE, UNSEEN

VIEW_TILE = 4  # pixels along the edge of a view's tile

_NEAREST = np.float32(2.0)  # voxels in front of the camera's centre
_HUGE = np.float32(1e30)  # fast math allows no infinities
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_BAND = np.int16(0.95 * FREE)  # nearer than this, interpolate
_BLOCK = np.float32(BLOCK)
_MARGIN = np.float32(2.001)
_CAUTION = np.float32(0.8)  # of the distance that a voxel promises; it is measured along another ray
_NUDGE = np.float32(1e-3)  # voxels past a block's face


@njit(cache=True, nogil=True)
def mark_surface_blocks(solid, surface):
    """Mark the blocks whose cells may hold a surface; a cell reaches one voxel into the next block along each axis."""
    X, Y, Z = solid.shape
    count = 0
    for i in range(X):
        for j in range(Y):
            for k in range(Z):
                found = False
                for a in range(i, min(i + 2, X)):
                    for b in range(j, min(j + 2, Y)):
                        for c in range(k, min(k + 2, Z)):
                            found = found or solid[a, b, c]
                surface[i, j, k] = found
                count += found
    return count


@njit(cache=True, nogil=True, fastmath=True)
def tile_ranges(start, stride, blocks, R, origins, K, nearest, farthest):
    """Range of depth [N, tile rows, tile columns] in voxels in which each view's tile may meet the blocks [M, 3].

    R [N, 3, 3] and origins [N, 3]: camera axes and positions in the volume's frame, in voxels; K = (fx, fy, cx, cy).
    Tiles that meet no block get an empty range.
    """
    rows, columns = nearest.shape[1:]
    v_end, u_end = np.float32(rows * VIEW_TILE), np.float32(columns * VIEW_TILE)
    for n in range(start, R.shape[0], stride):
        nearest[n, :, :] = _HUGE
        farthest[n, :, :] = _ZERO
        axes, origin = R[n], origins[n]
        for m in range(blocks.shape[0]):
            x0 = np.float32(blocks[m, 0] << BLOCK_BITS) - origin[0]
            y0 = np.float32(blocks[m, 1] << BLOCK_BITS) - origin[1]
            z0 = np.float32(blocks[m, 2] << BLOCK_BITS) - origin[2]
            u_min, v_min, d_min, u_max, v_max, d_max = _HUGE, _HUGE, _HUGE, -_HUGE, -_HUGE, -_HUGE
            for corner in range(8):
                x = x0 + (_BLOCK if corner & 4 else _ZERO)
                y = y0 + (_BLOCK if corner & 2 else _ZERO)
                z = z0 + (_BLOCK if corner & 1 else _ZERO)
                d = axes[0, 2] * x + axes[1, 2] * y + axes[2, 2] * z
                d_min, d_max = min(d_min, d), max(d_max, d)
                inv_d = _ONE / max(d, _NEAREST)
                u = K[0] * (axes[0, 0] * x + axes[1, 0] * y + axes[2, 0] * z) * inv_d + K[2]
                v = K[1] * (axes[0, 1] * x + axes[1, 1] * y + axes[2, 1] * z) * inv_d + K[3]
                u_min, u_max, v_min, v_max = min(u_min, u), max(u_max, u), min(v_min, v), max(v_max, v)
            if d_max <= _NEAREST:
                continue
            if d_min <= _NEAREST:  # reaches behind the camera: may be anywhere in the image
                u_min, u_max, v_min, v_max = _ZERO, u_end, _ZERO, v_end
            if u_max < 0 or v_max < 0 or u_min >= u_end or v_min >= v_end:
                continue
            last_row = min(int(min(v_max, v_end)) // VIEW_TILE, rows - 1)
            last_column = min(int(min(u_max, u_end)) // VIEW_TILE, columns - 1)
            for row in range(int(max(v_min, _ZERO)) // VIEW_TILE, last_row + 1):
                for column in range(int(max(u_min, _ZERO)) // VIEW_TILE, last_column + 1):
                    nearest[n, row, column] = min(nearest[n, row, column], d_min)
                    farthest[n, row, column] = max(farthest[n, row, column], d_max)


@njit(cache=True, nogil=True, fastmath=True)
def cast_rays(
    start,
    stride,
    tsdf,
    colors,
    surface,
    voxel_m,
    truncation,
    R,
    origins,
    K,
    nearest,
    farthest,
    color,
    depth,
    normal,
    valid,
):
    """Render N views into color, depth, normal and valid (see ``Views``; zeroed by the caller).

    ``truncation`` is in voxels; R, origins, K, nearest and farthest as for :func:`tile_ranges`.
    """
    views, height, width = depth.shape
    step = _CAUTION * truncation / np.float32(FREE)
    X, Y, Z = tsdf.shape
    # Cells whose gradient can be taken: one voxel on either side.
    x_end, y_end, z_end = np.float32(X) - _MARGIN, np.float32(Y) - _MARGIN, np.float32(Z) - _MARGIN
    for line in range(start, views * height, stride):
        n, v = line // height, line % height
        axes, origin = R[n], origins[n]
        ry = (np.float32(v) - K[3]) / K[1]
        for u in range(width):
            s = max(nearest[n, v // VIEW_TILE, u // VIEW_TILE], _NEAREST)
            end = farthest[n, v // VIEW_TILE, u // VIEW_TILE]
            if s >= end:
                continue
            rx = (np.float32(u) - K[2]) / K[0]
            gx = axes[0, 0] * rx + axes[0, 1] * ry + axes[0, 2]
            gy = axes[1, 0] * rx + axes[1, 1] * ry + axes[1, 2]
            gz = axes[2, 0] * rx + axes[2, 1] * ry + axes[2, 2]
            s, end = _clip(origin[0], gx, x_end, s, end)
            s, end = _clip(origin[1], gy, y_end, s, end)
            s, end = _clip(origin[2], gz, z_end, s, end)
            if s >= end:
                continue
            s = _march(tsdf, surface, step, origin, gx, gy, gz, s, end)
            if s <= 0:
                continue
            x, y, z = origin[0] + s * gx, origin[1] + s * gy, origin[2] + s * gz
            if not _observed(tsdf, x, y, z):
                continue
            nx, ny, nz = _gradient(tsdf, x, y, z)
            length = sqrt(nx * nx + ny * ny + nz * nz)
            if length <= 0 or nx * gx + ny * gy + nz * gz >= 0:
                continue
            valid[n, v, u] = True
            depth[n, v, u] = s * voxel_m
            scale = _ONE / length
            for c in range(3):
                normal[n, v, u, c] = (axes[0, c] * nx + axes[1, c] * ny + axes[2, c] * nz) * scale
                color[n, v, u, c] = colors[int(x + _HALF), int(y + _HALF), int(z + _HALF), c]


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _clip(o, g, hi, s, end):
    """Part of [s, end] in which 1 ≤ o + s g ≤ hi."""
    if abs(g) < np.float32(1e-9):
        return (s, end) if _ONE <= o <= hi else (end, s)
    a, b = (_ONE - o) / g, (hi - o) / g
    return max(s, min(a, b)), min(end, max(a, b))


@njit(cache=True, nogil=True, fastmath=True)
def _march(tsdf, surface, step, origin, gx, gy, gz, s, end):
    """Depth in voxels of the first crossing from positive to negative, or 0 if there is none up to ``end``."""
    ox, oy, oz = origin[0], origin[1], origin[2]
    per_voxel = _ONE / sqrt(gx * gx + gy * gy + gz * gz)  # depth per voxel of path
    behind = s
    while s < end:
        x, y, z = ox + s * gx, oy + s * gy, oz + s * gz
        bi, bj, bk = int(x) >> BLOCK_BITS, int(y) >> BLOCK_BITS, int(z) >> BLOCK_BITS
        if not surface[bi, bj, bk]:
            s += min(_exit(x, gx, bi), _exit(y, gy, bj), _exit(z, gz, bk)) + _NUDGE
            behind = s
            continue
        near = tsdf[int(x + _HALF), int(y + _HALF), int(z + _HALF)]
        if near > _BAND:
            behind = s
            s += per_voxel
            continue
        value = _interpolate(tsdf, x, y, z)
        if value <= 0:
            return _refine(tsdf, ox, oy, oz, gx, gy, gz, behind, s, value)
        behind = s
        s += max(value * step, _HALF) * per_voxel
    return _ZERO


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _exit(x, g, block):
    """Depth until a ray leaves a block along one axis."""
    if g > 0:
        return (np.float32((block + 1) << BLOCK_BITS) - x) / g
    if g < 0:
        return (np.float32(block << BLOCK_BITS) - x) / g
    return _HUGE


@njit(cache=True, nogil=True, fastmath=True)
def _refine(tsdf, ox, oy, oz, gx, gy, gz, outside, inside, value_inside):
    """Zero crossing between a depth outside and one inside, by false position; 0 if the first is not outside."""
    value_outside = _interpolate(tsdf, ox + outside * gx, oy + outside * gy, oz + outside * gz)
    if value_outside <= 0:
        return _ZERO
    s = inside
    for _ in range(2):
        s = outside + (inside - outside) * value_outside / (value_outside - value_inside)
        value = _interpolate(tsdf, ox + s * gx, oy + s * gy, oz + s * gz)
        if value > 0:
            outside, value_outside = s, value
        else:
            inside, value_inside = s, value
    return outside + (inside - outside) * value_outside / (value_outside - value_inside)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _interpolate(tsdf, x, y, z):
    """Trilinear signed distance in quanta; unseen counts as free."""
    i, j, k = int(x), int(y), int(z)
    a, b, c = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    t00 = np.float32(tsdf[i, j, k]) * (_ONE - c) + np.float32(tsdf[i, j, k + 1]) * c
    t01 = np.float32(tsdf[i, j + 1, k]) * (_ONE - c) + np.float32(tsdf[i, j + 1, k + 1]) * c
    t10 = np.float32(tsdf[i + 1, j, k]) * (_ONE - c) + np.float32(tsdf[i + 1, j, k + 1]) * c
    t11 = np.float32(tsdf[i + 1, j + 1, k]) * (_ONE - c) + np.float32(tsdf[i + 1, j + 1, k + 1]) * c
    return (t00 * (_ONE - b) + t01 * b) * (_ONE - a) + (t10 * (_ONE - b) + t11 * b) * a


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _observed(tsdf, x, y, z):
    """Whether all eight voxels around a point have been observed."""
    i, j, k = int(x), int(y), int(z)
    highest = np.int16(-32768)
    for a in range(i, i + 2):
        for b in range(j, j + 2):
            highest = max(highest, max(tsdf[a, b, k], tsdf[a, b, k + 1]))
    return highest != UNSEEN


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _slope(before, first, second, after, u):
    """Derivative by central differences at u between two voxels; an unseen neighbour is replaced by extrapolation."""
    rise = np.float32(second) - np.float32(first)
    left = rise if before == UNSEEN else _HALF * (np.float32(second) - np.float32(before))
    right = rise if after == UNSEEN else _HALF * (np.float32(after) - np.float32(first))
    return left + u * (right - left)


@njit(cache=True, nogil=True, fastmath=True)
def _gradient(tsdf, x, y, z):
    """Gradient of the signed distance in quanta per voxel, [3], at a point whose cell has been observed."""
    i, j, k = int(x), int(y), int(z)
    a, b, c = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    nx, ny, nz = _ZERO, _ZERO, _ZERO
    for p in range(2):
        wa, wb = (a if p else _ONE - a), (b if p else _ONE - b)
        ip, jp = i + p, j + p
        for q in range(2):
            wb_q, wc = (b if q else _ONE - b), (c if q else _ONE - c)
            jq, kq = j + q, k + q
            nx += wb * wc * _slope(tsdf[i - 1, jp, kq], tsdf[i, jp, kq], tsdf[i + 1, jp, kq], tsdf[i + 2, jp, kq], a)
            ny += wa * wc * _slope(tsdf[ip, j - 1, kq], tsdf[ip, j, kq], tsdf[ip, j + 1, kq], tsdf[ip, j + 2, kq], b)
            nz += wa * wb_q * _slope(tsdf[ip, jq, k - 1], tsdf[ip, jq, k], tsdf[ip, jq, k + 1], tsdf[ip, jq, k + 2], c)
    return nx, ny, nz
