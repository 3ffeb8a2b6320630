"""What the Q-network sees of a view: seven channels of the picture, and a compact form of it for storage.

Channels: red, green, blue (−1 … 1); depth relative to the fingertips (1 = 20 cm farther, clipped); normal x, y, z. A
pixel that shows no surface is 0 in all channels; where there is one, the normal has length 1, so the network can
tell.

Depth is centred on the fingertips because that is where the decision falls: centimetres there must not drown in half
a metre of range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import zstandard
from numpy.typing import NDArray

from grasp_policy.scene.views import Views
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP

FEATURE_VERSION = 1  # a checkpoint remembers it; raise it when a channel changes its meaning
CHANNELS = 7
FINGERTIP_DEPTH_M = float(NOMINAL_T_CAMERA_FINGERTIP[2, 3])
DEPTH_RANGE_M = 0.2
DEPTH_CLIP = (-1.5, 2.0)

_DEPTH_UNIT_M = 1e-4  # of stored depth: 0.1 mm, up to 6.5 m
_BYTES_PER_PIXEL = 8


def features(views: Views) -> NDArray[np.float32]:
    """Network input [N, 7, H, W] of N views. Its memory is channels-last, which convolutions on a CPU prefer."""
    return _features(views.color, views.depth, 1.0, views.normal, 1.0)


@dataclass(frozen=True)
class PackedViews:
    """Views in 8 bytes a pixel, for storage. Depth is rounded to 0.1 mm, normals to 1/127."""

    color: NDArray[np.uint8]  # [N, H, W, 3]
    depth: NDArray[np.uint16]  # [N, H, W] in 0.1 mm; 0 = no surface
    normal: NDArray[np.int8]  # [N, H, W, 3] in 1/127

    def features(self) -> NDArray[np.float32]:
        """As :func:`features` of the views, up to rounding."""
        return _features(self.color, self.depth, _DEPTH_UNIT_M, self.normal, 1 / 127)

    def compress(self) -> list[bytes]:
        """Lossless bytes of each view, so that a few of many can be read.

        Each plane is stored as differences along its rows, which are small where surfaces are smooth.
        """
        depth = np.diff(self.depth, axis=2, prepend=np.uint16(0))
        planes = np.empty((len(self.depth), _BYTES_PER_PIXEL, *self.depth.shape[1:]), np.uint8)
        planes[:, :3] = np.diff(np.moveaxis(self.color, 3, 1), axis=3, prepend=np.uint8(0))
        planes[:, 3], planes[:, 4] = depth & 0xFF, depth >> 8
        planes[:, 5:] = np.diff(np.moveaxis(self.normal.view(np.uint8), 3, 1), axis=3, prepend=np.uint8(0))
        compressor = zstandard.ZstdCompressor(level=1)
        return [compressor.compress(view.tobytes()) for view in planes]

    @classmethod
    def decompress(cls, payloads: Sequence[bytes], height: int, width: int) -> PackedViews:
        """Inverse of :meth:`compress`. Raises ValueError on bytes of another size or damaged ones."""
        size = _BYTES_PER_PIXEL * height * width
        decompressor = zstandard.ZstdDecompressor()
        try:
            raw = b"".join(decompressor.decompress(payload, max_output_size=size) for payload in payloads)
        except zstandard.ZstdError as error:
            raise ValueError(f"stored views are damaged ({error})") from error
        if len(raw) != size * len(payloads):
            raise ValueError("stored views have another size")
        planes = np.frombuffer(raw, np.uint8).reshape(-1, _BYTES_PER_PIXEL, height, width)
        color, depth, normal = (
            np.empty((len(payloads), height, width, *channels), dtype)
            for channels, dtype in (((3,), np.uint8), ((), np.uint16), ((3,), np.int8))
        )
        _undo_differences(planes, color, depth, normal)
        return cls(color, depth, normal)


def pack(views: Views) -> PackedViews:
    """Views rounded for storage."""
    depth = np.clip(np.rint(views.depth / _DEPTH_UNIT_M), 0, 65535).astype(np.uint16)
    return PackedViews(views.color, depth, np.rint(views.normal * 127).astype(np.int8))


def _features(color: NDArray, depth: NDArray, depth_unit: float, normal: NDArray, normal_unit: float) -> NDArray:
    out = np.empty((*depth.shape, CHANNELS), np.float32)
    _fill(color, depth, np.float32(depth_unit), normal, np.float32(normal_unit), out)
    return np.moveaxis(out, -1, 1)


@numba.njit(cache=True, nogil=True)
def _fill(color, depth, depth_unit, normal, normal_unit, out):
    low, high = np.float32(DEPTH_CLIP[0]), np.float32(DEPTH_CLIP[1])
    tip, scale = np.float32(FINGERTIP_DEPTH_M), np.float32(1 / DEPTH_RANGE_M)
    color_scale = np.float32(2 / 255)
    count, height, width = depth.shape
    for n in range(count):
        for v in range(height):
            for u in range(width):
                z = np.float32(depth[n, v, u]) * depth_unit
                if not z > 0:
                    out[n, v, u, :] = 0
                    continue
                for c in range(3):
                    out[n, v, u, c] = np.float32(color[n, v, u, c]) * color_scale - np.float32(1)
                    out[n, v, u, 4 + c] = np.float32(normal[n, v, u, c]) * normal_unit
                out[n, v, u, 3] = min(max((z - tip) * scale, low), high)


@numba.njit(cache=True, nogil=True)
def _undo_differences(planes, color, depth, normal):
    count, height, width = depth.shape
    total = np.zeros(8, np.uint16)
    for n in range(count):
        for v in range(height):
            total[:] = 0
            for u in range(width):
                for c in range(8):
                    total[c] += planes[n, c, v, u]
                for c in range(3):
                    color[n, v, u, c] = np.uint8(total[c] & 0xFF)
                    normal[n, v, u, c] = np.int8(np.uint8(total[5 + c] & 0xFF))
                depth[n, v, u] = np.uint16(total[3] + (total[4] << 8))
