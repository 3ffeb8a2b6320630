"""The payload of a FRAME record.

    id u32 | t_device_ns i64 | bytes of colour u32 | bytes of depth u32 | colour (JPEG or PNG) | depth (see depth.py)

The record's own time is the host's. The id is inside the record, so that a rebuilt index knows which frames are
missing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.sessions.codecs import color_size, decode_color, encode_color
from wildgrasp.sessions.depth import DepthEncoder, decode_depth, depth_size

_HEADER = struct.Struct("<IqII")


@dataclass(frozen=True)
class FrameRecord:
    """A frame as it is stored: compressed."""

    id: int
    t_device_ns: int
    color: bytes
    depth: bytes

    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(height, width) of colour and of depth, without decoding. Raises SessionError when one is no image."""
        return color_size(self.color), depth_size(self.depth)

    def decode(self, t_host_ns: int, depth_scale: float, size: tuple[int, int]) -> RGBDFrame:
        """The frame. Raises SessionError when it is damaged or not of the camera's size (height, width)."""
        if self.sizes() != (size, size):
            raise SessionError(f"Frame {self.id} is not of its camera's size. Run `wildgrasp check` on the session.")
        return RGBDFrame(decode_color(self.color), decode_depth(self.depth), depth_scale, t_host_ns, self.t_device_ns)


@dataclass(frozen=True)
class EncodedFrame:
    """A frame ready to be written: ``color`` is a JPEG or PNG, ``depth`` comes from a ``DepthEncoder``."""

    t_host_ns: int
    t_device_ns: int
    color: bytes
    depth: bytes

    def payload(self, frame_id: int) -> tuple[bytes, bytes, bytes]:
        """The record's payload in parts, so that images are not copied once more."""
        return _HEADER.pack(frame_id, self.t_device_ns, len(self.color), len(self.depth)), self.color, self.depth


class FrameEncoder:
    """Encodes the frames of one camera. One thread owns it.

    Args:
        quality: JPEG quality of colour; 100 is lossless (PNG).
    """

    def __init__(self, quality: int = 90) -> None:
        self._quality = quality
        self._depth = DepthEncoder()

    def encode(self, frame: RGBDFrame) -> EncodedFrame:
        color = encode_color(frame.color, self._quality)
        return EncodedFrame(frame.t_host_ns, frame.t_device_ns, color, self._depth.encode(frame.depth_raw))


def unpack_frame(payload: bytes) -> FrameRecord:
    """Raises SessionError when the lengths do not fit together."""
    if len(payload) >= _HEADER.size:
        frame_id, t_device_ns, color_bytes, depth_bytes = _HEADER.unpack_from(payload)
        if _HEADER.size + color_bytes + depth_bytes == len(payload):
            middle = _HEADER.size + color_bytes
            return FrameRecord(frame_id, t_device_ns, payload[_HEADER.size : middle], payload[middle:])
    raise SessionError("A frame in the session is damaged. Run `wildgrasp check` on the session.")
