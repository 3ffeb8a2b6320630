"""Ray casting the signed-distance volume: what cameras would see (section V-A of the paper), many views in one go.

Blocks that may hold a surface are projected into each view first, as coarse tiles that say between which depths a ray
may meet one; rays through empty tiles end at once. The rays of an image row then advance together, stage by stage: leap
to a brick that may hold a surface, sample until the signed distance changes sign, refine, shade. Most of them need
about as many steps, so the first of them are made for all at once, in loops that the compiler vectorises; lists of rays
follow only those that are still under way.

A pixel is valid only where the surface is certain: all eight voxels around the hit have been observed, the surface
faces the camera, and the ray came from free or unseen space. A ray that starts inside something, or meets the unseen
back of something, ends there without a value: what lies behind is not visible either.

Lengths are in voxels throughout, positions in the volume's frame with voxel (0, 0, 0) at the origin.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

from grasp_policy.scene.bricks import BRICK_BITS
from grasp_policy.scene.sampling import gradient, interpolate
from grasp_policy.scene.voxels import BLOCK, COMPUTE, FREE, UNSEEN

VIEW_TILE = 4  # pixels along the edge of a view's tile
ROWS_PER_PIECE = 15  # image rows that one thread takes at a time

_NEAREST = np.float32(2.0)  # in front of the camera's centre
_HUGE = np.float32(1e30)
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_BLOCK = np.float32(BLOCK)
_BITS = np.uint32(BRICK_BITS)
_LEAPS, _SAMPLES_TOGETHER = 8, 3  # after which few rays are still under way
_NEAR, _FAR = np.float32(1.001), np.float32(2.001)  # voxels that hits keep from a volume's faces: for the gradient
_ROUNDING = np.float32(1e-6)  # of the distance of the camera: by so much float32 may misplace a sample
_SHORTEST, _LONGEST = np.float32(0.5), np.float32(1.5)  # steps near a surface; a longer one could cross a thin part
_CAUTION = np.float32(0.8)  # of the distance that a voxel promises: it was measured along another ray

# Per-ray state during a row
_RX, _RY, _RZ, _COS, _LEAP, _S, _END, _OUTSIDE, _VALUE_OUTSIDE, _VALUE = range(10)


@njit(**COMPUTE)
def tile_ranges(start, stride, blocks, R, origins, K, nearest, farthest):
    """Range of depth [N, tile rows, tile columns] in which each view's tile may meet the blocks [M, 3].

    R [N, 3, 3] and origins [N, 3]: the cameras' axes and positions; K = (fx, fy, cx, cy). Tiles that meet no block get
    an empty range.
    """
    rows, columns = nearest.shape[1:]
    v_end, u_end = np.float32(rows * VIEW_TILE), np.float32(columns * VIEW_TILE)
    for n in range(start, R.shape[0], stride):
        nearest[n, :, :] = _HUGE
        farthest[n, :, :] = _ZERO
        axes, origin = R[n], origins[n]
        for m in range(blocks.shape[0]):
            x0 = np.float32(blocks[m, 0] * BLOCK) - origin[0]
            y0 = np.float32(blocks[m, 1] * BLOCK) - origin[1]
            z0 = np.float32(blocks[m, 2] * BLOCK) - origin[2]
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


@njit(**COMPUTE)
def cast_rays(
    start,
    stride,
    tsdf,
    colors,
    offsets,
    leaps,
    shape,
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

    tsdf [blocks × 512] and colors [blocks × 512, 3] lie block by block, ``offsets`` are their tables; ``leaps`` as from
    ``bricks.leaps``; shape = (X, Y, Z) of the volume; R, origins, K, nearest, farthest as for :func:`tile_ranges`.
    """
    views, height, width = depth.shape
    bands = (height + ROWS_PER_PIECE - 1) // ROWS_PER_PIECE
    rays = np.empty((10, width), np.float32)
    columns, active = np.empty(width, np.uint32), np.empty((2, width + 1), np.uint32)
    starts, ends = np.empty(3, np.float32), np.empty(3, np.float32)
    step = _CAUTION * truncation / np.float32(FREE)
    for piece in range(start, views * bands, stride):
        n, band = piece // bands, piece % bands
        for axis in range(3):
            slack = _ROUNDING * abs(origins[n, axis])
            starts[axis], ends[axis] = _NEAR + slack, np.float32(shape[axis]) - _FAR - slack
        for v in range(band * ROWS_PER_PIECE, min((band + 1) * ROWS_PER_PIECE, height)):
            tile = v // VIEW_TILE
            count = _start_rays(
                rays, columns, R[n], origins[n], K, v, width, nearest[n, tile], farthest[n, tile], starts, ends
            )
            _leap(rays, count, leaps, origins[n])
            _seek_together(rays, count, tsdf, offsets, step, origins[n])
            _seek(rays, count, active, tsdf, offsets, leaps, step, origins[n])
            _refine(rays, count)
            for m in range(count):
                s = rays[_S, m]
                if s <= 0:
                    continue
                x = origins[n, 0] + s * rays[_RX, m]
                y = origins[n, 1] + s * rays[_RY, m]
                z = origins[n, 2] + s * rays[_RZ, m]
                nx, ny, nz, highest = gradient(tsdf, offsets, x, y, z)
                if highest == UNSEEN:
                    continue
                facing = nx * rays[_RX, m] + ny * rays[_RY, m] + nz * rays[_RZ, m]
                if facing >= 0:
                    continue
                u = columns[m]
                valid[n, v, u] = True
                depth[n, v, u] = s * rays[_COS, m] * voxel_m
                scale = _ONE / sqrt(nx * nx + ny * ny + nz * nz)
                i, j, k = np.uint32(x + _HALF), np.uint32(y + _HALF), np.uint32(z + _HALF)
                voxel = offsets[0][i] + offsets[1][j] + offsets[2][k]
                for c in range(3):
                    normal[n, v, u, c] = (R[n, 0, c] * nx + R[n, 1, c] * ny + R[n, 2, c] * nz) * scale
                    color[n, v, u, c] = colors[voxel, c]


@njit(**COMPUTE)
def _start_rays(rays, columns, axes, origin, K, v, width, nearest, farthest, starts, ends):
    """Set up the rays of image row v that meet the volume, side by side, with their ``columns``; returns how many."""
    count = 0
    ry = (np.float32(v) - K[3]) / K[1]
    for u in range(width):
        rx = (np.float32(u) - K[2]) / K[0]
        length = sqrt(rx * rx + ry * ry + _ONE)
        inv_length = _ONE / length
        x = (axes[0, 0] * rx + axes[0, 1] * ry + axes[0, 2]) * inv_length
        y = (axes[1, 0] * rx + axes[1, 1] * ry + axes[1, 2]) * inv_length
        z = (axes[2, 0] * rx + axes[2, 1] * ry + axes[2, 2]) * inv_length
        tile = u // VIEW_TILE
        s, end = max(nearest[tile], _NEAREST) * length, farthest[tile] * length
        s, end = _clip(origin[0], x, starts[0], ends[0], s, end)
        s, end = _clip(origin[1], y, starts[1], ends[1], s, end)
        s, end = _clip(origin[2], z, starts[2], ends[2], s, end)
        rays[_RX, count], rays[_RY, count], rays[_RZ, count], rays[_COS, count] = x, y, z, inv_length
        rays[_LEAP, count] = _ONE / max(abs(x), max(abs(y), abs(z)))
        rays[_S, count], rays[_END, count], rays[_OUTSIDE, count] = s, end, s
        rays[_VALUE, count], rays[_VALUE_OUTSIDE, count] = _ONE, _ZERO
        columns[count] = u
        count += s < end
    return count


@njit(inline="always", **COMPUTE)
def _clip(o, r, first, last, s, end):
    """Part of [s, end] in which first ≤ o + s r ≤ last; a ray along the faces counts as meeting them far away."""
    r = r if abs(r) > np.float32(1e-9) else np.float32(1e-9)
    a, b = (first - o) / r, (last - o) / r
    return max(s, min(a, b)), min(end, max(a, b))


@njit(**COMPUTE)
def _leap(rays, count, leaps, origin):
    """Advance rays towards the first brick that may hold a surface. A ray waits where it arrives or ends.

    Without lists or branches the compiler vectorises it; the few rays that need more leaps make them in ``_seek``.
    """
    stride_x, stride_y = np.int32(leaps.shape[1] * leaps.shape[2]), np.int32(leaps.shape[2])
    flat = leaps.ravel()
    rx, ry, rz, per_leap = rays[_RX], rays[_RY], rays[_RZ], rays[_LEAP]
    along, end, outside = rays[_S], rays[_END], rays[_OUTSIDE]
    for _ in range(_LEAPS):
        for m in range(count):
            s = along[m]
            i = np.int32(origin[0] + s * rx[m]) >> np.int32(BRICK_BITS)
            j = np.int32(origin[1] + s * ry[m]) >> np.int32(BRICK_BITS)
            k = np.int32(origin[2] + s * rz[m]) >> np.int32(BRICK_BITS)
            leap = flat[np.uint32(i * stride_x + j * stride_y + k)]
            outside[m] = s if leap > 0 else outside[m]
            along[m] = min(s + np.float32(leap) * per_leap[m], end[m])


@njit(**COMPUTE)
def _seek_together(rays, count, tsdf, offsets, step, origin):
    """The first samples of all rays; see ``_seek``. Vectorised, like ``_leap``."""
    offsets_x, offsets_y, offsets_z = offsets
    rx, ry, rz, along, end, outside = rays[_RX], rays[_RY], rays[_RZ], rays[_S], rays[_END], rays[_OUTSIDE]
    values, values_outside = rays[_VALUE], rays[_VALUE_OUTSIDE]
    for _ in range(_SAMPLES_TOGETHER):
        for m in range(count):
            s = along[m]
            x, y, z = origin[0] + s * rx[m], origin[1] + s * ry[m], origin[2] + s * rz[m]
            value = interpolate(tsdf, offsets_x, offsets_y, offsets_z, x, y, z)
            inside = value <= 0
            values[m] = value
            outside[m] = outside[m] if inside else s
            values_outside[m] = values_outside[m] if inside else value
            along[m] = s if inside else min(s + min(max(value * step, _SHORTEST), _LONGEST), end[m])
    for m in range(count):
        if values_outside[m] == 0:  # behind a surface at the first sample: what was it where the ray came from?
            s = outside[m]
            x, y, z = origin[0] + s * rx[m], origin[1] + s * ry[m], origin[2] + s * rz[m]
            values_outside[m] = interpolate(tsdf, offsets_x, offsets_y, offsets_z, x, y, z)


@njit(**COMPUTE)
def _seek(rays, count, active, tsdf, offsets, leaps, step, origin):
    """Sample until the signed distance is not positive, or the ray ends.

    Leaves the last positive position in _OUTSIDE with its value, and the first not positive in _S with its value.
    """
    stride_x, stride_y = np.uint32(leaps.shape[1] * leaps.shape[2]), np.uint32(leaps.shape[2])
    flat = leaps.ravel()
    now, following = active[0], active[1]
    going = 0
    for m in range(count):  # no branches: every ray is written to the list, and counted if it goes on
        now[going] = m
        going += (rays[_VALUE, m] > 0) & (rays[_S, m] < rays[_END, m])
    while going:
        count, going = going, 0
        for a in range(count):
            m = now[a]
            s = rays[_S, m]
            x, y, z = origin[0] + s * rays[_RX, m], origin[1] + s * rays[_RY, m], origin[2] + s * rays[_RZ, m]
            i, j, k = np.uint32(x) >> _BITS, np.uint32(y) >> _BITS, np.uint32(z) >> _BITS
            leap = np.float32(flat[i * stride_x + j * stride_y + k]) * rays[_LEAP, m]
            value = interpolate(tsdf, offsets[0], offsets[1], offsets[2], x, y, z)
            inside = value <= 0
            s_next = min(s + max(min(max(value * step, _SHORTEST), _LONGEST), leap), rays[_END, m])
            rays[_VALUE, m] = value
            rays[_OUTSIDE, m] = rays[_OUTSIDE, m] if inside else s
            rays[_VALUE_OUTSIDE, m] = rays[_VALUE_OUTSIDE, m] if inside else value
            rays[_S, m] = s if inside else s_next
            following[going] = m
            going += (not inside) & (s_next < rays[_END, m])
        now, following = following, now


@njit(**COMPUTE)
def _refine(rays, count):
    """Where each ray crosses the surface, by false position, into _S; 0 for those that came to none from outside."""
    along, outside, values, values_outside = rays[_S], rays[_OUTSIDE], rays[_VALUE], rays[_VALUE_OUTSIDE]
    for m in range(count):
        hit = (values_outside[m] > 0) & (values[m] <= 0)
        drop = values_outside[m] - values[m] if hit else _ONE
        s = outside[m] + (along[m] - outside[m]) * values_outside[m] / drop
        along[m] = s if hit else _ZERO
