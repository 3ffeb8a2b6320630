"""Import of a recording made with Intel's own tools (``.bag`` or ``.db3``).

The images are taken from the two sensors one by one and paired here: librealsense's own pairing leaves out most of a
recording on a busy machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.cameras.realsense import PAIR_PERIODS, extrinsics
from wildgrasp.cameras.registration import DepthRegistration
from wildgrasp.geometry import PinholeCamera, from_vector, to_vector
from wildgrasp.importers.source import DatasetError, new_session

WAIT_MS = 1000  # the last images come a while after the playback calls itself stopped
PATIENCE_S = 5.0  # a recording that has not ended and gives nothing for so long gives nothing more
MOST_WAITING = 300  # images of one sensor that may be ahead of the other's


@dataclass(frozen=True)
class _Image:
    t_ms: float
    domain: Any
    pixels: NDArray


@dataclass(frozen=True)
class _Recording:
    info: CameraInfo
    depth_lens: PinholeCamera
    duration_s: float
    images: Iterator[tuple[Any, _Image]]


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
    with _playing(rs, file) as played:
        info, register = played.info, _registration(played)
        with (
            new_session(out, info, {"source": {"format": "RealSense", "file": file.name}}) as writer,
            Progress() as bar,
        ):
            task = bar.add_task(f"Importing {file.name}", total=played.duration_s)
            first_ns = last_ns = None
            for depth, color in _pairs(rs, played):
                t_ns = round(color.t_ms * 1e6)
                if last_ns is not None and t_ns <= last_ns:
                    continue  # played twice
                writer.add_frame(RGBDFrame(color.pixels, register(depth.pixels), info.depth_scale, t_ns, t_ns))
                first_ns, last_ns = t_ns if first_ns is None else first_ns, t_ns
                bar.update(task, completed=(t_ns - first_ns) * 1e-9)
            if not writer.frame_count:
                raise DatasetError(f"{file} holds no pair of depth and colour. No session was written.")
    return Path(out)


@contextmanager
def _playing(rs: Any, file: Path) -> Iterator[_Recording]:
    try:
        device = rs.context().load_device(str(file))
        playback = device.as_playback()
        playback.set_real_time(False)  # the sensors wait for whoever takes their images
        sensors = {p.stream_type(): (s, p) for s in device.query_sensors() for p in s.get_stream_profiles()}
    except RuntimeError as error:
        raise DatasetError(f"{file} is no RealSense recording ({error}). No session was written.") from error
    if not {rs.stream.color, rs.stream.depth} <= sensors.keys():
        raise DatasetError(f"{file} was recorded without depth or without colour. No session was written.")
    queue = rs.frame_queue(50, True)
    chosen = [sensors[rs.stream.depth], sensors[rs.stream.color]]
    (_, depth), (_, color) = chosen
    for sensor, profile in chosen:
        sensor.open(profile)
    playback.pause()  # or the first sensor plays before the second has started
    for sensor, _ in chosen:
        sensor.start(queue)
    playback.resume()
    try:
        yield _Recording(
            _describe(rs, device, depth, color),
            _lens(depth),
            playback.get_duration().total_seconds(),
            _images(rs, playback, queue),
        )
    finally:
        for sensor, _ in chosen:
            sensor.stop()
            sensor.close()


def _describe(rs: Any, device: Any, depth: Any, color: Any) -> CameraInfo:
    keys = (rs.camera_info.name, rs.camera_info.serial_number, rs.camera_info.firmware_version)
    model, serial, firmware = (device.get_info(key) if device.supports(key) else "" for key in keys)
    return CameraInfo(
        model=model,
        serial=serial,
        firmware=firmware,
        intrinsics=_lens(color),
        depth_scale=device.first_depth_sensor().get_depth_scale(),
        fps=float(color.fps()),
        T_color_depth=tuple(to_vector(extrinsics(depth, color)).tolist()),
    )


def _lens(profile: Any) -> PinholeCamera:
    lens = profile.as_video_stream_profile().get_intrinsics()
    return PinholeCamera(lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy)


def _registration(played: _Recording) -> Any:
    """Moves a depth image into the colour camera; leaves it as it is where it was recorded so."""
    T_color_depth = from_vector(np.array(played.info.T_color_depth))
    if played.depth_lens == played.info.intrinsics and np.allclose(T_color_depth, np.eye(4), atol=1e-9):
        return lambda depth_raw: depth_raw
    lenses = (played.depth_lens, played.info.intrinsics)
    return DepthRegistration(*lenses, T_color_depth, played.info.depth_scale).register


def _images(rs: Any, playback: Any, queue: Any) -> Iterator[tuple[Any, _Image]]:
    """(stream, image) as the sensors deliver them: each in its own order."""
    waited_s = 0.0
    while waited_s < PATIENCE_S:
        ok, frame = queue.try_wait_for_frame(WAIT_MS)
        if not ok:
            if playback.current_status() == rs.playback_status.stopped:
                return
            waited_s += WAIT_MS * 1e-3
            continue
        waited_s = 0.0
        profile = frame.get_profile()
        pixels = np.asanyarray(frame.as_video_frame().get_data())
        if profile.format() == rs.format.bgr8:
            pixels = pixels[..., ::-1]
        image = _Image(frame.get_timestamp(), frame.get_frame_timestamp_domain(), np.array(pixels, order="C"))
        yield profile.stream_type(), image


def _pairs(rs: Any, played: _Recording) -> Iterator[tuple[_Image, _Image]]:
    """(depth, colour) of one moment, in order; an image without a partner is left out."""
    waiting: dict[Any, deque[_Image]] = {s: deque(maxlen=MOST_WAITING) for s in (rs.stream.depth, rs.stream.color)}
    depths, colors = waiting.values()
    apart_ms = PAIR_PERIODS * 1000 / played.info.fps
    for stream, image in played.images:
        waiting[stream].append(image)
        while depths and colors:
            late_ms = depths[0].t_ms - colors[0].t_ms if depths[0].domain == colors[0].domain else 0.0
            if abs(late_ms) < apart_ms:
                yield depths.popleft(), colors.popleft()
            else:
                (depths if late_ms < 0 else colors).popleft()
