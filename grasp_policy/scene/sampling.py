"""Reading blocked voxels between their centres: values, whether all is known, gradients. For use inside kernels."""

from __future__ import annotations

import numpy as np
from numba import njit

from grasp_policy.scene.voxels import COMPUTE, UNSEEN

_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


@njit(inline="always", **COMPUTE)
def interpolate(tsdf, offsets_x, offsets_y, offsets_z, x, y, z):
    """Trilinear signed distance in quanta at a point in voxels (0 ≤ x < X − 1, …); unseen counts as free.

    Unsigned indices throughout: signed ones cost a comparison each, for Python's negative indices.
    """
    one = np.float32(1.0)
    i, j, k = np.uint32(x), np.uint32(y), np.uint32(z)
    a, b, c = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    step = np.uint32(1)
    i0, i1, j0, j1 = offsets_x[i], offsets_x[i + step], offsets_y[j], offsets_y[j + step]
    k0, k1 = offsets_z[k], offsets_z[k + step]
    t00 = np.float32(tsdf[i0 + j0 + k0]) * (one - c) + np.float32(tsdf[i0 + j0 + k1]) * c
    t01 = np.float32(tsdf[i0 + j1 + k0]) * (one - c) + np.float32(tsdf[i0 + j1 + k1]) * c
    t10 = np.float32(tsdf[i1 + j0 + k0]) * (one - c) + np.float32(tsdf[i1 + j0 + k1]) * c
    t11 = np.float32(tsdf[i1 + j1 + k0]) * (one - c) + np.float32(tsdf[i1 + j1 + k1]) * c
    return (t00 * (one - b) + t01 * b) * (one - a) + (t10 * (one - b) + t11 * b) * a


@njit(inline="always", **COMPUTE)
def _slope(tsdf, base, before, first, second, after, t):
    """Derivative by central differences at t between two voxels; an unseen neighbour is replaced by extrapolation."""
    v0, v1, v2, v3 = tsdf[base + before], tsdf[base + first], tsdf[base + second], tsdf[base + after]
    rise = np.float32(v2) - np.float32(v1)
    left = rise if v0 == UNSEEN else _HALF * (np.float32(v2) - np.float32(v0))
    right = rise if v3 == UNSEEN else _HALF * (np.float32(v3) - np.float32(v1))
    return left + t * (right - left)


@njit(inline="always", **COMPUTE)
def gradient(tsdf, offsets, x, y, z):
    """Gradient of the signed distance in quanta per voxel, and the highest distance of the eight voxels around.

    The gradient means something only where all eight have been observed, that is, where the highest is not UNSEEN.
    """
    i, j, k = np.uint32(x), np.uint32(y), np.uint32(z)
    a, b, c = x - np.float32(i), y - np.float32(j), z - np.float32(k)
    one, two = np.uint32(1), np.uint32(2)
    X, Y, Z = offsets
    i0, i1, i2, i3 = X[i - one], X[i], X[i + one], X[i + two]
    j0, j1, j2, j3 = Y[j - one], Y[j], Y[j + one], Y[j + two]
    k0, k1, k2, k3 = Z[k - one], Z[k], Z[k + one], Z[k + two]
    nx, ny, nz = _ZERO, _ZERO, _ZERO
    highest = np.int16(-32768)
    for corner in range(4):
        high, low = corner >= 2, corner % 2 == 1
        wa, wb = (a if high else _ONE - a), (b if high else _ONE - b)
        wb_low, wc = (b if low else _ONE - b), (c if low else _ONE - c)
        ip, jp = (i2 if high else i1), (j2 if high else j1)
        jq, kq = (j2 if low else j1), (k2 if low else k1)
        highest = max(highest, tsdf[i1 + jp + kq], tsdf[i2 + jp + kq])
        nx += wb * wc * _slope(tsdf, jp + kq, i0, i1, i2, i3, a)
        ny += wa * wc * _slope(tsdf, ip + kq, j0, j1, j2, j3, b)
        nz += wa * wb_low * _slope(tsdf, ip + jq, k0, k1, k2, k3, c)
    return nx, ny, nz, highest
