"""The RealSense camera's code, through librealsense's own software device."""

from __future__ import annotations

import contextlib
import gc
import itertools
import sqlite3
import threading
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from digital_twin.demonstrator.handheld import CAMERA, HandheldWorld
from digital_twin.world.d415 import D415, DEPTH_SCALE
from digital_twin.world.gripper_model import CAMERA as INTRINSICS
from wildgrasp.cameras.feed import CameraFeed
from wildgrasp.cameras.realsense import RealSenseCamera, RealSenseConfig, is_pair
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import CameraError
from wildgrasp.geometry import PinholeCamera
from wildgrasp.importers.realsense import import_realsense
from wildgrasp.importers.source import DatasetError
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.session import Session

rs = pytest.importorskip("pyrealsense2")

FPS = 30
SMALL = PinholeCamera(64, 48, 60.0, 60.0, 31.5, 23.5)
CONFIG = RealSenseConfig(width=SMALL.width, height=SMALL.height, fps=FPS, warm_up_frames=0)
OPTIONS = (
    rs.option.exposure,
    rs.option.enable_auto_exposure,
    rs.option.auto_exposure_priority,
    rs.option.global_time_enabled,
)


class SoftwareDevice:
    """A librealsense device that delivers the frames it is given."""

    def __init__(
        self,
        usb: str = "3.2",
        color_format=rs.format.rgb8,
        baseline_m: float = 0.0,
        lens: PinholeCamera = SMALL,
        depth_units: float = 0.001,
    ) -> None:
        self._lens, self._depth_units = lens, depth_units
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, "Synthetic D415")
        self.device.register_info(rs.camera_info.serial_number, "0815")
        self.device.register_info(rs.camera_info.firmware_version, "5.16")
        self.device.register_info(rs.camera_info.usb_type_descriptor, usb)
        self._depth, self._color = self.device.add_sensor("Depth"), self.device.add_sensor("Color")
        self._depth_profile = self._depth.add_video_stream(self._stream(rs.stream.depth, 0, rs.format.z16, 2))
        self._color_profile = self._color.add_video_stream(self._stream(rs.stream.color, 1, color_format, 3))
        self._depth.add_read_only_option(rs.option.depth_units, depth_units)
        for option in OPTIONS:
            values = rs.option_range()
            values.min, values.max, values.step, values.default = 0, 10_000, 1, 1
            self._color.add_option(option, values, True)
        shift = rs.extrinsics()
        shift.rotation, shift.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [baseline_m, 0, 0]
        self._depth_profile.register_extrinsics_to(self._color_profile, shift)
        self.device.create_matcher(rs.matchers.default)
        self._alive: list[np.ndarray] = []  # librealsense reads the pixels later

    def options(self) -> list[float]:
        """Of the colour sensor, in the order of ``OPTIONS``."""
        return [self._color.get_option(option) for option in OPTIONS]

    def push(self, number: int, depth: np.ndarray, color: np.ndarray) -> None:
        for sensor, profile, image, size in (
            (self._depth, self._depth_profile, depth, 2),
            (self._color, self._color_profile, color, 3),
        ):
            self._alive.append(image)
            frame = rs.software_video_frame()
            frame.pixels, frame.stride, frame.bpp = image, self._lens.width * size, size
            frame.timestamp, frame.domain = number * 1000 / FPS, rs.timestamp_domain.hardware_clock
            frame.frame_number, frame.profile = number, profile.as_video_stream_profile()
            if size == 2:
                frame.depth_units = self._depth_units
            sensor.on_video_frame(frame)

    def _stream(self, kind, uid, form, size):
        lens, camera = rs.intrinsics(), self._lens
        lens.width, lens.height, lens.ppx, lens.ppy = camera.width, camera.height, camera.cx, camera.cy
        lens.fx, lens.fy = camera.fx, camera.fy
        lens.model = rs.distortion.none
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = kind, 0, uid
        stream.width, stream.height, stream.fps, stream.bpp, stream.fmt = camera.width, camera.height, FPS, size, form
        stream.intrinsics = lens
        return stream


def images(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A wall whose distance tells the number (librealsense's alignment moves pixels by rounding), and noise."""
    rng = np.random.default_rng(number)
    depth = np.full((SMALL.height, SMALL.width), 1000 + number, np.uint16)
    color = rng.integers(0, 255, (SMALL.height, SMALL.width, 3), dtype=np.uint8)
    return depth, color


def read_all(device: SoftwareDevice, camera: RealSenseCamera, numbers) -> list:
    """librealsense hands out the first pair only when the second is there."""
    frames = []
    for number in numbers:
        device.push(number, *images(number))
        if number != numbers[0]:
            frames.append(camera.read(5.0))
    return frames


def test_it_says_who_it_is_and_delivers_exact_frames():
    device = SoftwareDevice()
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    info = camera.open()
    assert (info.model, info.serial, info.firmware, info.fps) == ("Synthetic D415", "0815", "5.16", 30.0)
    assert (info.intrinsics.fx, info.intrinsics.cx) == (60.0, 31.5)
    assert info.depth_scale == pytest.approx(0.001)
    frames = read_all(device, camera, range(6))
    camera.close()
    assert camera.notices == []
    for frame in frames:
        number = round(frame.t_device_ns * FPS / 1e9)
        depth, color = images(number)
        np.testing.assert_array_equal(frame.color, color)
        np.testing.assert_array_equal(frame.depth_raw, depth)
    assert (np.diff([f.t_host_ns for f in frames]) > 0).all()


def test_colour_that_comes_as_bgr_is_turned():
    device = SoftwareDevice(color_format=rs.format.bgr8)
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    camera.open()
    frame = read_all(device, camera, range(3))[-1]
    camera.close()
    np.testing.assert_array_equal(frame.color, images(round(frame.t_device_ns * FPS / 1e9))[1][..., ::-1])


def test_depth_is_aligned_to_colour():
    device = SoftwareDevice(baseline_m=0.05)
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    info = camera.open()
    np.testing.assert_allclose(info.T_color_depth, [0.05, 0, 0, 0, 0, 0, 1], atol=1e-7)
    depth = np.full((SMALL.height, SMALL.width), 1000, np.uint16)
    depth[:, 30:] = 2000
    for number in range(3):
        device.push(number, depth, np.zeros((SMALL.height, SMALL.width, 3), np.uint8))
    aligned = camera.read(5.0).depth_raw[24]
    camera.close()
    # 60 px · 0.05 m / 1 m = 3 pixels for the near half, 1.5 for the far one.
    assert (aligned[4:32] == 1000).all()
    assert (aligned[34:60] == 2000).all()
    assert aligned[1] == 0


def test_images_of_different_moments_are_no_pair():
    class Image:
        def __init__(self, t_ms, domain=0):
            self.t_ms, self.domain = t_ms, domain

        def get_timestamp(self):
            return self.t_ms

        def get_frame_timestamp_domain(self):
            return self.domain

    class Pair:
        def __init__(self, depth, color):
            self.get_depth_frame, self.get_color_frame = (lambda: depth), (lambda: color)

    assert is_pair(Pair(Image(0.0), Image(16.0)), FPS)
    assert not is_pair(Pair(Image(0.0), Image(33.3)), FPS)
    assert not is_pair(Pair(None, Image(0.0)), FPS)
    assert not is_pair(Pair(Image(0.0), None), FPS)
    assert is_pair(Pair(Image(0.0), Image(1e9, domain=1)), FPS)  # not comparable


def test_a_computer_that_is_late_loses_no_pair():
    device = SoftwareDevice()
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    camera.open()
    for number in range(10):
        device.push(number, *images(number))
    stamps = [round(camera.read(5.0).t_device_ns * FPS / 1e9) for _ in range(9)]
    camera.close()
    assert np.diff(stamps).tolist() == [1] * 8


def test_a_stall_is_said_and_reopening_goes_on():
    device = SoftwareDevice()
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    camera.open()
    with pytest.raises(CameraError, match="Check its cable"):
        camera.read(0.05)
    camera.open()
    assert len(read_all(device, camera, range(3))) == 2
    camera.close()


def test_usb_2_is_said():
    device = SoftwareDevice(usb="2.1")
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    camera.open()
    camera.close()
    assert "USB 3" in camera.notices[0]


def test_the_bus_is_recorded():
    device = SoftwareDevice(usb="2.1")
    camera = RealSenseCamera(CONFIG, lambda: device.device)
    assert camera.open().usb == "2.1"
    camera.close()


@pytest.mark.parametrize(("exposure_us", "expected"), [(None, [1, 1, 0, 0]), (8000, [80, 0, 0, 0])])
def test_exposure_is_automatic_or_fixed_and_never_costs_frames(exposure_us, expected):
    """Also: the stamps are the camera's own, not mapped to the wall clock, which jumps."""
    device = SoftwareDevice()
    camera = RealSenseCamera(replace(CONFIG, exposure_us=exposure_us), lambda: device.device)
    assert camera.open().exposure_us == exposure_us
    camera.close()
    assert device.options() == expected


def test_frames_while_the_exposure_settles_are_left_out():
    device = SoftwareDevice()
    camera = RealSenseCamera(replace(CONFIG, warm_up_frames=5), lambda: device.device)
    pushing, over = threading.Event(), threading.Event()

    def push():
        for number in itertools.count():
            device.push(number, *images(number))
            pushing.set()
            if over.wait(0.005):
                return

    thread = threading.Thread(target=push)
    original = camera._start
    camera._start = lambda found: (original(found), thread.start(), pushing.wait(20))[0]
    camera.open()
    first = camera.read(5.0)
    over.set()
    thread.join()
    camera.close()
    assert first.t_device_ns >= round(5 * 1e9 / FPS)


def test_a_camera_that_stays_dark_while_it_warms_up_is_let_go():
    device = SoftwareDevice()
    camera = RealSenseCamera(replace(CONFIG, warm_up_frames=5, open_timeout_s=0.05), lambda: device.device)
    with pytest.raises(CameraError, match="Check its cable"):
        camera.open()
    with pytest.raises(CameraError, match="not opened"):
        camera.read()


# --- frames of the twin: 640x480, a D415's noise and shadows ---


@pytest.fixture(scope="module")
def twin_frames():
    """Eight (depth, colour) of a hand that rises over a table, in units of 0.1 mm."""
    world = HandheldWorld(0)
    frames = []
    with D415(world.model, CAMERA) as camera:
        for number in range(8):
            T = world.workplace.T_parked
            T[1, 3] += 0.2 + 0.01 * number
            world.command_hand(T)
            world.update((number + 1) * 33_000_000, 0.0, 0.0, 0.0, enabled=False)
            color, depth_raw = camera.render(world.data)
            frames.append((depth_raw, np.ascontiguousarray(color)))
    assert all(0.3 < (depth > 0).mean() < 0.95 for depth, _ in frames)
    return frames


def assert_same(frame, frames) -> None:
    """Colour bit by bit; depth as well as librealsense aligns it: at 3 of 100 pixels rounding leaves a gap, or moves
    the nearer surface over."""
    depth, color = frames[round(frame.t_device_ns * FPS / 1e9)]
    assert (frame.depth_raw == depth).mean() > 0.95
    near = cv2.erode(np.where(depth, depth, np.iinfo(np.uint16).max), np.ones((3, 3)))
    moved = (frame.depth_raw != depth) & (frame.depth_raw > 0)
    assert (frame.depth_raw[moved] >= near[moved]).all()
    np.testing.assert_array_equal(frame.color, color)


def test_the_twins_frames_come_through_at_the_real_size(twin_frames):
    device = SoftwareDevice(lens=INTRINSICS, depth_units=DEPTH_SCALE)
    camera = RealSenseCamera(RealSenseConfig(warm_up_frames=0), lambda: device.device)
    info = camera.open()
    assert (info.intrinsics.width, info.intrinsics.height, info.fps) == (640, 480, 30.0)
    assert info.depth_scale == pytest.approx(DEPTH_SCALE)
    found = []
    for number, frame in enumerate(twin_frames):
        device.push(number, *frame)
        if number:
            found.append(camera.read(5.0))
    camera.close()
    assert len(found) == len(twin_frames) - 1
    for frame in found:
        assert_same(frame, twin_frames)


def test_a_realsense_recording_of_the_twin_becomes_a_session(twin_frames, tmp_path):
    device = partial(SoftwareDevice, lens=INTRINSICS, depth_units=DEPTH_SCALE)
    file = record_db3(device, tmp_path, twin_frames)
    out = import_realsense(file, tmp_path / "s")
    with Session(out) as session:
        assert len(session) == len(twin_frames)
        assert session.camera_info.depth_scale == pytest.approx(DEPTH_SCALE)
        for frame in session.frames():
            depth = twin_frames[round(frame.t_device_ns * FPS / 1e9)][0]
            np.testing.assert_array_equal(frame.depth_raw, depth)
    assert check_session(out, deep=True).status is Status.GOOD


def test_a_mode_that_the_camera_lacks_is_a_clear_error():
    device = SoftwareDevice(usb="2.1")
    camera = RealSenseCamera(RealSenseConfig(width=1280, height=720), lambda: device.device)
    with pytest.raises(CameraError, match=r"1280x720.*USB 3"):
        camera.open()


def test_no_camera_is_a_clear_error():
    with pytest.raises(CameraError, match="serial number none-such"):
        RealSenseCamera(RealSenseConfig(serial="none-such")).open()
    with pytest.raises(CameraError, match="not opened"):
        RealSenseCamera().read()


def test_after_a_stall_the_firmware_is_restarted_and_the_camera_waited_for():
    device, resets, absent = SoftwareDevice(), [], 3

    class Resettable:
        def __getattr__(self, name):
            return getattr(device.device, name)

        def hardware_reset(self):
            resets.append(1)

    def find():
        nonlocal absent
        if resets and absent:
            absent -= 1
            raise CameraError("No RealSense camera is plugged in.")
        return Resettable()

    clock = VirtualClock()
    camera = RealSenseCamera(CONFIG, find, clock)
    camera.open()
    camera._stalled = True
    camera.open()
    camera.close()
    assert (len(resets), absent) == (1, 0)
    assert clock.now_ns() == 4 * 200_000_000


def test_a_recorder_records_it(tmp_path):
    device = SoftwareDevice()
    recorded = threading.Event()

    class Watcher:
        count = 0

        def on_frame(self, frame):
            self.count += 1
            if self.count == 4:
                recorded.set()

        def on_outage(self, gap):
            pass

    feed = CameraFeed(RealSenseCamera(CONFIG, lambda: device.device))
    recorder = Recorder(feed, None, tmp_path / "s")
    recorder.start()
    feed.add_listener(Watcher())
    number = 0
    while not recorded.is_set():
        device.push(number, *images(number))
        number += 1
        recorded.wait(0.005)
    summary = recorder.stop()
    feed.stop()
    with Session(tmp_path / "s") as session:
        assert len(session) == summary.frames >= 4
        assert session.camera_info.serial == "0815"
        for frame in session.frames():
            np.testing.assert_array_equal(frame.depth_raw, images(round(frame.t_device_ns * FPS / 1e9))[0])


# --- recordings of librealsense itself ---


def record_db3(make_device, folder, frames):
    """A recording of librealsense. It leaves out frames when the machine is busy: then once more."""
    for number in range(20):
        file = folder / f"{number}.db3"
        record_once(make_device(), file, frames)
        if fewest(file) == len(frames):
            return file
    raise AssertionError("librealsense never records all frames")


def fewest(file) -> int:
    """Images of the sensor of which there are fewer."""
    sql = """SELECT MIN(n) FROM (SELECT COUNT(*) AS n FROM messages JOIN topics ON topics.id = topic_id
             WHERE name LIKE '%/image/data/%' GROUP BY topic_id)"""
    with contextlib.closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchone()[0]


def record_once(device: SoftwareDevice, file, frames) -> None:
    recorder, syncer = rs.recorder(str(file), device.device), rs.syncer()
    sensors = recorder.query_sensors()
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(syncer)
    for number, frame in enumerate(frames):
        device.push(number, *frame)
        syncer.try_wait_for_frames(50)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del sensor, sensors, recorder
    gc.collect()  # its file is finished when the recorder goes


@pytest.fixture
def recording(tmp_path):
    return record_db3(SoftwareDevice, tmp_path, [images(number) for number in range(20)])


def test_a_realsense_recording_becomes_a_session(recording, tmp_path):
    out = import_realsense(recording, tmp_path / "s")
    with Session(out) as session:
        assert len(session) == 20
        assert session.camera_info.model == "Synthetic D415"
        for frame in session.frames():
            number = round(frame.t_device_ns * FPS / 1e9)
            np.testing.assert_array_equal(frame.depth_raw, images(number)[0])
    assert check_session(out, deep=True).status is Status.GOOD


def test_what_is_no_realsense_recording_is_a_clear_error(tmp_path):
    (tmp_path / "clip.bag").write_text("not a recording")
    with pytest.raises(DatasetError, match="no RealSense recording"):
        import_realsense(tmp_path / "clip.bag", tmp_path / "s")
    with pytest.raises(DatasetError, match="no file"):
        import_realsense(tmp_path / "nowhere.bag", tmp_path / "s")
    assert not (tmp_path / "s").exists()
