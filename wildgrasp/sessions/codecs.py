"""How colour images and masks become bytes: JPEG or PNG. Depth has a codec of its own, see depth.py."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from wildgrasp.errors import SessionError

MAX_SIDE = 8192  # a session from elsewhere is untrusted: no image may ask for more memory than this squared
# Pixels converted at once: OpenCV gives more to its thread pool, whose waiting costs seven times the conversion.
_BLOCK = 61_440
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # SOF markers


def encode_color(color: NDArray[np.uint8], quality: int = 90) -> bytes:
    """JPEG of an RGB image [H, W, 3] at the given quality; quality 100 means lossless (PNG)."""
    bgr = swap_red_and_blue(color)
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
    return swap_red_and_blue(bgr)


def swap_red_and_blue(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB [H, W, 3] from BGR, or the other way round."""
    swapped = np.empty(image.shape, np.uint8)
    rows = max(_BLOCK // image.shape[1], 1)
    for start in range(0, len(image), rows):
        block = slice(start, start + rows)
        cv2.cvtColor(image[block], cv2.COLOR_RGB2BGR, dst=swapped[block])
    return swapped


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
