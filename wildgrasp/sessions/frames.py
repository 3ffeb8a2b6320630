"""The payload of a FRAME record.

    id u32 | t_device_ns i64 | bytes of colour u32 | bytes of depth u32 | colour (JPEG or PNG) | depth (see codecs.py)

The record's own time is the host's. The id is inside the record, so that a rebuilt index knows which frames are
missing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.errors import SessionError
from wildgrasp.sessions.codecs import color_size, decode_color, decode_depth, depth_size, encode_color, encode_depth

_ID = struct.Struct("<I")
_HEADER = struct.Struct("<qII")


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


def encode_frame(frame: RGBDFrame, quality: int = 90) -> bytes:
    """A frame's payload without its id. Costs the time of both encoders, so recorders call it off the writer's
    thread."""
    return pack_frame(frame.t_device_ns, encode_color(frame.color, quality), encode_depth(frame.depth_raw))


def pack_frame(t_device_ns: int, color: bytes, depth: bytes) -> bytes:
    """A frame's payload without its id, from images that are encoded already."""
    return _HEADER.pack(t_device_ns, len(color), len(depth)) + color + depth


def with_id(frame_id: int, payload: bytes) -> bytes:
    return _ID.pack(frame_id) + payload


def unpack_frame(payload: bytes) -> FrameRecord:
    """Raises SessionError when the lengths do not fit together."""
    start = _ID.size + _HEADER.size
    if len(payload) >= start:
        (frame_id,) = _ID.unpack_from(payload)
        t_device_ns, color_bytes, depth_bytes = _HEADER.unpack_from(payload, _ID.size)
        if start + color_bytes + depth_bytes == len(payload):
            middle = start + color_bytes
            return FrameRecord(frame_id, t_device_ns, payload[start:middle], payload[middle:])
    raise SessionError("A frame in the session is damaged. Run `wildgrasp check` on the session.")


def device_time(payload: bytes) -> int:
    """t_device_ns of a payload without its id."""
    return _HEADER.unpack_from(payload)[0]
