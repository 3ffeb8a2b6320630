"""A picture that shows the present: newer than the arm's last reading, and not black."""

from __future__ import annotations

from robot_runner.arm.base import Arm
from robot_runner.episode_types import EpisodeConfig
from wildgrasp.cameras.base import Camera, RGBDFrame
from wildgrasp.errors import CameraError

_BLACK = 8  # grey level below which a picture without any depth counts as none


def exposed_ns(frame: RGBDFrame, config: EpisodeConfig) -> int:
    """Host time at which a frame was exposed: when it arrived, less the camera's latency."""
    return frame.t_host_ns - round(config.camera_latency_s * 1e9)


def fresh_frame(camera: Camera, arm: Arm, config: EpisodeConfig) -> RGBDFrame:
    """The first frame exposed after the arm's present reading. Raises CameraError when frames stay old or are black."""
    arrived_ns = arm.state().t_ns
    for _ in range(60):  # buffered ones come first; no driver keeps two seconds of them
        frame = camera.read(config.camera_timeout_s)
        if exposed_ns(frame, config) >= arrived_ns:
            break
    age_s = (arm.state().t_ns - exposed_ns(frame, config)) * 1e-9
    if exposed_ns(frame, config) < arrived_ns or age_s > config.max_frame_age_s:
        raise CameraError(
            f"The camera sends no new pictures (the last is {age_s:.1f} s old), so the arm was stopped. What was "
            "recorded is kept; look at the camera's USB cable and start again."
        )
    if not frame.depth_raw.any() and frame.color.max() < _BLACK:
        raise CameraError(
            "The camera sees nothing but black, so the arm was stopped. What was recorded is kept; look at its "
            "lens and its cable and start again."
        )
    return frame
