"""Check says what is wrong, repair mends it, and nothing that was whole is lost."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildgrasp.errors import SessionError
from wildgrasp.geometry import pose
from wildgrasp.sessions import writer
from wildgrasp.sessions.blobs import Damage, walk
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample
from wildgrasp.sessions.poses import Poses
from wildgrasp.sessions.recording import Recording
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

FRAMES = 20
TABLES = ("frames", "events", "servo", "gaps", "poses", "episodes", "decisions", "transitions")


def fill(session: SessionWriter, make_frame) -> None:
    """A robot's session, in which every kind of record occurs."""
    for i in range(FRAMES):
        frame_id = session.add_frame(make_frame(i))
        session.add_pose("arm", frame_id, pose(t=np.array([i, 0.0, 0.0])))
        session.add_event(GripperEvent(i * 1000, "press" if i % 2 else "release"))
        session.add_servo([ServoSample(i * 1000 + j, 1 - j / 3, 0.0, 0.0) for j in range(3)])
        if i % 5 == 0:
            ref = session.add_array(i, {"values": np.arange(4.0) + i})
            row = {"episode_id": 1, "step": i, "frame_id": frame_id, "file": ref.file, "offset": ref.offset}
            session.insert("decisions", row)
    session.add_gap(Gap("camera", 3, 4, "test", 1))
    session.insert("episodes", {"id": 1, "outcome": "held", "success": 1})
    session.insert("transitions", {"episode_id": 1, "t_ns": 4, "state": "closing", "reason": "near"})


def dump(path) -> dict[str, list]:
    with Session(path) as session:
        tables = {name: [tuple(r.values()) for r in session.db.query(f"SELECT * FROM {name}")] for name in TABLES}
        return tables | {"meta": {k: v for k, v in session.meta.items() if k not in ("repaired", "cut_off")}}


@pytest.fixture
def session(tmp_path, camera_info, make_frame, monkeypatch):
    """A closed session of several chunks."""
    monkeypatch.setattr(writer, "CHUNK_BYTES", 8000)
    with SessionWriter(tmp_path / "s", camera_info, {"task": "cups"}) as out:
        fill(out, make_frame)
    assert len(list((tmp_path / "s" / "blobs").iterdir())) > 2
    return tmp_path / "s"


def statuses(path) -> Status:
    return check_session(path).status


def test_a_whole_session_is_good(session):
    report = check_session(session, deep=True)
    assert (report.status, report.frames, report.events, report.servo_samples) == (Status.GOOD, 20, 20, 60)


def lose_index(path):
    (path / "index.sqlite").unlink()


def tear_index(path):
    index = path / "index.sqlite"
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def scribble_index(path):
    index = path / "index.sqlite"
    data = bytearray(index.read_bytes())
    data[4096 : len(data) - 100] = bytes(len(data) - 4196)
    index.write_bytes(data)


def forget_a_frame(path):
    with sqlite3.connect(path / "index.sqlite") as db:
        db.execute("DELETE FROM frames WHERE id = 19")


def forget_an_episode(path):
    with sqlite3.connect(path / "index.sqlite") as db:
        db.execute("DELETE FROM episodes")


def forge_meta(path):
    with sqlite3.connect(path / "index.sqlite") as db:
        db.execute("UPDATE meta SET value = '\"plates\"' WHERE key = 'task'")


@pytest.mark.parametrize(
    "harm", [lose_index, tear_index, scribble_index, forget_a_frame, forget_an_episode, forge_meta]
)
def test_any_harm_to_the_index_is_found_and_mended(session, harm):
    before = dump(session)
    blobs = {p.name: p.read_bytes() for p in (session / "blobs").iterdir()}
    harm(session)
    assert statuses(session) is Status.REPAIRABLE
    harmed = (session / "index.sqlite").read_bytes() if harm is not lose_index else None
    report = repair_session(session)
    assert (report.frames, report.lost_frames, report.damaged_bytes) == (FRAMES, 0, 0)
    assert dump(session) == before
    assert check_session(session, deep=True).status is Status.GOOD
    assert {p.name: p.read_bytes() for p in (session / "blobs").iterdir()} == blobs
    if harmed is not None:
        assert (report.kept / "index.sqlite").read_bytes() == harmed  # the original stands beside it


def test_repair_of_a_good_session_changes_nothing_of_it(session):
    before = dump(session)
    assert repair_session(session).kept == session / "before-repair-1"
    assert repair_session(session).kept == session / "before-repair-2"
    assert dump(session) == before


def test_repair_keeps_what_processing_found(session):
    with Session(session) as open_session, open_session.edit() as edit:
        ids = np.arange(FRAMES)
        T = np.repeat(np.eye(4)[None], FRAMES, axis=0)
        edit.set_poses("tracking", Poses(ids, T, ["ok"] * FRAMES, np.zeros(FRAMES)))
        for seed in range(2):
            ref = edit.add_mask(np.random.default_rng(seed).random((24, 32)) > 0.5)
            edit.execute("INSERT INTO masks (kind, file, offset) VALUES ('object', ?, ?)", (ref.file, ref.offset))
    forget_an_episode(session)
    assert repair_session(session).processing_kept
    with Session(session) as open_session:
        assert len(open_session.poses("tracking").frame_ids) == FRAMES
        assert open_session.db["masks"].count == 2
    damage_at(session / "blobs" / "derived.wgb", ref.offset + 30)
    assert statuses(session) is Status.REPAIRABLE
    repair_session(session)
    with Session(session) as open_session:
        assert open_session.db["masks"].count == 1  # the damaged one is gone, the other is still there
    assert statuses(session) is Status.GOOD


# --- damage to the blobs ---


def damage_at(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def test_a_damaged_frame_is_left_out_and_listed(session):
    with Session(session) as open_session:
        ref = open_session._frame_refs[7]
    damage_at(session / "blobs" / ref.file, ref.offset + 60)
    assert statuses(session) is Status.REPAIRABLE
    report = repair_session(session)
    assert (report.frames, report.lost_frames) == (FRAMES - 1, 1)
    with Session(session) as repaired:
        assert [f.depth_raw[0, 0] for f in repaired.frames()] == [i for i in range(FRAMES) if i != 7]
        # Poses and decisions still belong to their frames, under their new numbers.
        poses = repaired.poses("arm")
        positions = dict(zip(poses.frame_ids.tolist(), poses.T_world_camera[:, 0, 3], strict=True))
        assert all(repaired.frame(i).depth_raw[0, 0] == x for i, x in positions.items())
        for row in repaired.db.query("SELECT * FROM decisions"):
            assert repaired.frame(row["frame_id"]).depth_raw[0, 0] == row["step"]
        assert [(g.source, g.lost_frames) for g in repaired.gaps()] == [("camera", 1), ("disk", 1)]
    assert statuses(session) is Status.GOOD  # known damage is no news


def test_a_missing_chunk_is_said_and_the_rest_kept(session):
    (session / "blobs" / "000001.wgb").unlink()
    report = check_session(session)
    assert report.status is Status.BROKEN
    assert any("000001.wgb" in finding.text for finding in report.findings)
    repaired = repair_session(session)
    assert repaired.frames == FRAMES - repaired.lost_frames
    with Session(session) as open_session:
        assert all(f.depth_raw[0, 0] < FRAMES for f in open_session.frames())


def test_without_the_camera_nothing_can_be_done(session):
    damage_at(session / "blobs" / "000000.wgb", 30)
    assert statuses(session) is Status.BROKEN
    with pytest.raises(SessionError, match="cannot be repaired"):
        repair_session(session)


@pytest.fixture
def killed(tmp_path, camera_info, make_frame):
    """A session whose index is behind its blobs, as after a kill."""
    out = SessionWriter(tmp_path / "killed", camera_info)
    fill(out, make_frame)
    out.abandon()
    return tmp_path / "killed"


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_repair_keeps_every_whole_record_of_a_cut_session(killed, data):
    path = killed.with_name("cut")
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(killed, path)
    chunk = path / "blobs" / "000000.wgb"
    camera_end = next(offset for i, (offset, _) in enumerate(walk(chunk)) if i == 1)
    cut = data.draw(st.integers(camera_end, chunk.stat().st_size))
    chunk.write_bytes(chunk.read_bytes()[:cut])
    if data.draw(st.booleans()):
        for file in path.glob("index.sqlite*"):
            file.unlink()
    whole = [record for _, record in walk(chunk) if not isinstance(record, Damage)]
    repair_session(path)
    with Session(path) as session:
        assert len(session) == sum(record.kind == 2 for record in whole)
        assert len(session.events()) == sum(record.kind == 3 for record in whole)
        assert len(session.servo()) == 3 * sum(record.kind == 4 for record in whole)
        assert all(frame.depth_raw[0, 0] == i for i, frame in enumerate(session.frames()))
    assert statuses(path) is Status.GOOD


def test_a_torn_write_ahead_log_is_no_obstacle(tmp_path, camera_info, make_frame):
    out = SessionWriter(tmp_path / "s", camera_info)
    fill(out, make_frame)
    shutil.copytree(tmp_path / "s", tmp_path / "killed")  # the folder as a power cut leaves it
    out.close()
    wal = tmp_path / "killed" / "index.sqlite-wal"
    wal.write_bytes(wal.read_bytes()[:-777])
    wal_bytes = wal.read_bytes()
    shutil.copytree(tmp_path / "killed", tmp_path / "untouched")
    with Session(tmp_path / "killed") as session:
        assert not session.closed
        assert len(session) <= FRAMES
    assert statuses(tmp_path / "killed") is Status.REPAIRABLE
    report = repair_session(tmp_path / "killed")
    assert report.frames == FRAMES
    with Session(tmp_path / "killed") as session:
        assert session.meta["cut_off"] is True
    untouched = tmp_path / "untouched"
    kept = repair_session(untouched).kept
    assert (kept / wal.name).read_bytes() == wal_bytes  # the original, write-ahead log and all
    assert statuses(tmp_path / "killed") is Status.GOOD


def test_a_session_under_recording_is_left_alone(tmp_path, camera_info, make_frame):
    out = SessionWriter(tmp_path / "s", camera_info)
    out.add_frame(make_frame(0))
    for act in (check_session, repair_session):
        with pytest.raises(SessionError, match="being recorded"):
            act(tmp_path / "s")
    out.close()
    assert statuses(tmp_path / "s") is Status.GOOD


def test_a_repair_that_fails_changes_nothing(session, monkeypatch):
    forget_a_frame(session)
    before = {p: p.read_bytes() for p in session.rglob("*") if p.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wildgrasp.sessions.repair._put_in_place", full)
    with pytest.raises(SessionError, match="as it was before"):
        repair_session(session)
    assert {p: p.read_bytes() for p in session.rglob("*") if p.is_file()} == before


# --- notes on what was recorded ---


def test_unlisted_pauses_and_unanswered_presses_are_told(tmp_path, camera_info, make_frame, make_gripper):
    still = [ServoSample(t, 0.9, 0.0, 0.0) for t in range(0, 2_000_000_000, 100_000_000)]
    gripper = make_gripper([], [GripperEvent(50_000_000, "press"), *still])
    recording = Recording(tmp_path / "s", camera_info, gripper)
    for i in (0, 1, 2, 30):
        recording.accept(make_frame(i))
    recording.drain()
    recording.close()
    report = check_session(tmp_path / "s")
    assert report.status is Status.GOOD
    texts = " ".join(finding.text for finding in report.findings)
    assert "27 frames were lost" in texts
    assert "1 of 1 presses" in texts


def test_times_that_go_backwards_are_broken(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info) as out:
        out.add_frame(make_frame(5))
        out.add_frame(make_frame(3))
    assert statuses(tmp_path / "s") is Status.BROKEN
