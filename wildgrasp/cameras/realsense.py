"""Intel RealSense D415 (and its sisters) through librealsense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.cameras.device_clock import DeviceClock
from wildgrasp.clocks import Clock, MonotonicClock
from wildgrasp.errors import CameraError
from wildgrasp.geometry import PinholeCamera, pose, to_vector

try:
    import pyrealsense2 as rs
except ImportError:  # told when a camera is opened: a machine without one still runs everything else
    rs = None


# The two sensors run at the same rate and not in step: the images of one pair are this many periods apart at most.
PAIR_PERIODS = 0.75
# Seconds from the first row of a picture to its last. An estimate, not from a data sheet, which does not tell: the
# sensor (OV2740) streams 1080 rows 60 times a second, so it needs at most 16 ms. Models that are not listed: not known.
READOUT_S = {"D415": 0.016}
PAIRS_WAITING = 15  # what the computer may be late by, half a second; librealsense's own default is 1


@dataclass(frozen=True)
class RealSenseConfig:
    serial: str = ""  # empty: the only one that is plugged in
    width: int = 640
    height: int = 480
    fps: int = 30
    exposure_us: int | None = None  # of the colour camera; None: automatic
    warm_up_frames: int = 15  # automatic exposure settles meanwhile
    open_timeout_s: float = 5.0


class RealSenseCamera:
    """Depth and colour of a RealSense, depth aligned to colour.

    Args:
        find_device: returns the librealsense device; default: the plugged-in camera with the configured serial number.
    """

    def __init__(
        self,
        config: RealSenseConfig = RealSenseConfig(),
        find_device: Callable[[], Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._find_device = find_device or self._plugged_in
        self._clock = clock or MonotonicClock()
        self._times = DeviceClock()
        self._sensors: list[Any] = []
        self._syncer: Any = None
        self._align: Any = None
        self._depth_scale = 0.0
        self._stalled = False
        self.notices: list[str] = []  # what a person should know though it works, such as a USB 2 cable

    def open(self) -> CameraInfo:
        """Start streaming and let the exposure settle. Raises CameraError with what to do about it."""
        if rs is None:
            raise CameraError("The package pyrealsense2 is not installed. Run: pip install 'wildgrasp[capture]'")
        self.close()
        try:
            device = self._find_device()
            if self._stalled:
                device = self._reset(device)
            info = self._start(device)
        except RuntimeError as error:
            self.close()
            raise CameraError(
                f"The RealSense camera does not start ({error}). Unplug it, plug it in again and try once more."
            ) from error
        try:
            for _ in range(self._config.warm_up_frames):
                self.read(self._config.open_timeout_s)
        except CameraError:
            self.close()
            raise
        return info

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        """The next pair. Raises CameraError when none arrives in time."""
        if self._syncer is None:
            raise CameraError("The RealSense camera was not opened.")
        deadline_ns = self._clock.now_ns() + round(timeout_s * 1e9)
        while (left_ns := deadline_ns - self._clock.now_ns()) > 0:
            ok, frames = self._syncer.try_wait_for_frames(max(left_ns // 1_000_000, 1))
            if ok and is_pair(frames, self._config.fps):
                return self._frame(frames)
        self._stalled = True
        raise CameraError(
            f"The RealSense camera sent no pair of images for {timeout_s:.1f} s. Check its cable; it is started again."
        )

    def close(self) -> None:
        for sensor in self._sensors:
            try:
                sensor.stop()
                sensor.close()
            except RuntimeError:
                pass  # it was unplugged: there is nothing left to stop
        self._sensors, self._syncer = [], None

    # --- opening ---

    def _plugged_in(self) -> Any:
        devices = list(rs.context().query_devices())
        if self._config.serial:
            devices = [d for d in devices if _info(d, rs.camera_info.serial_number) == self._config.serial]
        if not devices:
            which = f" with serial number {self._config.serial}" if self._config.serial else ""
            raise CameraError(
                f"No RealSense camera{which} is plugged in. Plug it into a blue (USB 3) port and try again."
            )
        if len(devices) > 1:
            found = ", ".join(_info(d, rs.camera_info.serial_number) for d in devices)
            raise CameraError(
                f"Several RealSense cameras are plugged in ({found}). Say which one by its serial number."
            )
        return devices[0]

    def _reset(self, device: Any) -> Any:
        """After a stall: restart the camera's firmware and wait until the camera is on the bus again."""
        self._stalled = False
        try:
            device.hardware_reset()
        except RuntimeError:
            return device  # this kind of device has no reset; starting anew must do
        deadline_ns = self._clock.now_ns() + round(self._config.open_timeout_s * 1e9)
        while True:
            self._clock.sleep_until_ns(self._clock.now_ns() + 200_000_000)
            try:
                return self._find_device()
            except CameraError:
                if self._clock.now_ns() > deadline_ns:
                    raise

    def _start(self, device: Any) -> CameraInfo:
        self.notices = []
        usb = _info(device, rs.camera_info.usb_type_descriptor)
        if usb.startswith("2"):
            self.notices.append(
                "The camera is plugged in with USB 2: use a USB 3 cable and a blue port for all frames."
            )
        depth_sensor, depth = self._stream(device, rs.stream.depth, (rs.format.z16,), usb)
        color_sensor, color = self._stream(device, rs.stream.color, (rs.format.rgb8, rs.format.bgr8), usb)
        self._depth_scale = depth_sensor.get_option(rs.option.depth_units)
        self._set_up(depth_sensor, color_sensor)
        self._align = rs.align(rs.stream.color)
        self._syncer = rs.syncer(PAIRS_WAITING)
        for sensor, profile in ((depth_sensor, depth), (color_sensor, color)):
            sensor.open(profile)
            self._sensors.append(sensor)
            sensor.start(self._syncer)
        lens = color.as_video_stream_profile().get_intrinsics()
        model = _info(device, rs.camera_info.name) or "RealSense"
        return CameraInfo(
            model=model,
            serial=_info(device, rs.camera_info.serial_number),
            firmware=_info(device, rs.camera_info.firmware_version),
            intrinsics=PinholeCamera(lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy),
            depth_scale=self._depth_scale,
            fps=float(self._config.fps),
            T_color_depth=tuple(to_vector(extrinsics(depth, color)).tolist()),
            usb=usb,
            exposure_us=self._config.exposure_us,
            readout_s=next((s for name, s in READOUT_S.items() if name in model), None),
        )

    def _stream(self, device: Any, stream: Any, formats: tuple[Any, ...], usb: str) -> tuple[Any, Any]:
        """The sensor and its profile of a stream in the configured mode, in the first of the formats that it has."""
        wanted = (self._config.width, self._config.height, self._config.fps)
        for form in formats:
            for sensor in device.query_sensors():
                for profile in sensor.get_stream_profiles():
                    if profile.stream_type() != stream or profile.format() != form:
                        continue
                    video = profile.as_video_stream_profile()
                    if (video.width(), video.height(), profile.fps()) == wanted:
                        return sensor, profile
        mode = f"{stream.name} at {wanted[0]}x{wanted[1]}, {wanted[2]} frames per second"
        hint = "It is plugged in with USB 2: use a USB 3 cable." if usb.startswith("2") else "Choose another mode."
        raise CameraError(f"The RealSense camera does not offer {mode}. {hint}")

    def _set_up(self, depth_sensor: Any, color_sensor: Any) -> None:
        # The camera's own stamps are wanted, not librealsense's mapping of them to the wall clock, which jumps.
        for sensor in (depth_sensor, color_sensor):
            _set(sensor, rs.option.global_time_enabled, 0)
        _set(color_sensor, rs.option.auto_exposure_priority, 0)  # or a dark room halves the frame rate
        if self._config.exposure_us is None:
            _set(color_sensor, rs.option.enable_auto_exposure, 1)
        else:
            _set(color_sensor, rs.option.enable_auto_exposure, 0)
            _set(color_sensor, rs.option.exposure, self._config.exposure_us / 100)  # its unit is 100 us

    # --- reading ---

    def _frame(self, frames: Any) -> RGBDFrame:
        t_arrival_ns = self._clock.now_ns()
        aligned = self._align.process(frames)
        color_frame = aligned.get_color_frame()
        color = np.asanyarray(color_frame.get_data())
        if color_frame.get_profile().format() == rs.format.bgr8:
            color = color[..., ::-1]
        t_device_ns = round(color_frame.get_timestamp() * 1e6)
        # Copies: librealsense uses its buffers again.
        return RGBDFrame(
            np.array(color, order="C"),
            np.array(aligned.get_depth_frame().get_data(), dtype=np.uint16),
            self._depth_scale,
            self._times.host_ns(t_device_ns, t_arrival_ns),
            t_device_ns,
        )


def is_pair(frames: Any, fps: float) -> bool:
    """Whether a set holds depth and colour of one moment: librealsense also hands out sets with one of them missing,
    or with the one of before."""
    depth, color = frames.get_depth_frame(), frames.get_color_frame()
    if not (depth and color):
        return False
    if depth.get_frame_timestamp_domain() != color.get_frame_timestamp_domain():
        return True  # their stamps cannot be compared
    return abs(depth.get_timestamp() - color.get_timestamp()) < PAIR_PERIODS * 1000 / fps


def extrinsics(source: Any, target: Any) -> NDArray[np.float64]:
    """T_target_source [4, 4] of two stream profiles."""
    found = source.get_extrinsics_to(target)
    return pose(np.array(found.rotation).reshape(3, 3).T, np.array(found.translation))  # it is stored by columns


def _info(device: Any, key: Any) -> str:
    return device.get_info(key) if device.supports(key) else ""


def _set(sensor: Any, option: Any, value: float) -> None:
    """Set an option where the sensor has it."""
    if sensor.supports(option) and not sensor.is_option_read_only(option):
        sensor.set_option(option, value)
