"""The threads: nothing waits for the camera's thread, and every end of a recording keeps what there is."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace

import pytest

from wildgrasp.cameras.feed import CameraFeed, FeedConfig
from wildgrasp.errors import CameraError, GripperLinkError, SessionError
from wildgrasp.sessions import recorder as recorder_module
from wildgrasp.sessions import writer as writer_module
from wildgrasp.sessions.blobs import BlobWriter
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import GripperEvent, ServoSample
from wildgrasp.sessions.frames import FrameEncoder
from wildgrasp.sessions.recorder import Recorder, RecorderConfig
from wildgrasp.sessions.recording import Recording
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

QUICK = FeedConfig(retry_s=0.001)


@pytest.fixture
def record(tmp_path):
    """Record a finite camera to its end; returns the summary."""

    def run(camera, gripper=None, **config):
        recorder = Recorder(CameraFeed(camera, QUICK), gripper, tmp_path / "s", config=RecorderConfig(**config))
        recorder.start()
        assert recorder.wait_ended(20)
        return recorder.stop()

    return run


def test_all_frames_of_a_camera_are_recorded_in_order(record, tmp_path, make_camera, make_frame, make_gripper):
    said = [GripperEvent(5, "press"), ServoSample(6, 0.5, 0.0, 0.0)]
    summary = record(make_camera(make_frame(i) for i in range(25)), make_gripper([], said), queue_s=1.0)
    assert (summary.frames, summary.lost_frames, summary.events, summary.servo_samples) == (25, 0, 1, 1)
    assert summary.ended_early == ""
    with Session(tmp_path / "s") as session:
        assert [f.depth_raw[0, 0] for f in session.frames()] == list(range(25))
        assert session.meta["health"]["most_queued"] <= 30
    assert check_session(tmp_path / "s").status is Status.GOOD


def test_the_camera_never_waits_and_drops_are_counted(tmp_path, make_camera, make_frame, monkeypatch):
    gate = threading.Event()
    encode = FrameEncoder.encode

    def blocked(self, frame):
        gate.wait(20)
        return encode(self, frame)

    monkeypatch.setattr(FrameEncoder, "encode", blocked)
    camera = make_camera(make_frame(i) for i in range(40))
    recorder = Recorder(camera, None, tmp_path / "s", config=RecorderConfig(queue_s=5 / 30))
    recorder.start()
    assert recorder.wait_ended(20)  # all 40 were taken from the camera though nothing is encoded yet
    assert recorder.status().lost_frames >= 40 - 7
    gate.set()
    summary = recorder.stop()
    assert summary.frames + summary.lost_frames == 40
    assert summary.frames >= 5
    assert [gap.source for gap in summary.gaps] == ["queue"]
    with Session(tmp_path / "s") as session:
        assert session.gaps()[0].lost_frames == summary.lost_frames


def test_frames_older_than_a_kill_may_cost_are_not_waited_for(tmp_path, make_camera, make_frame, monkeypatch):
    """What may be on its way is bounded in time, not only in number: a slow camera's frames are worth as much."""
    gate, encode = threading.Event(), FrameEncoder.encode
    monkeypatch.setattr(FrameEncoder, "encode", lambda self, frame: gate.wait(20) and encode(self, frame))
    camera = make_camera(make_frame(i, i * 500_000_000) for i in range(10))
    recorder = Recorder(camera, None, tmp_path / "s", config=RecorderConfig(queue_s=0.8))
    recorder.start()
    assert recorder.wait_ended(20)
    assert recorder.status().lost_frames == 8  # 0 s and 0.5 s are on their way, 1 s and what follows is too late
    gate.set()
    assert recorder.stop().frames == 2


def test_a_disk_that_hangs_in_a_sync_costs_no_frame(tmp_path, make_camera, make_frame, monkeypatch):
    hangs, gate, began = BlobWriter.sync, threading.Event(), threading.Event()

    def slow(self):
        if threading.current_thread().name == "sync":
            began.set()
            gate.wait(20)
        hangs(self)

    monkeypatch.setattr(BlobWriter, "sync", slow)

    def frames():
        for i in range(100):
            if i == 10:
                began.wait(20)
            while recorder.status().queued > 5:
                threading.Event().wait(0.001)
            yield make_frame(i)

    recorder = Recorder(make_camera(frames()), None, tmp_path / "s", config=RecorderConfig(sync_s=0.001))
    recorder.start()
    assert recorder.wait_ended(20)
    while recorder.status().frames < 100:  # all are with the operating system while the disk still hangs
        threading.Event().wait(0.001)
    gate.set()
    summary = recorder.stop()
    assert (summary.frames, summary.lost_frames) == (100, 0)
    with Session(tmp_path / "s") as session:
        assert [f.depth_raw[0, 0] for f in session.frames()] == list(range(100))
    assert check_session(tmp_path / "s").status is Status.GOOD


def test_chunks_that_fill_while_the_disk_is_slow_are_all_there(tmp_path, make_camera, make_frame, monkeypatch):
    monkeypatch.setattr(writer_module, "CHUNK_BYTES", 5000)
    config = RecorderConfig(sync_s=0.0001, queue_s=10.0)
    recorder = Recorder(make_camera(make_frame(i) for i in range(60)), None, tmp_path / "s", config=config)
    recorder.start()
    assert recorder.wait_ended(20)
    assert recorder.stop().frames == 60
    assert len(list((tmp_path / "s" / "blobs").iterdir())) > 5
    assert check_session(tmp_path / "s", deep=True).findings == []


def test_a_wall_clock_that_jumps_changes_no_time(tmp_path, make_camera, make_frame, make_gripper, monkeypatch):
    days = itertools.cycle((0, 1e6, -2e6))
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(days))
    monkeypatch.setattr(time, "time_ns", lambda: int(1.7e18 + next(days) * 1e9))
    before = time.monotonic_ns()
    camera = make_camera(make_frame(i, before + i * 33_333_333) for i in range(20))
    recorder = Recorder(camera, make_gripper([], [GripperEvent(before + 5, "press")]), tmp_path / "s")
    recorder.start()
    recorder.mark()
    assert recorder.wait_ended(20)
    assert recorder.stop().gaps == ()
    with Session(tmp_path / "s") as session:
        assert session.times_ns.tolist() == [before + i * 33_333_333 for i in range(20)]
        press, mark = session.events()
        assert press.t_ns == before + 5
        assert before < mark.t_ns < time.monotonic_ns()
        assert all(before < sample.t_ns < time.monotonic_ns() for sample in session.health())


def test_how_it_stood_and_how_it_was_set_is_in_the_session(record, tmp_path, make_camera, make_frame):
    record(make_camera(make_frame(i) for i in range(20)), health_s=0.0)
    with Session(tmp_path / "s") as session:
        samples = session.health()
        assert session.meta["recorder"]["quality"] == 90
        assert session.meta["health"]["most_queued"] == max(sample.most_queued for sample in samples)
    assert samples[-1].frames == 20
    assert all(a.frames <= b.frames and a.t_ns <= b.t_ns for a, b in itertools.pairwise(samples))
    assert samples[-1].free_bytes > 0


def test_a_recording_that_is_cut_off_says_which_gripper_it_was(tmp_path, camera_info, make_frame, make_gripper):
    recording = Recording(tmp_path / "s", camera_info, make_gripper())
    recording.accept(make_frame(0))
    recording.abandon()
    repair_session(tmp_path / "s")
    with Session(tmp_path / "s") as session:
        assert session.meta["gripper"] == {"serial": "g1"}


def test_an_unplugged_camera_comes_back_and_the_gap_is_listed(record, tmp_path, make_camera, make_frame):
    before, after = [make_frame(i) for i in range(5)], [make_frame(i) for i in range(20, 25)]
    camera = make_camera([*before, CameraError("The camera was unplugged."), *after])

    class Unplugged(type(camera)):
        """It cannot be opened three times after it was unplugged."""

        def close(self):
            super().close()
            if self.closed == 1:
                self.refuse_to_open = 3

    camera.__class__ = Unplugged
    summary = record(camera)
    assert summary.frames == 10
    assert camera.opened == 2
    assert any(gap.reason == "The camera was unplugged." for gap in summary.gaps)
    assert summary.lost_frames >= 14
    with Session(tmp_path / "s") as session:
        assert session.meta["health"]["camera_outages"] == 1
        assert [f.depth_raw[0, 0] for f in session.frames()] == [*range(5), *range(20, 25)]


def test_an_unplugged_gripper_costs_no_frame_and_the_gap_is_listed(
    record, tmp_path, make_camera, make_frame, make_gripper
):
    back = [GripperEvent(900, "link_back"), GripperEvent(901, "press"), ServoSample(902, 0.5, 0.0, 0.0)]
    gripper = make_gripper([], [GripperEvent(500, "link_lost")], [], back)
    summary = record(make_camera(make_frame(i) for i in range(25)), gripper, poll_s=0.0001, queue_s=1.0)
    assert (summary.frames, summary.lost_frames, summary.servo_samples) == (25, 0, 1)
    assert [(gap.source, gap.t_start_ns, gap.t_end_ns) for gap in summary.gaps] == [("gripper", 500, 900)]
    with Session(tmp_path / "s") as session:
        assert session.gaps() == list(summary.gaps)
        assert [event.kind for event in session.events()] == ["link_lost", "link_back", "press"]
    assert check_session(tmp_path / "s").status is Status.GOOD


def test_another_camera_is_not_taken_for_the_one_from_before(make_camera, make_frame, camera_info):
    camera = make_camera([make_frame(0), CameraError("unplugged"), make_frame(1)])
    feed = CameraFeed(camera, QUICK)
    feed.open()
    camera._info, seen = replace(camera_info, depth_scale=0.002), threading.Event()
    original = camera.open

    def open_again():
        info = original()
        if camera.opened >= 4:
            seen.set()
        return info

    camera.open = open_again
    feed.start()
    assert seen.wait(20)
    assert not feed.status.connected
    assert "Another camera" in feed.status.problem
    feed.stop()


def test_a_running_feed_goes_on_after_the_recording(tmp_path, make_frame, make_camera):
    wanted = threading.Event()

    def frames():
        for i in range(10_000):
            yield make_frame(i)
            if i % 50 == 0:
                wanted.wait(0.001)

    feed = CameraFeed(make_camera(frames()))
    feed.start()
    recorder = Recorder(feed, None, tmp_path / "s")
    recorder.start()
    recorder.stop()
    assert feed.running
    assert feed.latest is None or feed.latest.depth_raw[0, 0] >= 0
    feed.stop()
    feed.stop()
    assert not feed.status.connected


def test_a_running_camera_is_recorded_while_a_busy_disk_makes_the_files(tmp_path, make_frame, make_camera, monkeypatch):
    """The first frame is the next one after start() was called, however long the files take."""
    seen, making, gate = threading.Event(), threading.Event(), threading.Event()

    class SlowRecording(recorder_module.Recording):
        def __init__(self, *args, **options):
            making.set()
            gate.wait(20)
            super().__init__(*args, **options)

    monkeypatch.setattr(recorder_module, "Recording", SlowRecording)
    numbers = iter(range(8))

    def frames():
        yield make_frame(next(numbers))
        seen.set()  # nobody recorded yet
        making.wait(20)
        for number in numbers:
            yield make_frame(number)
        gate.set()

    feed = CameraFeed(make_camera(frames()))
    feed.start()
    assert seen.wait(20)
    recorder = Recorder(feed, None, tmp_path / "s")
    recorder.start()
    assert recorder.wait_ended(20)
    assert recorder.stop().lost_frames == 0
    with Session(tmp_path / "s") as session:
        assert [f.depth_raw[0, 0] for f in session.frames()] == list(range(1, 8))


def test_marks_are_kept(tmp_path, make_camera, make_frame):
    recorder = Recorder(make_camera([make_frame(0)]), None, tmp_path / "s")
    recorder.start()
    recorder.mark("slipped")
    assert recorder.wait_ended(20)
    summary = recorder.stop()
    assert summary is recorder.stop()
    with Session(tmp_path / "s") as session:
        assert [(e.kind, e.detail) for e in session.events()] == [("mark", "slipped")]


# --- beginnings and ends that fail ---


def test_without_a_camera_nothing_is_left(tmp_path, make_camera):
    camera = make_camera([])
    camera.refuse_to_open = 1
    with pytest.raises(CameraError):
        Recorder(camera, None, tmp_path / "s").start()
    assert not (tmp_path / "s").exists()


def test_without_a_gripper_nothing_is_left(tmp_path, make_camera, make_gripper):
    gripper = make_gripper()

    def missing():
        raise GripperLinkError("No gripper is plugged in.")

    gripper.start = missing
    with pytest.raises(GripperLinkError):
        Recorder(make_camera([]), gripper, tmp_path / "s").start()
    assert not (tmp_path / "s").exists()


def test_an_existing_folder_is_not_touched_and_the_camera_let_go(tmp_path, make_camera):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "blobs").mkdir()
    camera = make_camera([])
    with pytest.raises(SessionError, match="exists already"):
        Recorder(camera, None, tmp_path / "s").start()
    assert camera.closed == 1


def test_a_full_disk_is_said_before_anything_is_made(tmp_path, make_camera):
    config = RecorderConfig(min_free_bytes=1 << 62)
    with pytest.raises(SessionError, match="too little to record"):
        Recorder(make_camera([]), None, tmp_path / "s", config=config).start()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("fail_at", range(1, 8))
def test_a_disk_that_is_full_at_the_beginning_leaves_nothing(tmp_path, make_camera, make_gripper, monkeypatch, fail_at):
    original, calls = BlobWriter.append, itertools.count(1)

    def full(self, *args):
        if next(calls) >= fail_at:
            raise OSError(28, "No space left on device")
        return original(self, *args)

    monkeypatch.setattr(BlobWriter, "append", full)
    camera = make_camera([])
    with pytest.raises(SessionError, match="No space left"):
        Recorder(camera, make_gripper(), tmp_path / "s").start()
    assert not (tmp_path / "s").exists()
    assert camera.closed == 1


def test_a_disk_that_fills_up_ends_the_recording_cleanly(tmp_path, make_camera, make_frame, monkeypatch):
    filling = iter([10**12, 10**12])
    monkeypatch.setattr(
        recorder_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": next(filling, 1000)})
    )
    stop = threading.Event()

    def endless():
        i = 0
        while not stop.is_set():
            yield make_frame(i)
            i += 1
            stop.wait(0.001)

    recorder = Recorder(make_camera(endless()), None, tmp_path / "s", config=RecorderConfig(health_s=0.001))
    recorder.start()
    while recorder.status().recording:
        stop.wait(0.001)
    assert "disk" in recorder.status().problem
    summary = recorder.stop()
    stop.set()
    assert "disk" in summary.ended_early
    assert summary.frames > 0
    with Session(tmp_path / "s") as session:
        assert session.closed
        assert len(session) == summary.frames
    assert check_session(tmp_path / "s").status is Status.GOOD


@pytest.mark.parametrize("fail_at", [1, 2, 5, 17, 40])
@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_disk_that_refuses_costs_no_whole_frame(tmp_path, make_camera, make_frame, monkeypatch, call, fail_at):
    """ENOSPC at the n-th write or fsync: stop() says so, and repair finds every frame that was written before."""
    calls, started = 0, False
    name = {"write": "append", "sync": "sync"}[call]
    original = getattr(BlobWriter, name)

    def failing(self, *args):
        nonlocal calls
        calls += started
        if calls >= fail_at:
            raise OSError(28, "No space left on device")
        return original(self, *args)

    monkeypatch.setattr(BlobWriter, name, failing)
    config = RecorderConfig(sync_s=0.0001, poll_s=0.001)
    recorder = Recorder(make_camera(make_frame(i) for i in range(20)), None, tmp_path / "s", config=config)
    recorder.start()
    started = True
    recorder.wait_ended(20)
    try:
        recorder.stop()
        failed = False
    except SessionError as error:
        failed = True
        assert "No space left" in str(error)
    monkeypatch.undo()
    if failed:
        recorded = recorder.status().frames
        assert repair_session(tmp_path / "s").frames >= recorded
    assert check_session(tmp_path / "s", deep=True).status is Status.GOOD


def test_a_bug_in_an_encoder_reaches_whoever_stops(tmp_path, make_camera, make_frame, monkeypatch):
    def broken(self, frame):
        raise RuntimeError("a bug")

    monkeypatch.setattr(FrameEncoder, "encode", broken)
    recorder = Recorder(make_camera(make_frame(i) for i in range(100)), None, tmp_path / "s")
    recorder.start()
    recorder.wait_ended(20)
    with pytest.raises(RuntimeError, match="a bug"):
        recorder.stop()
    assert check_session(tmp_path / "s").status is Status.GOOD


def test_the_writer_is_let_go_after_an_error(tmp_path, camera_info, make_frame, monkeypatch):
    with pytest.raises(SessionError), SessionWriter(tmp_path / "s", camera_info) as out:
        out.add_frame(make_frame(0))
        monkeypatch.setattr(out._blobs, "append", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        out.add_frame(make_frame(1))
    assert repair_session(tmp_path / "s").frames == 1
