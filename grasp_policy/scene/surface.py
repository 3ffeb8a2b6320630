"""The fused surface as points and as a mesh (naive surface nets: one vertex per cell that the surface crosses)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grasp_policy.scene.sampling import gradient
from grasp_policy.scene.voxels import BLOCK, COMPUTE


@dataclass(frozen=True)
class SurfacePoints:
    """Points on the surface in the world frame, at most one per cell of eight voxels."""

    points: NDArray[np.float64]  # [N, 3] metres
    normals: NDArray[np.float64]  # [N, 3] unit, towards free space
    colors: NDArray[np.uint8]  # [N, 3]

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Mesh:
    """Triangles in the world frame; corners counter-clockwise seen from free space."""

    vertices: NDArray[np.float64]  # [N, 3] metres
    normals: NDArray[np.float64]  # [N, 3]
    colors: NDArray[np.uint8]  # [N, 3]
    faces: NDArray[np.int32]  # [M, 3] vertex indices

    def save_ply(self, path: Path) -> None:
        """Write a binary PLY file. Raises OSError."""
        vertex = np.zeros(len(self.vertices), _PLY_VERTEX)
        for columns, values in (("xyz", self.vertices), (("nx", "ny", "nz"), self.normals)):
            for name, column in zip(columns, np.asarray(values).T, strict=True):
                vertex[name] = column
        for name, column in zip(("red", "green", "blue"), self.colors.T, strict=True):
            vertex[name] = column
        face = np.zeros(len(self.faces), [("count", "u1"), ("corners", "<i4", 3)])
        face["count"], face["corners"] = 3, self.faces
        properties = "".join(f"property {'uchar' if kind == 'u1' else 'float'} {name}\n" for name, kind in _PLY_VERTEX)
        header = (
            f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertex)}\n{properties}"
            f"element face {len(face)}\nproperty list uchar int vertex_indices\nend_header\n"
        )
        path.write_bytes(header.encode() + vertex.tobytes() + face.tobytes())


_PLY_VERTEX = [(n, "<f4") for n in ("x", "y", "z", "nx", "ny", "nz")] + [(n, "u1") for n in ("red", "green", "blue")]


class Vertices(NamedTuple):
    positions: NDArray[np.float32]  # [N, 3] voxels
    normals: NDArray[np.float32]  # [N, 3]
    colors: NDArray[np.uint8]  # [N, 3]
    cells: NDArray[np.int32]  # [N, 3]


def vertices(
    tsdf: NDArray[np.int16],
    colors: NDArray[np.uint8],
    offsets: tuple[NDArray[np.uint32], ...],
    blocks: NDArray[np.int32],
    shape: tuple[int, int, int],
) -> Vertices:
    """One vertex per observed cell that the surface crosses, among the surface blocks [M, 3], in a fixed order."""
    counts = np.zeros(len(blocks) + 1, np.int64)
    _count(tsdf, offsets, blocks, shape, counts)
    starts = np.cumsum(counts)
    n = int(starts[-1])
    result = Vertices(
        np.empty((n, 3), np.float32),
        np.empty((n, 3), np.float32),
        np.empty((n, 3), np.uint8),
        np.empty((n, 3), np.int32),
    )
    _fill(tsdf, colors, offsets, blocks, shape, starts, *result)
    return result


def faces(cells: NDArray[np.int32], quanta: NDArray[np.int16]) -> NDArray[np.int32]:
    """Triangles [M, 3] that join the vertices of cells [N, 3]; ``quanta`` [X, Y, Z] are the signed distances.

    Every voxel edge that the surface crosses joins the vertices of the four cells around it, where all four have one.
    """
    index = np.full(quanta.shape, -1, np.int32)
    index[tuple(cells.T)] = np.arange(len(cells))
    triangles = []
    here = quanta[tuple(cells.T)] > 0
    for axis in range(3):
        step, b, c = np.eye(3, dtype=int)[[axis, (axis + 1) % 3, (axis + 2) % 3]]
        crosses = here != (quanta[tuple((cells + step).T)] > 0)
        around = [index[tuple((cells - d).T)] for d in (0 * b, b, b + c, c)]
        quad = np.stack(around, axis=1)[crosses & np.all(np.stack(around) >= 0, axis=0)]
        flip = here[quad[:, 0]]
        quad[flip] = quad[flip][:, ::-1]
        triangles += [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    return np.concatenate(triangles).astype(np.int32)


_FAR = 3  # a vertex may lie on its cell's far side, and its gradient reaches two voxels farther


@njit(inline="always", **COMPUTE)
def _crossed(tsdf, offsets, i, j, k):
    """Whether the surface crosses an observed cell."""
    lowest, highest = np.int16(32767), np.int16(-32768)
    for corner in range(8):
        value = tsdf[offsets[0][i + (corner >> 2)] + offsets[1][j + (corner >> 1 & 1)] + offsets[2][k + (corner & 1)]]
        lowest, highest = min(lowest, value), max(highest, value)
    return lowest <= 0 and highest > 0 and highest < np.int16(32767)


@njit(**COMPUTE)
def _count(tsdf, offsets, blocks, shape, counts):
    for m in range(len(blocks)):
        i0, j0, k0 = blocks[m, 0] * BLOCK, blocks[m, 1] * BLOCK, blocks[m, 2] * BLOCK
        for i in range(max(i0, 1), min(i0 + BLOCK, shape[0] - _FAR)):
            for j in range(max(j0, 1), min(j0 + BLOCK, shape[1] - _FAR)):
                for k in range(max(k0, 1), min(k0 + BLOCK, shape[2] - _FAR)):
                    counts[m + 1] += _crossed(tsdf, offsets, i, j, k)


@njit(**COMPUTE)
def _fill(tsdf, colors, offsets, blocks, shape, starts, positions, normals, vertex_colors, cells):
    half = np.float32(0.5)
    for m in range(len(blocks)):
        n = starts[m]
        i0, j0, k0 = blocks[m, 0] * BLOCK, blocks[m, 1] * BLOCK, blocks[m, 2] * BLOCK
        for i in range(max(i0, 1), min(i0 + BLOCK, shape[0] - _FAR)):
            for j in range(max(j0, 1), min(j0 + BLOCK, shape[1] - _FAR)):
                for k in range(max(k0, 1), min(k0 + BLOCK, shape[2] - _FAR)):
                    if not _crossed(tsdf, offsets, i, j, k):
                        continue
                    x, y, z = _mean_crossing(tsdf, offsets, i, j, k)
                    gx, gy, gz, _ = gradient(tsdf, offsets, x, y, z)
                    length = max(np.sqrt(gx * gx + gy * gy + gz * gz), np.float32(1e-9))
                    positions[n, 0], positions[n, 1], positions[n, 2] = x, y, z
                    normals[n, 0], normals[n, 1], normals[n, 2] = gx / length, gy / length, gz / length
                    cells[n, 0], cells[n, 1], cells[n, 2] = i, j, k
                    voxel = offsets[0][int(x + half)] + offsets[1][int(y + half)] + offsets[2][int(z + half)]
                    for c in range(3):
                        vertex_colors[n, c] = colors[voxel, c]
                    n += 1


@njit(**COMPUTE)
def _mean_crossing(tsdf, offsets, i, j, k):
    """Mean of the points where the surface crosses the cell's twelve edges, in voxels."""
    x, y, z, count = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for a in range(8):
        for axis in range(3):
            bit = 1 << axis
            if a & bit:
                continue
            b = a | bit
            ax, ay, az = a & 1, a >> 1 & 1, a >> 2
            bx, by, bz = b & 1, b >> 1 & 1, b >> 2
            p = np.float32(tsdf[offsets[0][i + ax] + offsets[1][j + ay] + offsets[2][k + az]])
            q = np.float32(tsdf[offsets[0][i + bx] + offsets[1][j + by] + offsets[2][k + bz]])
            if (p > 0) != (q > 0):
                t = p / (p - q)
                x += np.float32(ax) + t * np.float32(bx - ax)
                y += np.float32(ay) + t * np.float32(by - ay)
                z += np.float32(az) + t * np.float32(bz - az)
                count += np.float32(1)
    return np.float32(i) + x / count, np.float32(j) + y / count, np.float32(k) + z / count
