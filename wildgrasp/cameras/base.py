"""The camera seam: a synchronized colour + depth pair with the device's and the host's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import PinholeCamera


@dataclass(frozen=True)
class RGBDFrame:
    """One synchronized pair; depth is registered to colour.

    ``depth_raw`` is what the sensor delivers and what is stored (lossless); ``depth`` is what algorithms use.
    """

    color: NDArray[np.uint8]  # [H, W, 3] RGB
    depth_raw: NDArray[np.uint16]  # [H, W], in units of depth_scale; 0 = no measurement
    depth_scale: float  # metres per unit
    t_host_ns: int  # host monotonic clock at exposure, as well as it is known
    t_device_ns: int = 0  # the device's own stamp

    @property
    def depth(self) -> NDArray[np.float32]:
        """Depth [H, W] float32 in metres, 0 = no measurement."""
        return self.depth_raw.astype(np.float32) * np.float32(self.depth_scale)


@dataclass(frozen=True)
class CameraInfo:
    """Who the camera is and how it sees."""

    model: str
    serial: str
    firmware: str
    intrinsics: PinholeCamera
    depth_scale: float  # metres per unit of depth_raw
    fps: float
    # What not every camera says of itself.
    T_color_depth: tuple[float, ...] | None = None  # x y z qx qy qz qw of the depth sensor, before registration
    usb: str = ""  # the version of the bus that it is plugged into
    exposure_us: int | None = None  # fixed exposure of the colour camera; None: automatic
    readout_s: float | None = None  # of a rolling shutter, from its first row to its last; None: not known


class Camera(Protocol):
    """A source of frame pairs. Real: RealSenseCamera, PlaybackCamera; the twin plugs in its own."""

    def open(self) -> CameraInfo:
        """Start streaming. Raises CameraError with what to do about it."""
        ...

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The next pair in order, blocking up to timeout_s. Raises CameraError on a stall, EOFError at the end of a
        finite source."""
        ...

    def close(self) -> None: ...
