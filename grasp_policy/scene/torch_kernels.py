"""Fusion and ray casting in plain torch, for CUDA devices; they run on any device of torch's.

The same arithmetic on the same voxels (see ``voxels``) as the CPU's kernels in ``fusion`` and ``raycast``, with all
voxels, then all rays of all views, at once. Lengths are in voxels where those are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from grasp_policy.scene.voxels import BLOCK, FREE, UNSEEN

_FREE, _UNSEEN = int(FREE), int(UNSEEN)
_NEAREST_Z_M = 0.02  # voxels closer to the image plane than this are not updated
_NOTHING = -1e9  # quanta: no observation of this voxel
_ROUNDING = 1e-6  # of the distance of the camera: by so much float32 may misplace a sample
_NEAREST, _NEAR, _FAR = 2.0, 1.001, 2.001  # rays start in front of the camera's centre; hits keep off the faces
_SHORTEST, _LONGEST, _CAUTION = 0.5, 1.5, 0.8  # steps near a surface


class Voxels(NamedTuple):
    """Blocked voxels and their tables, as in ``TsdfScene``, on a device."""

    tsdf: Tensor  # int16 [blocks × 512] quanta
    colors: Tensor  # uint8 [blocks × 512, 3]
    offsets: tuple[Tensor, Tensor, Tensor]  # int64: voxel (i, j, k) lies at x[i] + y[j] + z[k]
    grid: tuple[int, int, int]  # blocks along each axis
    shape: tuple[int, int, int]


class Rays(NamedTuple):
    """Rays in the volume's frame: R of them."""

    origin: Tensor  # [R, 3]
    direction: Tensor  # [R, 3] unit
    cos: Tensor  # [R] of the angle to the optical axis


# --- Fusion -----------------------------------------------------------------------------------------------------------


def fuse(
    voxels: Voxels,
    homogeneous: Tensor,
    depth: Tensor,
    image: Tensor,
    truncation_m: float,
    alpha: float,
) -> Tensor:
    """Update the voxels in place; returns how many blocks something was seen of, [].

    ``homogeneous`` [3, voxels]: (u z, v z, z) of each voxel, with u and v shifted by half a pixel so that truncating
    rounds; ``depth`` [H, W] metres, 0 = none; ``image`` [H × W, 3].
    """
    height, width = depth.shape
    x, y, z = homogeneous
    inv_z = 1 / z.clamp_min(_NEAREST_Z_M)
    u, v = x * inv_z, y * inv_z
    visible = (z > _NEAREST_Z_M) & (u >= 0) & (v >= 0) & (u < width) & (v < height)
    pixels = torch.where(visible, v.long() * width + u.long(), 0)
    measured = torch.where(visible, depth.flatten()[pixels], 0.0)
    distance = torch.floor((measured - z) * (_FREE / truncation_m) + 0.5).clamp_max(_FREE)
    seen = torch.where(measured > 0, distance, _NOTHING)
    observed = seen >= -_FREE
    old = voxels.tsdf.float()

    near = torch.nonzero(observed & (seen < _FREE))[:, 0]
    kept = voxels.colors[near].float()
    weight = torch.where(old[near] >= _FREE, 1.0, alpha)[:, None]
    voxels.colors[near] = (kept + weight * (image[pixels[near]].float() - kept) + 0.5).to(torch.uint8)

    blended = torch.where(old == _UNSEEN, seen, torch.floor(old + alpha * (seen - old) + 0.5))
    voxels.tsdf.copy_(torch.where(observed, blended, old).to(torch.int16))
    return observed.view(-1, BLOCK**3).any(1).sum()


# --- Ray casting ------------------------------------------------------------------------------------------------------


def leaps(voxels: Voxels) -> Tensor:
    """Leap in voxels [X / 2, Y / 2, Z / 2] from anywhere in a brick of 2³ cells; see ``bricks.leaps``."""
    split = (voxels.tsdf <= 0).view(*voxels.grid, BLOCK, BLOCK, BLOCK)
    solid = split.permute(0, 3, 1, 4, 2, 5).reshape(1, 1, *(n * BLOCK for n in voxels.grid)).float()
    near = functional.max_pool3d(functional.pad(solid, (0, 1) * 3), 3, 2)
    leap = 1 - near
    for doubling in range(3):
        reach = 1 << doubling
        for axis in range(3):  # a cube is three lines
            line = [2 * reach + 1 if n == axis else 1 for n in range(3)]
            near = functional.max_pool3d(near, line, 1, [n // 2 for n in line])
        leap += (1 - near) * (2 << doubling)
    return leap[0, 0]


def cast(voxels: Voxels, leap_grid: Tensor, rays: Rays, truncation: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where rays meet the surface: indices [M] of those that do, and their distances [M], gradients [M, 3], colours.

    A ray counts under the conditions that ``raycast`` names.
    """
    ends = torch.tensor(voxels.shape, device=rays.origin.device) - _FAR
    along = torch.where(rays.direction.abs() > 1e-9, rays.direction, 1e-9)
    slack = _ROUNDING * rays.origin.abs()
    a, b = (_NEAR + slack - rays.origin) / along, (ends - slack - rays.origin) / along
    start = torch.minimum(a, b).amax(1).maximum(_NEAREST / rays.cos)
    end = torch.maximum(a, b).amin(1)
    rays_that_hit, bracket = _march(voxels, leap_grid, rays, start, end, _CAUTION * truncation / _FREE)

    rays = Rays(*(part[rays_that_hit] for part in rays))
    outside, inside, value_inside = bracket
    value_outside = _interpolate(voxels, rays.origin + outside[:, None] * rays.direction)
    from_outside = value_outside > 0
    s = outside + (inside - outside) * value_outside / torch.where(from_outside, value_outside - value_inside, 1.0)
    points = torch.where(from_outside[:, None], rays.origin + s[:, None] * rays.direction, 1.0)
    gradient, observed = _gradient(voxels, points)
    good = torch.nonzero(from_outside & observed & ((gradient * rays.direction).sum(1) < 0))[:, 0]
    nearest = _index(voxels, (points[good] + 0.5).long())
    return rays_that_hit[good], s[good], gradient[good], voxels.colors[nearest]


def _march(
    voxels: Voxels, leap_grid: Tensor, rays: Rays, start: Tensor, end: Tensor, step: float
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Rays [M] that come behind a surface; the last position in front, the first behind, and the distance there."""
    s, outside = _leap(leap_grid, rays, start, end)
    value = torch.ones_like(s)
    going = torch.nonzero(s < end)[:, 0]
    while len(going):  # at least half a voxel each time
        at = s[going]
        points = rays.origin[going] + at[:, None] * rays.direction[going]
        here = _interpolate(voxels, points)
        behind = here <= 0
        value[going] = here
        outside[going] = torch.where(behind, outside[going], at)
        ahead = torch.maximum((here * step).clamp(_SHORTEST, _LONGEST), _leap_from(leap_grid, rays, going, points))
        s[going] = torch.where(behind, at, at + ahead)
        going = going[~behind & (s[going] < end[going])]
    hit = torch.nonzero(value <= 0)[:, 0]
    return hit, (outside[hit], s[hit], value[hit])


def _leap(leap_grid: Tensor, rays: Rays, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Position of each ray where a surface may be, or past its end, and the one before."""
    s, outside = start.clone(), start.clone()
    going = torch.nonzero(start < end)[:, 0]
    while len(going):
        at = s[going]
        leap = _leap_from(leap_grid, rays, going, rays.origin[going] + at[:, None] * rays.direction[going])
        going, at, leap = going[leap > 0], at[leap > 0], leap[leap > 0]
        outside[going], s[going] = at, at + leap
        going = going[s[going] < end[going]]
    return s, outside


def _leap_from(leap_grid: Tensor, rays: Rays, which: Tensor, points: Tensor) -> Tensor:
    """Lengths [M] along some of the rays, at points [M, 3], in which there is no surface."""
    i, j, k = (points.long() >> 1).unbind(1)
    return leap_grid[i, j, k] / rays.direction[which].abs().amax(1)


def _index(voxels: Voxels, ijk: Tensor) -> Tensor:
    """Flat index [...] of voxels [..., 3]."""
    return sum(table[ijk[..., axis]] for axis, table in enumerate(voxels.offsets))


def _interpolate(voxels: Voxels, points: Tensor) -> Tensor:
    """Trilinear signed distance [R] in quanta at points [R, 3]; unseen counts as free."""
    low = points.long()
    t = points - low
    corners = voxels.tsdf[_index(voxels, low[:, None] + _CORNERS.to(low.device))].float().unflatten(1, (2, 2, 2))
    for axis in range(3):
        corners = torch.lerp(corners[:, 0], corners[:, 1], t[:, axis].view(-1, *(1,) * (2 - axis)))
    return corners


def _gradient(voxels: Voxels, points: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient [R, 3] by central differences, in quanta per voxel, and whether the eight voxels around are observed."""
    low = points.long()
    t = points - low
    around = low[:, None] + _AROUND.to(low.device)
    values = voxels.tsdf[_index(voxels, around)].float().unflatten(1, (4, 4, 4))
    slopes = []
    for axis in range(3):
        v0, v1, v2, v3 = values.movedim(1 + axis, 1).unbind(1)
        left = torch.where(v0 == _UNSEEN, v2 - v1, 0.5 * (v2 - v0))
        right = torch.where(v3 == _UNSEEN, v2 - v1, 0.5 * (v3 - v1))
        slope = torch.lerp(left, right, t[:, axis, None, None])[:, 1:3, 1:3]
        for other in [n for n in range(3) if n != axis]:
            slope = torch.lerp(slope[:, 0], slope[:, 1], t[:, other].view(-1, *(1,) * (slope.dim() - 2)))
        slopes.append(slope)
    return torch.stack(slopes, 1), (values[:, 1:3, 1:3, 1:3] != _UNSEEN).flatten(1).all(1)


_CORNERS = torch.cartesian_prod(*[torch.arange(2)] * 3)
_AROUND = torch.cartesian_prod(*[torch.arange(-1, 3)] * 3)
