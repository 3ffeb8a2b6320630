"""What does recording cost? The recorder beside librealsense's own, on the same frames at 30 per second.

Each runs in a process of its own. The frames are made before the measurement, and what delivering them costs without
a recorder is measured too and taken off, so what is counted is encoding, copying and writing. librealsense records its
software device (``.db3``), with its own defaults.

    python -m benchmarks.recorder --seconds 300 --json recorder.json
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import cv2
import numpy as np
import tyro

from benchmarks.app import main as measure_app
from benchmarks.clip import HEIGHT, INFO, WIDTH, clip
from benchmarks.twin_frames import twin_frames
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.clocks import MonotonicClock
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.session import Session

FPS = 30
SOURCE_S = 20.0  # the cost of the source alone is measured for this long at most
SETTLE_S = 1.0  # librealsense writes behind; its queue is given this long to empty


@dataclass(frozen=True)
class Cost:
    fps: float
    dropped: int
    # Per 30 frames that were kept, since a busy machine keeps fewer in a second; without what the source costs.
    core_fraction: float
    mb_per_s: float


class LoopingCamera:
    """Frames from memory, on the host's clock."""

    def __init__(self, frames: list[RGBDFrame], count: int) -> None:
        self._frames, self._count, self._next = frames, count, 0
        self._clock = MonotonicClock()

    def open(self) -> CameraInfo:
        self._start_ns = self._clock.now_ns()
        return replace(INFO, depth_scale=self._frames[0].depth_scale)

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        if self._next == self._count:
            raise EOFError
        t_ns = self._start_ns + self._next * 1_000_000_000 // FPS
        self._clock.sleep_until_ns(t_ns)
        frame = self._frames[self._next % len(self._frames)]
        self._next += 1
        return replace(frame, t_host_ns=t_ns)

    def close(self) -> None:
        pass


def measure_recorder(frames: list[RGBDFrame], seconds: float, folder: Path) -> Cost:
    count = round(seconds * FPS)
    recorder = Recorder(LoopingCamera(frames, count), None, folder / "session")
    cpu_s = time.process_time()
    recorder.start()
    recorder.wait_ended()
    summary = recorder.stop()
    cpu_s = time.process_time() - cpu_s
    fps = (summary.frames - 1) / summary.duration_s
    kept = summary.frames
    return Cost(fps, count - kept, cpu_s / kept * FPS, size_of(folder) / 1e6 / kept * FPS)


def measure_source(frames: list[RGBDFrame], seconds: float, folder: Path) -> Cost:
    """What the recorder is given, read by nobody."""
    count = round(seconds * FPS)
    feed = CameraFeed(LoopingCamera(frames, count))
    cpu_s = time.process_time()
    feed.start()
    feed.wait_ended()
    feed.stop()
    return Cost(FPS, 0, (time.process_time() - cpu_s) / count * FPS, 0.0)


def measure_realsense_source(frames: list[RGBDFrame], seconds: float, folder: Path) -> Cost:
    return measure_realsense(frames, seconds, folder, record=False)


def measure_realsense(frames: list[RGBDFrame], seconds: float, folder: Path, record: bool = True) -> Cost:
    import pyrealsense2 as rs

    count = round(seconds * FPS)
    device = rs.software_device()
    depth, color = device.add_sensor("Depth"), device.add_sensor("Color")
    depth_profile = depth.add_video_stream(_stream(rs, rs.stream.depth, 0, rs.format.z16, 2))
    color_profile = color.add_video_stream(_stream(rs, rs.stream.color, 1, rs.format.bgr8, 3))
    depth.add_read_only_option(rs.option.depth_units, frames[0].depth_scale)
    device.create_matcher(rs.matchers.default)
    recorder = rs.recorder(str(folder / "clip.db3"), device) if record else device
    syncer = rs.syncer()
    sensors = recorder.query_sensors()
    images = [(frame.depth_raw, cv2.cvtColor(frame.color, cv2.COLOR_RGB2BGR)) for frame in frames]
    cpu_s, began_s = time.process_time(), time.monotonic()
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(syncer)
    paired = 0
    for number in range(count):
        time.sleep(max(began_s + number / FPS - time.monotonic(), 0))
        pair = images[number % len(images)]
        for sensor, profile, image, size in (
            (depth, depth_profile, pair[0], 2),
            (color, color_profile, pair[1], 3),
        ):
            frame = rs.software_video_frame()
            frame.pixels, frame.stride, frame.bpp = image, WIDTH * size, size
            frame.timestamp, frame.domain = number * 1000 / FPS, rs.timestamp_domain.hardware_clock
            frame.frame_number, frame.profile = number, profile.as_video_stream_profile()
            if size == 2:
                frame.depth_units = frames[0].depth_scale
            sensor.on_video_frame(frame)
        ok, found = syncer.try_wait_for_frames(20)
        paired += bool(ok and found.size() == 2)
    time.sleep(SETTLE_S)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del recorder, sensors, sensor
    gc.collect()  # its file is finished when the recorder goes
    cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began_s - SETTLE_S
    kept = recorded_frames(folder / "clip.db3") if record else count
    return Cost(paired / took_s, count - kept, cpu_s / kept * FPS, size_of(folder) / 1e6 / kept * FPS)


def _stream(rs: Any, kind: Any, uid: int, form: Any, size: int) -> Any:
    lens = rs.intrinsics()
    lens.width, lens.height, lens.ppx, lens.ppy = WIDTH, HEIGHT, INFO.intrinsics.cx, INFO.intrinsics.cy
    lens.fx = lens.fy = INFO.intrinsics.fx
    lens.model = rs.distortion.none
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid, stream.intrinsics = kind, 0, uid, lens
    stream.width, stream.height, stream.fps, stream.bpp, stream.fmt = WIDTH, HEIGHT, FPS, size, form
    return stream


def recorded_frames(file: Path) -> int:
    """Frames that librealsense's file holds: its recorder leaves some out when the machine is busy."""
    sql = """SELECT MIN(n) FROM (SELECT COUNT(*) AS n FROM messages JOIN topics ON topics.id = topic_id
             WHERE name LIKE '%/image/data/%' GROUP BY topic_id)"""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchone()[0]


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _in_own_process(measure: Callable, frames: list[RGBDFrame], seconds: float, folder: Path | None) -> Cost:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="wildgrasp-recorder-", dir=folder) as place:
        child = context.Process(target=lambda: results.put(measure(frames, seconds, Path(place))))
        child.start()
        cost = results.get()
        child.join()
    return cost


def main(
    seconds: float = 300.0,
    source: Literal["d415", "noise"] = "d415",
    session: Path | None = None,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    folder: Path | None = None,
    app: bool = False,
) -> dict[str, float]:
    """Measure both recorders.

    Args:
        seconds: how long each records.
        source: 60 frames that are recorded over and over: what the twin's D415 sees, or a clip whose depth has noise
            in every pixel for itself, the worst that a depth camera could deliver.
        session: take the first 60 frames of a 640x480 session instead.
        json_file: where to write the figures.
        folder: on which disk; default: the temporary one.
        app: measure the touchscreen app instead (`benchmarks.app`).
    """
    if app:
        return measure_app(json_file=json_file)
    if session is None:
        frames = clip(60) if source == "noise" else twin_frames(60)
    else:
        with Session(session) as opened:
            frames = [frame for _, frame in zip(range(60), opened.frames(), strict=False)]
    costs: dict[str, Cost] = {}
    for name, measure, measure_alone in (
        ("wildgrasp", measure_recorder, measure_source),
        ("librealsense", measure_realsense, measure_realsense_source),
    ):
        alone = _in_own_process(measure_alone, frames, min(seconds, SOURCE_S), folder)
        cost = _in_own_process(measure, frames, seconds, folder)
        costs[name] = replace(cost, core_fraction=cost.core_fraction - alone.core_fraction)
    print(f"{'':14}{'fps':>8}{'dropped':>9}{'core':>8}{'MB/s':>8}")
    for name, cost in costs.items():
        print(f"{name:14}{cost.fps:8.2f}{cost.dropped:9d}{cost.core_fraction:8.3f}{cost.mb_per_s:8.2f}")
    ours, theirs = costs["wildgrasp"], costs["librealsense"]
    core, bytes_ = ours.core_fraction / theirs.core_fraction, ours.mb_per_s / theirs.mb_per_s
    print(f"{'ratio':14}{'':17}{core:8.3f}{bytes_:8.3f}")
    figures = asdict(ours) | {
        "rs_recorder_core_fraction": theirs.core_fraction,
        "rs_recorder_mb_per_s": theirs.mb_per_s,
    }
    if json_file is not None:
        json_file.write_text(json.dumps({k: round(float(np.float64(v)), 4) for k, v in figures.items()}, indent=2))
    return figures


if __name__ == "__main__":
    tyro.cli(main)
