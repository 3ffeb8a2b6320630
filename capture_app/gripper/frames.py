"""Bytes from the device into frames, with everything that went wrong counted."""

from __future__ import annotations

from dataclasses import dataclass

from capture_app.gripper.protocol import Frame, FrameError, decode

MAX_UNFINISHED = 4096  # bytes without a delimiter: another device, or another speed


@dataclass
class FrameCounts:
    """What was received since the link was opened."""

    frames: int = 0
    bad_frames: int = 0
    lost_frames: int = 0  # gaps in the sequence numbers


class FrameStream:
    """Splits a byte stream at its delimiters and decodes what is between."""

    def __init__(self) -> None:
        self.counts = FrameCounts()
        self._buffer = bytearray()
        self._last_seq: int | None = None
        self._synchronized = False

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete, in order."""
        self._buffer += data
        *finished, rest = self._buffer.split(b"\x00")
        self._buffer = rest[-MAX_UNFINISHED:]
        return [frame for raw in finished if (frame := self._decode(bytes(raw))) is not None]

    def restart(self) -> None:
        """The line was interrupted: what is unfinished is void and the next sequence number is news."""
        self._buffer.clear()
        self._last_seq = None
        self._synchronized = False

    def _decode(self, raw: bytes) -> Frame | None:
        if not raw:
            return None
        try:
            frame = decode(raw)
        except FrameError:
            self.counts.bad_frames += self._synchronized  # the first piece after opening may be half a frame
            self._synchronized = True
            return None
        self._synchronized = True
        self.counts.frames += 1
        if self._last_seq is not None:
            self.counts.lost_frames += (frame.seq - self._last_seq - 1) % 256
        self._last_seq = frame.seq
        return frame
