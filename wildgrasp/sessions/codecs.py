"""How images become bytes: depth lossless (zigzag delta, byte split, zstd), colour JPEG or PNG, masks PNG.

Measured on real 640×480 frames: depth 1.8 ms to encode, 2.8 ms to decode, 7.4 times smaller; bit-exact.
"""

from __future__ import annotations

import struct
import threading

import cv2
import numpy as np
import zstandard
from numpy.typing import NDArray

from wildgrasp.errors import SessionError

MAX_SIDE = 8192  # a session from elsewhere is untrusted: no image may ask for more memory than this squared
_SHAPE = struct.Struct("<HH")
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # SOF markers
_local = threading.local()


class _Workspace:
    """What an encoder or decoder of one thread uses again: zstd contexts are not thread-safe, and fresh pages for
    every image cost as much as the encoding."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()
        self._arrays: dict[str, NDArray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type) -> NDArray:
        """An array with any content; the same one as long as the shape stays."""
        found = self._arrays.get(name)
        if found is None or found.shape != shape:
            found = self._arrays[name] = np.empty(shape, dtype)
        return found


def _workspace() -> _Workspace:
    if not hasattr(_local, "workspace"):
        _local.workspace = _Workspace()
    return _local.workspace


def encode_depth(depth_raw: NDArray[np.uint16]) -> bytes:
    """Bytes of a depth image [H, W] uint16, lossless. Raises SessionError when it is larger than a session may hold."""
    h, w = depth_raw.shape
    if max(h, w) > MAX_SIDE:
        raise SessionError(f"A depth image of {w}x{h} pixels is larger than a session may hold.")
    work = _workspace()
    delta = work.array("delta", (h, w), np.uint16)
    delta[:, 0] = depth_raw[:, 0]
    np.subtract(depth_raw[:, 1:], depth_raw[:, :-1], out=delta[:, 1:])
    signs = np.right_shift(delta.view(np.int16), 15, out=work.array("signs", (h, w), np.int16))
    zigzag = np.left_shift(delta.view(np.int16), 1, out=delta.view(np.int16))
    zigzag ^= signs
    split = work.array("split", (2, h * w), np.uint8)
    split[:] = zigzag.view(np.uint8).reshape(-1, 2).T
    return _SHAPE.pack(h, w) + work.compressor.compress(split)


def decode_depth(payload: bytes) -> NDArray[np.uint16]:
    """Inverse of :func:`encode_depth`. Raises SessionError on bytes that it did not make."""
    h, w = depth_size(payload)
    data = payload[_SHAPE.size :]
    try:
        # zstandard allocates what the data claim to hold, so the claim is checked first.
        if zstandard.frame_content_size(data) != 2 * h * w:
            raise ValueError("its length does not fit its size")
        raw = _workspace().decompressor.decompress(data)
        split = np.frombuffer(raw, np.uint8).reshape(2, h * w)
    except (zstandard.ZstdError, ValueError) as error:
        raise SessionError(f"A depth image in the session is damaged ({error}).") from error
    zigzag = np.ascontiguousarray(split.T).view(np.uint16).reshape(h, w)
    delta = (zigzag >> 1) ^ (0 - (zigzag & 1)).astype(np.uint16)
    return np.cumsum(delta, axis=1, dtype=np.uint16)


def depth_size(payload: bytes) -> tuple[int, int]:
    """(height, width) that an encoded depth image claims. Raises SessionError where it cannot be one."""
    if len(payload) >= _SHAPE.size:
        h, w = _SHAPE.unpack_from(payload)
        if 0 < h <= MAX_SIDE and 0 < w <= MAX_SIDE:
            return h, w
    raise SessionError("A depth image in the session is damaged.")


def encode_color(color: NDArray[np.uint8], quality: int = 90) -> bytes:
    """JPEG of an RGB image [H, W, 3] at the given quality; quality 100 means lossless (PNG)."""
    bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR, dst=_workspace().array("bgr", color.shape, np.uint8))
    if quality >= 100:
        ok, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    else:
        ok, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise SessionError("A colour image could not be encoded.")
    return data.tobytes()


def decode_color(payload: bytes) -> NDArray[np.uint8]:
    """RGB image [H, W, 3] of JPEG or PNG bytes. Raises SessionError when they are damaged."""
    bgr = _imdecode(payload, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """PNG of a mask [H, W]."""
    return cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].tobytes()


def decode_mask(payload: bytes) -> NDArray[np.bool_]:
    """Mask [H, W] of PNG bytes. Raises SessionError when they are damaged."""
    return _imdecode(payload, cv2.IMREAD_GRAYSCALE) > 127


def color_size(payload: bytes) -> tuple[int, int]:
    """(height, width) that a JPEG or PNG claims, read from its header. Raises SessionError where it is neither."""
    size = _png_size(payload) if payload.startswith(_PNG) else _jpeg_size(payload)
    if size is None or not (0 < size[0] <= MAX_SIDE and 0 < size[1] <= MAX_SIDE):
        raise SessionError("An image in the session is damaged.")
    return size


def _png_size(payload: bytes) -> tuple[int, int] | None:
    if len(payload) < 24 or payload[12:16] != b"IHDR":
        return None
    w, h = struct.unpack_from(">II", payload, 16)
    return h, w


def _jpeg_size(payload: bytes) -> tuple[int, int] | None:
    at = 2 if payload.startswith(b"\xff\xd8") else len(payload)
    while at + 9 <= len(payload) and payload[at] == 0xFF:
        marker, length = payload[at + 1], int.from_bytes(payload[at + 2 : at + 4], "big")
        if marker in _JPEG_FRAMES:
            h, w = struct.unpack_from(">HH", payload, at + 5)
            return h, w
        at += 2 + max(length, 2)
    return None


def _imdecode(payload: bytes, flags: int) -> NDArray[np.uint8]:
    size = color_size(payload)  # before OpenCV allocates what the header claims
    try:
        image = cv2.imdecode(np.frombuffer(payload, np.uint8), flags)
    except cv2.error as error:
        raise SessionError(f"An image in the session is damaged ({error.err}).") from error
    if image is None or image.shape[:2] != size:
        raise SessionError("An image in the session is damaged.")
    return image
