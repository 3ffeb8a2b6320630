"""Every invariant of a session, violated: each is found, named, and given its verdict."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import numpy as np
import pytest

from wildgrasp import cli
from wildgrasp.sessions.blobs import BlobWriter, Kind, walk
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import Gap, GripperEvent, HealthSample, ServoSample
from wildgrasp.sessions.frames import FrameEncoder
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

FRAMES = 10
PERIOD_NS = 33_333_333


def fill(out: SessionWriter, make_frame) -> None:
    for i in range(FRAMES):
        frame_id = out.add_frame(make_frame(i))
        out.add_pose("arm", frame_id, np.eye(4))
    out.add_event(GripperEvent(PERIOD_NS, "press"))
    out.add_event(GripperEvent(5 * PERIOD_NS, "release"))
    out.add_servo([ServoSample(i * PERIOD_NS, 1.0 - i / 20, 0.0, 0.0) for i in range(FRAMES)])
    out.add_health(HealthSample(PERIOD_NS, 2, 0, 1, 3.0, 10**9))
    out.insert("episodes", {"id": 1, "outcome": "held"})
    out.set_meta("health", {"frames": FRAMES, "lost_frames": 0})


@pytest.fixture
def session(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info, {"task": "cups"}) as out:
        fill(out, make_frame)
        ref = out.add_array(0, {"values": np.arange(3.0)})
        out.insert("decisions", {"episode_id": 1, "frame_id": 3, "file": ref.file, "offset": ref.offset})
    with Session(tmp_path / "s") as opened, opened.edit() as edit:
        mask = edit.add_mask(np.eye(24, 32, dtype=bool))
        insert = "INSERT INTO masks (kind, frame_id, file, offset) VALUES ('object', 2, ?, ?)"
        edit.execute(insert, (mask.file, mask.offset))
    return tmp_path / "s"


def sql(path, statement, *parameters):
    with contextlib.closing(sqlite3.connect(path / "index.sqlite", isolation_level=None)) as db:
        db.execute(statement, parameters)


def texts(path) -> str:
    return " ".join(finding.text for finding in check_session(path, deep=True).findings)


def test_nothing_is_found_in_a_whole_session(session):
    report = check_session(session, deep=True)
    assert (report.status, report.findings) == (Status.GOOD, [])
    assert (report.frames, report.events, report.servo_samples) == (FRAMES, 2, FRAMES)


# --- the index says something else than the records ---

FORGED = {
    "UPDATE frames SET t_ns = t_ns + 1 WHERE id = 4": "lists 10 frames",
    "UPDATE frames SET t_device_ns = 0 WHERE id = 4": "lists 10 frames",
    "UPDATE frames SET offset = (SELECT offset FROM frames WHERE id = 3) WHERE id = 4": "lists 10 frames",
    "DELETE FROM frames WHERE id = 9": "lists 9 frames",
    "UPDATE events SET t_ns = t_ns + 1 WHERE kind = 'press'": "events",
    "UPDATE events SET kind = 'mark' WHERE kind = 'press'": "events",
    "DELETE FROM events WHERE kind = 'release'": "events",
    "UPDATE servo SET opening = 0.0 WHERE id = 3": "readings of the servo",
    "DELETE FROM health": "health samples",
    "INSERT INTO gaps VALUES (9, 'camera', 1, 2, '', 0)": "gaps",
    "UPDATE meta SET value = '\"plates\"' WHERE key = 'task'": "device, person or task",
    "DELETE FROM meta WHERE key = 'health'": "device, person or task",
    "DELETE FROM episodes": "1 recorded rows of episodes",
    "UPDATE episodes SET outcome = 'empty'": "1 rows of episodes in the index are not what was recorded",
    "UPDATE poses SET x = 5 WHERE frame_id = 2": "1 rows of poses in the index",
    "DELETE FROM poses WHERE frame_id = 2": "1 recorded rows of poses",
    "INSERT INTO poses (source, frame_id, status) VALUES ('tracking', 77, 'ok')": "frames that do not exist",
    "UPDATE masks SET frame_id = 77": "frames that do not exist",
    "UPDATE masks SET offset = 5": "rows of masks point to data",
    "UPDATE masks SET file = '../x.wgb'": "rows of masks point to data",
    "INSERT INTO attempts (frame_start) VALUES (-1)": "frames that do not exist",
    "DELETE FROM meta WHERE key = 'closed'": "never closed",
    "DROP TABLE servo": "no such table",
}


@pytest.mark.parametrize("statement", FORGED)
def test_an_index_that_is_not_what_was_recorded_is_found_and_mended(session, statement):
    sql(session, statement)
    assert check_session(session).status is Status.REPAIRABLE
    assert FORGED[statement] in texts(session)
    repair_session(session)
    assert check_session(session, deep=True).status is Status.GOOD


# --- the records themselves are wrong ---


def append(path, kind: Kind, value) -> None:
    out = BlobWriter(path / "blobs" / "000000.wgb")
    out.append(kind, 0, json.dumps(value).encode())
    out.close()


def frame_that_goes_back(path, make_frame):
    add_frame(path, make_frame(FRAMES, 0))


def frame_without_depth_of_its_size(path, make_frame):
    frame = FrameEncoder().encode(make_frame(FRAMES))
    small = FrameEncoder()._depth.encode(np.ones((2, 2), np.uint16))
    write_frame(
        path, frame.t_host_ns, (frame.payload(FRAMES)[0][:-4] + len(small).to_bytes(4, "little"), frame.color, small)
    )


def frame_that_cannot_be_decoded(path, make_frame):
    frame = FrameEncoder().encode(make_frame(FRAMES))
    depth = bytearray(frame.depth)
    depth[-8:] = bytes(8)
    write_frame(path, frame.t_host_ns, (*frame.payload(FRAMES)[:2], bytes(depth)))


def add_frame(path, frame):
    encoded = FrameEncoder().encode(frame)
    write_frame(path, encoded.t_host_ns, encoded.payload(FRAMES))


def write_frame(path, t_ns, payload):
    out = BlobWriter(path / "blobs" / "000000.wgb")
    ref = out.append(Kind.FRAME, t_ns, *payload)
    out.close()
    device_ns = int.from_bytes(payload[0][4:12], "little")
    sql(path, "INSERT INTO frames VALUES (?,?,?,?,?)", FRAMES, t_ns, device_ns, ref.file, ref.offset)


def servo_that_goes_back(path, make_frame):
    append(path, Kind.SERVO, [vars(ServoSample(-2_000_000_000, 0.5, 0.0, 0.0))])


def gap_that_ends_before_it_starts(path, make_frame):
    append(path, Kind.GAP, vars(Gap("camera", 9, 5, "", 0)))


def last_chunk_gone(path, make_frame):
    sql(path, "UPDATE frames SET file = '000001.wgb' WHERE id > 5")


def first_chunk_gone(path, make_frame):
    (path / "blobs" / "000000.wgb").rename(path / "blobs" / "000001.wgb")


WRONG = {
    frame_that_goes_back: "time of 1 frames does not advance",
    frame_that_cannot_be_decoded: "1 frames hold images that cannot be decoded",
    servo_that_goes_back: "1 readings of the servo goes backwards",
    gap_that_ends_before_it_starts: "1 gaps end before they start",
    last_chunk_gone: "000001.wgb is missing",
    first_chunk_gone: "000000.wgb is missing",
}


@pytest.mark.parametrize("harm", WRONG)
def test_records_that_break_an_invariant_are_broken(session, make_frame, harm):
    harm(session, make_frame)
    assert check_session(session, deep=True).status is Status.BROKEN
    assert WRONG[harm] in texts(session)


def test_a_frame_whose_depth_is_not_of_its_size_is_named(session, make_frame):
    frame_without_depth_of_its_size(session, make_frame)
    assert check_session(session).status is Status.REPAIRABLE
    assert "1 frames are not of the camera's size" in texts(session)


@pytest.mark.parametrize("part", ["header", "payload"])
def test_any_byte_that_changed_is_found(session, part):
    chunk = session / "blobs" / "000000.wgb"
    content = chunk.read_bytes()
    offsets = [offset for offset, _ in walk(chunk)][2:]  # behind the camera and the format
    for offset in offsets:
        changed = bytearray(content)
        changed[offset + (9 if part == "header" else 26)] ^= 1
        chunk.write_bytes(changed)
        assert check_session(session).status is not Status.GOOD
        assert "hold no whole record" in texts(session)


def test_frames_that_the_recorder_counted_and_are_not_there_are_named(session):
    chunk = session / "blobs" / "000000.wgb"
    frames = [(offset, record) for offset, record in walk(chunk) if record.kind == Kind.FRAME]
    start, record = frames[-1]
    content = chunk.read_bytes()
    chunk.write_bytes(content[:start] + content[start + 24 + len(record.payload) :])  # no trace but the count
    assert check_session(session).status is Status.REPAIRABLE
    assert "1 frames were recorded and cannot be read" in texts(session)
    assert repair_session(session).lost_frames == 1
    assert check_session(session, deep=True).status is Status.GOOD


# --- worth knowing ---


def test_what_is_odd_and_not_wrong_is_told(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info) as out:
        for i in (0, 1, 9):
            out.add_frame(make_frame(i))
        stuck = make_frame(9)
        out.add_frame(type(stuck)(stuck.color, stuck.depth_raw, stuck.depth_scale, 10 * PERIOD_NS, stuck.t_device_ns))
        out.add_event(GripperEvent(1, "press"))
        out.add_event(GripperEvent(2, "press"))
        out.add_event(GripperEvent(200 * 10**9, "release"))
        out.add_servo([ServoSample(i * 10**8, 0.9, -0.0, 0.0) for i in range(10)])  # SQLite keeps no sign of zero
        out.add_servo([ServoSample(9 * 10**8 - 5_000_000, 0.9, 0.0, 0.0)])
        out.add_gap(Gap("gripper", 1, 2, "", 3))
        out.set_meta("health", {"frames": 4, "lost_frames": 7})
    report = check_session(tmp_path / "s")
    assert report.status is Status.GOOD
    for text in (
        "1 pauses between frames are not listed",
        "own time does not advance in 1 frames",
        "do not alternate: 1 are missing",
        "1 readings of the servo step back in time",
        "2 of 2 presses of the button are followed by no motion",
        "counted 7 lost frames; the listed gaps hold 3",
        "1 messages of the gripper lie more than a minute outside",
    ):
        assert text in texts(tmp_path / "s")


def test_the_verdict_as_json(session, tmp_path):
    sql(session, "DELETE FROM episodes")
    assert cli.main(["check", str(session), "--json", str(tmp_path / "found.json")]) == 3
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["status"], found["frames"], found["events"]) == ("repairable", FRAMES, 2)
    assert found["findings"] == [{"status": "repairable", "text": "1 recorded rows of episodes are not in the index."}]
