"""Import of a recording made with Intel's own tools (``.bag`` or ``.db3``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.cameras.realsense import extrinsics, is_pair
from wildgrasp.geometry import PinholeCamera, to_vector
from wildgrasp.importers.source import DatasetError, new_session

TIMEOUT_MS = 2000  # without a frame for this long, the recording is at its end


def import_realsense(file: Path, out: Path) -> Path:
    """Write a RealSense recording as a session, depth aligned to colour; returns its path.

    Raises DatasetError when the file cannot be played or holds no depth with colour, SessionError when ``out`` exists;
    then no session is left.
    """
    try:
        import pyrealsense2 as rs
    except ImportError as error:
        raise DatasetError(
            "The package pyrealsense2 is not installed. Run: pip install 'wildgrasp[capture]'"
        ) from error
    file = Path(file)
    if not file.is_file():
        raise DatasetError(f"{file} is no file. Give the .bag or .db3 file of the recording.")
    with _playing(rs, file) as (pipeline, profile):
        info = _describe(rs, file, profile)
        align = rs.align(rs.stream.color)
        total_s = profile.get_device().as_playback().get_duration().total_seconds()
        with (
            new_session(out, info, {"source": {"format": "RealSense", "file": file.name}}) as writer,
            Progress() as bar,
        ):
            task = bar.add_task(f"Importing {file.name}", total=total_s)
            last_ns, first_ns = None, None
            for frames in _framesets(pipeline):
                if not is_pair(frames, info.fps):
                    continue
                t_ns = round(frames.get_color_frame().get_timestamp() * 1e6)
                if last_ns is not None and t_ns <= last_ns:
                    continue  # the pair from before
                aligned = align.process(frames)
                writer.add_frame(_frame(rs, aligned, info.depth_scale, t_ns))
                first_ns, last_ns = first_ns or t_ns, t_ns
                bar.update(task, completed=(t_ns - first_ns) * 1e-9)
            if not writer.frame_count:
                raise DatasetError(f"{file} holds no pair of depth and colour. No session was written.")
    return Path(out)


@contextmanager
def _playing(rs: Any, file: Path) -> Iterator[tuple[Any, Any]]:
    config, pipeline = rs.config(), rs.pipeline()
    try:
        config.enable_device_from_file(str(file), repeat_playback=False)
        profile = pipeline.start(config)
        profile.get_device().as_playback().set_real_time(False)
    except RuntimeError as error:
        raise DatasetError(f"{file} is no RealSense recording ({error}). No session was written.") from error
    try:
        yield pipeline, profile
    finally:
        pipeline.stop()


def _describe(rs: Any, file: Path, profile: Any) -> CameraInfo:
    streams = {stream.stream_type(): stream for stream in profile.get_streams()}
    if not {rs.stream.color, rs.stream.depth} <= streams.keys():
        raise DatasetError(f"{file} was recorded without depth or without colour. No session was written.")
    color = streams[rs.stream.color]
    lens = color.as_video_stream_profile().get_intrinsics()
    device = profile.get_device()
    keys = (rs.camera_info.name, rs.camera_info.serial_number, rs.camera_info.firmware_version)
    model, serial, firmware = (device.get_info(key) if device.supports(key) else "" for key in keys)
    return CameraInfo(
        model=model,
        serial=serial,
        firmware=firmware,
        intrinsics=PinholeCamera(lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy),
        depth_scale=device.first_depth_sensor().get_depth_scale(),
        fps=float(color.fps()),
        T_color_depth=tuple(to_vector(extrinsics(streams[rs.stream.depth], color)).tolist()),
    )


def _framesets(pipeline: Any) -> Iterator[Any]:
    while True:
        ok, frames = pipeline.try_wait_for_frames(TIMEOUT_MS)
        if not ok:
            return
        yield frames


def _frame(rs: Any, aligned: Any, depth_scale: float, t_ns: int) -> RGBDFrame:
    color_frame = aligned.get_color_frame()
    color = np.asanyarray(color_frame.get_data())
    if color_frame.get_profile().format() == rs.format.bgr8:
        color = color[..., ::-1]
    depth = np.array(aligned.get_depth_frame().get_data(), dtype=np.uint16)
    return RGBDFrame(np.array(color, order="C"), depth, depth_scale, t_ns, t_ns)
