"""What a writer was given, a reader finds; and processing adds to it all or nothing."""

from __future__ import annotations

import re
import shutil
import sqlite3
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from wildgrasp.errors import SessionError
from wildgrasp.geometry import pose, so3_exp
from wildgrasp.sessions import schema, writer
from wildgrasp.sessions.blobs import BlobRef, Kind
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample
from wildgrasp.sessions.poses import Poses
from wildgrasp.sessions.recorder import Recorder
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

EVENTS = [GripperEvent(5, "press", 100, "x"), GripperEvent(9, "release")]
SERVO = [ServoSample(6, 0.5, -0.1, 0.2, 31.0, 12.1, True, 0), ServoSample(7, 0.4, 0.0, 0.0)]
GAP = Gap("camera", 10, 20, "unplugged", 3)
HEALTH = HealthSample(30, 20, 3, 4, 12.5, 10**9)


def record(path, info, frames, **kwargs):
    with SessionWriter(path, info, {"task": "cups"}, **kwargs) as session:
        for frame in frames:
            session.add_frame(frame)
        for event in EVENTS:
            session.add_event(event)
        session.add_servo(SERVO)
        session.add_gap(GAP)
        session.add_health(HEALTH)
    return path


def test_everything_comes_back(tmp_path, camera_info, make_frame):
    frames = [make_frame(i) for i in range(40)]
    with Session(record(tmp_path / "s", camera_info, frames, quality=100)) as session:
        assert session.camera_info == camera_info
        assert session.meta["task"] == "cups"
        assert session.closed
        assert len(session) == 40
        np.testing.assert_array_equal(session.times_ns, [f.t_host_ns for f in frames])
        for found, given in zip(session.frames(), frames, strict=True):
            np.testing.assert_array_equal(found.depth_raw, given.depth_raw)
            np.testing.assert_array_equal(found.color, given.color)
            assert (found.t_host_ns, found.t_device_ns) == (given.t_host_ns, given.t_device_ns)
        assert session.events() == EVENTS
        assert session.servo() == SERVO
        assert session.gaps() == [GAP]
        assert session.health() == [HEALTH]
        assert session.poses("recorded") is None
        assert session.T_camera_fingertip is None
        assert session.T_tool_camera is None


def test_cameras_and_calibrations_come_back(tmp_path, camera_info):
    vector = [0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0]
    info = replace(camera_info, T_color_depth=tuple(vector), usb="2.1", exposure_us=8000, readout_s=0.016)
    SessionWriter(tmp_path / "s", info, {"T_camera_fingertip": vector, "T_tool_camera": vector}).close()
    with Session(tmp_path / "s") as session:
        assert session.camera_info == info
        for T in (session.T_camera_fingertip, session.T_tool_camera):
            np.testing.assert_allclose(T, pose(t=np.array(vector[:3])))


def test_a_closed_session_is_an_index_and_its_chunks(tmp_path, camera_info, make_frame, monkeypatch):
    monkeypatch.setattr(writer, "CHUNK_BYTES", 5000)
    path = record(tmp_path / "s", camera_info, [make_frame(i) for i in range(20)])
    names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    assert names[-1] == "index.sqlite"
    assert len(names) > 3
    assert names[:-1] == [f"blobs/{i:06d}.wgb" for i in range(len(names) - 1)]
    with Session(path) as session:
        assert [f.depth_raw[0, 0] for f in session.frames()] == list(range(20))


def test_robot_rows_and_poses_come_back(tmp_path, camera_info, make_frame):
    T = pose(so3_exp(np.array([0.1, 0.2, 0.3])), np.array([1.0, 2.0, 3.0]))
    with SessionWriter(tmp_path / "s", camera_info) as session:
        frame_id = session.add_frame(make_frame(0))
        session.add_pose("arm", frame_id, T, sigma_m=0.001)
        episode = session.insert("episodes", {"outcome": "held", "success": np.int64(1)})
        ref = session.add_array(7, {"values": np.arange(35.0)})
        decision = {"episode_id": episode, "frame_id": frame_id, "file": ref.file, "offset": ref.offset}
        session.insert("decisions", decision)
        with pytest.raises(ValueError):
            session.insert("frames", {"id": 9})
        with pytest.raises(ValueError):
            session.insert("episodes", {"id) VALUES (1); DROP TABLE frames; --": 9})
    with Session(tmp_path / "s") as session:
        poses = session.poses("arm")
        np.testing.assert_allclose(poses.T_world_camera, [T], atol=1e-12)
        assert (poses.status, poses.sigma_m.tolist()) == (["ok"], [0.001])
        row = next(session.db.query("SELECT * FROM decisions"))
        assert row["episode_id"] == episode
        np.testing.assert_array_equal(session.read_arrays(ref)["values"], np.arange(35.0))


def test_a_session_is_never_overwritten(tmp_path, camera_info, make_frame):
    path = record(tmp_path / "s", camera_info, [make_frame(0)])
    with pytest.raises(SessionError, match="exists already"):
        SessionWriter(path, camera_info)
    with Session(path) as session:
        assert len(session) == 1


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path, camera_info):
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="cannot be created"):
        SessionWriter(tmp_path / "file" / "s", camera_info)


# --- processing ---


def trajectory(n: int) -> Poses:
    T = np.repeat(np.eye(4)[None], n, axis=0)
    T[:, 0, 3] = np.arange(n)
    return Poses(np.arange(n), T, ["ok"] * n, np.full(n, 0.01))


def test_an_edit_is_kept_whole(tmp_path, camera_info, make_frame):
    path = record(tmp_path / "s", camera_info, [make_frame(i) for i in range(3)])
    mask = np.eye(24, 32, dtype=bool)
    with Session(path) as session, session.edit() as edit:
        edit.set_poses("tracking", trajectory(3))
        ref = edit.add_mask(mask)
        edit.execute("INSERT INTO masks (kind, file, offset) VALUES ('gripper', ?, ?)", (ref.file, ref.offset))
    with Session(path) as session, session.edit() as edit:
        edit.set_poses("tracking", trajectory(2))  # replaces
        arrays = edit.add_arrays({"a": np.arange(4)})
    with Session(path) as session:
        assert len(session.poses("tracking").frame_ids) == 2
        np.testing.assert_array_equal(session.read_mask(ref), mask)
        np.testing.assert_array_equal(session.read_arrays(arrays)["a"], np.arange(4))


def test_an_edit_that_fails_leaves_no_trace(tmp_path, camera_info, make_frame):
    path = record(tmp_path / "s", camera_info, [make_frame(0)])
    with Session(path) as session, session.edit() as edit:
        edit.add_mask(np.eye(24, 32, dtype=bool))
    before = (path / "blobs" / "derived.wgb").read_bytes()
    with Session(path) as session, pytest.raises(ZeroDivisionError), session.edit() as edit:
        edit.set_poses("tracking", trajectory(1))
        edit.add_mask(np.ones((24, 32), bool))
        raise ZeroDivisionError
    assert (path / "blobs" / "derived.wgb").read_bytes() == before
    with Session(path) as session:
        assert session.poses("tracking") is None


def test_two_edits_at_once_are_refused(tmp_path, camera_info, make_frame):
    path = record(tmp_path / "s", camera_info, [make_frame(0)])
    with Session(path) as one, Session(path) as other, one.edit():
        other._connection.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(SessionError, match="cannot be changed now"), other.edit():
            pass


# --- versions ---


FROZEN = Path(__file__).parent / "frozen" / "session-1"  # written by the first version, and never changed


@pytest.fixture
def oldest(tmp_path):
    return Path(shutil.copytree(FROZEN, tmp_path / "oldest"))


def holds_what_the_first_version_wrote(path, make_frame) -> None:
    with Session(path) as session:
        assert session.db.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
        assert (session.meta["participant"], session.meta["task"]) == ("p7", "cups")
        for i, frame in enumerate(session.frames()):
            np.testing.assert_array_equal(frame.depth_raw, make_frame(i).depth_raw)
            assert np.abs(frame.color.astype(int) - make_frame(i).color).max() <= 2  # a JPEG
        assert len(session) == 3
        assert session.events() == [GripperEvent(5, "press", 100, "x")]
        assert session.servo() == [ServoSample(6, 0.5, -0.1, 0.2, 31.0, 12.1, True, 0)]
        assert session.gaps() == [Gap("camera", 10, 20, "unplugged", 3)]
        np.testing.assert_allclose(session.poses("recorded").T_world_camera[:, 0, 3], [0, 1, 2])
        assert session.health() == []
        mask = next(session.db.query("SELECT file, offset FROM masks"))
        np.testing.assert_array_equal(session.read_mask(BlobRef(**mask)), np.eye(24, 32, dtype=bool))
        assert next(session.db.query("SELECT outcome FROM episodes"))["outcome"] == "held"


def test_a_session_of_the_first_version_is_read_checked_and_repaired(oldest, make_frame):
    assert sqlite3.connect(oldest / "index.sqlite").execute("PRAGMA user_version").fetchone() == (1,)
    holds_what_the_first_version_wrote(oldest, make_frame)  # which migrates it
    holds_what_the_first_version_wrote(oldest, make_frame)
    assert check_session(oldest, deep=True).status is Status.GOOD
    (oldest / "index.sqlite").write_bytes((FROZEN / "index.sqlite").read_bytes())
    repair_session(oldest)
    holds_what_the_first_version_wrote(oldest, make_frame)
    assert check_session(oldest, deep=True).status is Status.GOOD


def test_every_version_is_migrated_to_what_is_made_anew(oldest, tmp_path, camera_info):
    SessionWriter(tmp_path / "new", camera_info).close()
    with Session(oldest) as old, Session(tmp_path / "new") as new:
        tables = {table.name: table.columns_dict for table in new.db.tables}
        assert {table.name: table.columns_dict for table in old.db.tables} == tables


def test_a_migration_that_fails_changes_nothing(oldest, monkeypatch):
    before = (oldest / "index.sqlite").read_bytes()
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(schema, "MIGRATIONS", {1: schema.HEALTH, 2: "DROP TABLE nowhere"})
    with pytest.raises(SessionError, match="damaged"):
        Session(oldest)
    assert (oldest / "index.sqlite").read_bytes() == before


def test_a_newer_format_is_refused_whatever_is_left_of_the_session(tmp_path, camera_info, make_frame, monkeypatch):
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 99)
    path = record(tmp_path / "s", camera_info, [make_frame(0)])
    with sqlite3.connect(path / "index.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    monkeypatch.undo()
    for read in (Session, check_session, repair_session):
        with pytest.raises(SessionError, match="newer WildGrasp"):
            read(path)
    (path / "index.sqlite").unlink()
    for read in (check_session, repair_session):  # the records say it too
        with pytest.raises(SessionError, match="newer WildGrasp"):
            read(path)


def test_an_unclosed_session_opens_and_shows_what_was_committed(tmp_path, camera_info, make_frame):
    session = SessionWriter(tmp_path / "s", camera_info)
    for i in range(20):
        session.add_frame(make_frame(i))
    with Session(tmp_path / "s") as reading:  # while it is being recorded
        assert len(reading) == 15
        assert not reading.closed
        assert reading.frame(14).depth_raw[0, 0] == 14
    session.close()
    with Session(tmp_path / "s") as reading:
        assert len(reading) == 20


# --- the reference page ---

PAGE = (Path(__file__).parents[2] / "docs" / "session-format.md").read_text()


def test_the_page_lists_every_table_with_its_columns(tmp_path, camera_info):
    SessionWriter(tmp_path / "s", camera_info).close()
    with Session(tmp_path / "s") as session:
        tables = {table.name: list(table.columns_dict) for table in session.db.tables}
    listed = re.findall(r"^\| `(\w+)` \| `([\w, ]+)` \|", PAGE, re.MULTILINE)
    assert {name: columns.split(", ") for name, columns in listed} == tables


def test_the_page_lists_the_kinds_of_records_and_the_version():
    kinds = {int(number): name for number, name in re.findall(r"^\| (\d) \| ([A-Z]+) \|", PAGE, re.MULTILINE)}
    assert kinds == {kind.value: kind.name for kind in Kind}
    assert f"(version {schema.SCHEMA_VERSION})" in PAGE
    for kind, message in ((Kind.EVENT, GripperEvent), (Kind.SERVO, ServoSample), (Kind.HEALTH, HealthSample)):
        names = ", ".join(field.name for field in fields(message))
        assert re.search(rf"\| {kind.name} \| JSON.*`{names}`", PAGE), kind


def test_every_key_that_a_recording_writes_is_on_the_page(tmp_path, make_camera, make_frame, make_gripper):
    recorder = Recorder(make_camera([make_frame(0)]), make_gripper(), tmp_path / "s")
    recorder.start()
    recorder.wait_ended(20)
    recorder.stop()
    with Session(tmp_path / "s") as session:
        keys, health = set(session.meta), set(session.meta["health"])
    assert keys <= set(re.findall(r"`(\w+)`", PAGE))
    assert all(name in PAGE for name in health)
