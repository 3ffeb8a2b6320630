"""The synchronous core: what is counted, what is a gap, what of the gripper is kept."""

from __future__ import annotations

import pytest

from wildgrasp.geometry import from_vector
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample
from wildgrasp.sessions.recording import Recording
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter


def test_frames_and_gripper_become_one_session(tmp_path, camera_info, make_frame, make_gripper):
    old = [GripperEvent(1, "press")]
    said = [GripperEvent(2, "press"), ServoSample(3, 0.5, 0.0, 0.0), GripperEvent(4, "release")]
    gripper = make_gripper(old, said)
    recording = Recording(tmp_path / "s", camera_info, gripper, {"participant": "p7"})
    assert [recording.accept(make_frame(i)) for i in range(3)] == [0, 1, 2]
    recording.drain()
    recording.mark()
    summary = recording.close()
    assert recording.close() is summary
    assert (summary.frames, summary.events, summary.servo_samples, summary.lost_frames) == (3, 3, 1, 0)
    assert (gripper.started, gripper.stopped) == (1, 0)  # it belongs to whoever made it
    with Session(tmp_path / "s") as session:
        assert [(e.t_ns, e.kind) for e in session.events()] == [
            (2, "press"),
            (4, "release"),
            (make_frame(2).t_host_ns, "mark"),
        ]
        assert session.meta["participant"] == "p7"
        assert session.meta["gripper"] == {"serial": "g1"}
        assert session.meta["health"]["frames"] == 3
        assert session.T_camera_fingertip == pytest.approx(NOMINAL_T_CAMERA_FINGERTIP)


def test_a_calibration_replaces_the_nominal_one(tmp_path, camera_info, make_gripper):
    vector = [0.0, 0.1, 0.2, 0.0, 0.0, 0.0, 1.0]
    Recording(tmp_path / "s", camera_info, make_gripper(), {"T_camera_fingertip": vector}).close()
    with Session(tmp_path / "s") as session:
        assert session.T_camera_fingertip == pytest.approx(from_vector(vector))


def test_missing_frames_become_gaps(tmp_path, camera_info, make_frame):
    recording = Recording(tmp_path / "s", camera_info)
    for i in (0, 1, 4, 5, 7):
        recording.accept(make_frame(i))
    gaps = recording.close().gaps
    assert [(g.source, g.lost_frames) for g in gaps] == [("camera", 2), ("camera", 1)]
    assert gaps[0].t_start_ns == make_frame(1).t_host_ns
    assert gaps[0].t_end_ns == make_frame(4).t_host_ns


def test_frames_known_to_be_lost_are_counted_once(tmp_path, camera_info, make_frame):
    recording = Recording(tmp_path / "s", camera_info)
    recording.accept(make_frame(0))
    recording.note_gap(Gap("queue", make_frame(1).t_host_ns, make_frame(3).t_host_ns, "slow", 3))
    recording.accept(make_frame(4))
    assert recording.close().lost_frames == 3


def test_jitter_is_no_gap(tmp_path, camera_info, make_frame):
    recording = Recording(tmp_path / "s", camera_info)
    for i, late_ns in enumerate((0, 15_000_000, -5_000_000, 10_000_000)):
        recording.accept(make_frame(i, i * 33_333_333 + late_ns))
    assert recording.close().gaps == ()


def test_a_frame_whose_time_does_not_advance_is_counted_and_left_out(tmp_path, camera_info, make_frame):
    recording = Recording(tmp_path / "s", camera_info)
    recording.accept(make_frame(3))
    assert recording.accept(make_frame(2)) is None
    assert recording.accept(make_frame(4)) == 1
    assert recording.close().lost_frames == 1


@pytest.mark.parametrize(("messages", "end"), [([("link_lost", 5), ("link_back", 9)], 9), ([("link_lost", 5)], 99)])
def test_a_lost_link_is_a_gap(tmp_path, camera_info, make_frame, make_gripper, messages, end):
    gripper = make_gripper([], [GripperEvent(t, kind) for kind, t in messages])
    recording = Recording(tmp_path / "s", camera_info, gripper)
    recording.accept(make_frame(0, 99))
    summary = recording.close()
    assert [(g.source, g.t_start_ns, g.t_end_ns) for g in summary.gaps] == [("gripper", 5, end)]


def test_it_records_into_a_writer_too(tmp_path, camera_info, make_frame):
    recording = Recording(SessionWriter(tmp_path / "s", camera_info))
    recording.accept(make_frame(0))
    assert recording.close().path == tmp_path / "s"
    with pytest.raises(ValueError):
        Recording(tmp_path / "other")
