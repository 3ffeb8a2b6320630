"""A session from elsewhere: nothing of it leaves its folder, runs, or asks for more memory than its size allows."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wildgrasp.errors import SessionError
from wildgrasp.sessions.blobs import BlobRef, BlobWriter, Kind
from wildgrasp.sessions.check import Status, check_session
from wildgrasp.sessions.events import Gap, GripperEvent, ServoSample
from wildgrasp.sessions.repair import repair_session
from wildgrasp.sessions.session import Session
from wildgrasp.sessions.writer import SessionWriter

fuzz = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def session(tmp_path, camera_info, make_frame):
    with SessionWriter(tmp_path / "s", camera_info, {"T_camera_fingertip": [0, 0, 0, 0, 0, 0, 1]}) as out:
        for i in range(4):
            out.add_pose("recorded", out.add_frame(make_frame(i)), np.eye(4))
        out.add_event(GripperEvent(1, "press"))
        out.add_servo([ServoSample(1, 0.5, 0.0, 0.0)])
        out.add_gap(Gap("camera", 1, 2, "test"))
        out.insert("episodes", {"outcome": "held"})
    return tmp_path / "s"


def read_everything(path) -> None:
    with Session(path) as session:
        list(session.frames())
        session.events(), session.servo(), session.gaps()
        session.poses("recorded")
        _ = session.T_camera_fingertip


def sql(path, statement, *parameters):
    with contextlib.closing(sqlite3.connect(path / "index.sqlite", isolation_level=None)) as db:
        db.execute(statement, parameters)


NAMES = ["../../../etc/passwd", "/etc/passwd", "..", "", "a/b.wgb", "000000.wgb\n", "000000.wgb/../x.wgb", "x\0.wgb"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(session, name):
    sql(session, "UPDATE frames SET file = ?", name)
    with pytest.raises(SessionError, match=r"outside itself"):
        read_everything(session)
    assert check_session(session).status is Status.REPAIRABLE


@pytest.mark.parametrize("linked", ["blobs/000000.wgb", "blobs", "index.sqlite"])
def test_no_link_leads_out_of_the_folder(session, tmp_path, linked):
    outside = tmp_path / "outside"
    (session / linked).rename(outside)
    (session / linked).symlink_to(outside)
    with pytest.raises(SessionError, match="outside itself"):
        read_everything(session)


@pytest.mark.parametrize("name", ["index.sqlite", "index.sqlite-wal", "index.sqlite-journal"])
def test_repair_copies_nothing_into_the_folder_that_a_link_points_to(session, tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (session / name).unlink(missing_ok=True)
    (session / name).symlink_to(secret)
    with pytest.raises(SessionError, match="outside itself"):
        repair_session(session)
    assert not list(session.glob("before-repair-*"))
    assert secret.read_text() == "secret"


def test_derived_data_is_not_written_through_a_link(session, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (session / "blobs" / "derived.wgb").symlink_to(victim)
    with Session(session) as opened, pytest.raises(SessionError, match="outside itself"), opened.edit():
        pass
    assert victim.read_text() == "precious"


def test_a_pipe_is_not_waited_for(session):
    (session / "blobs" / "000000.wgb").unlink()
    os.mkfifo(session / "blobs" / "000000.wgb")
    with pytest.raises(SessionError, match="missing"):
        read_everything(session)


@pytest.mark.parametrize("table", ["meta", "frames", "events", "servo", "gaps", "poses"])
@pytest.mark.parametrize("value", ["words", b"\xff\xfe", None, 10**18, -1, 1e300, "[" * 5000])
def test_values_of_any_type_are_refused_or_read(session, table, value):
    with Session(session) as opened:
        columns = list(opened.db[table].columns_dict)
    for column in columns:
        copy = session.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(session, copy)
        with contextlib.suppress(sqlite3.IntegrityError):
            sql(copy, f"UPDATE {table} SET {column} = ?", value)
        with contextlib.suppress(SessionError):
            read_everything(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 10**6},
        {"width": 0},
        {"height": -1},
        {"height": 2.5},
        {"fx": float("nan")},
        {"fy": 0.0},
        {"cx": "words"},
        {"cx": None},
    ],
)
def test_an_impossible_camera_is_refused(session, change):
    with Session(session) as opened:
        camera = opened.meta["camera"]
    camera["intrinsics"].update(change)
    sql(session, "UPDATE meta SET value = ? WHERE key = 'camera'", json.dumps(camera))
    with pytest.raises(SessionError, match="damaged"):
        Session(session)


def test_a_view_in_place_of_a_table_runs_nothing(session):
    sql(session, "DROP TABLE events")
    columns = "1 AS id, load_extension('x') AS t_ns, '' AS kind, 0 AS uncertainty_ns, '' AS detail"
    sql(session, f"CREATE VIEW events AS SELECT {columns}")
    with pytest.raises(SessionError, match="events is no plain table"):
        Session(session)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, i AS t_ns, 'x' AS file"
COMPUTING = {
    "a view without end": f"CREATE VIEW frames AS {ENDLESS}, 0 AS offset FROM n",
    "values made up when read": "CREATE TABLE frames (id INTEGER PRIMARY KEY, t_ns INTEGER, t_device_ns INTEGER, "
    "file TEXT AS (hex(zeroblob(30000000))), offset INTEGER)",
    "a table made up when read": "CREATE VIRTUAL TABLE frames USING fts5(id, t_ns, t_device_ns, file, offset)",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM events; END",
}


@pytest.mark.parametrize("forged", COMPUTING)
def test_an_index_that_computes_is_refused_and_mended(session, forged):
    if "frames" in COMPUTING[forged]:
        sql(session, "DROP TABLE frames")
    sql(session, COMPUTING[forged])
    with pytest.raises(SessionError, match="plain table"):
        Session(session)
    assert check_session(session).status is Status.REPAIRABLE
    assert repair_session(session).frames == 4
    read_everything(session)


def test_a_journal_of_the_old_index_never_meets_the_new_one(session, tmp_path):
    """A process that was killed while it changed the index leaves a journal; SQLite would roll it into any index."""
    with contextlib.closing(sqlite3.connect(session / "index.sqlite", isolation_level=None)) as db:
        db.executescript("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE;")
        for i in range(2000):
            db.execute("INSERT INTO events VALUES (?, 0, 'press', 0, ?)", (100 + i, "x" * 50))
        db.execute("DELETE FROM frames")
        hot = (session / "index.sqlite-journal").read_bytes()
        assert len(hot) > 512
        db.execute("ROLLBACK")
    (session / "index.sqlite").write_bytes(b"not a database")
    (session / "index.sqlite-journal").write_bytes(hot)
    report = repair_session(session)
    assert report.frames == 4
    assert (report.kept / "index.sqlite-journal").read_bytes() == hot
    assert check_session(session, deep=True).findings == []


@fuzz
@given(data=st.data())
def test_random_damage_anywhere_is_survived(session, data):
    """Whatever is flipped or cut in whichever file: every entry point answers or says what is wrong."""
    copy = session.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(session, copy)
    file = copy / data.draw(st.sampled_from(["index.sqlite", "blobs/000000.wgb"]))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(SessionError):
        read_everything(copy)
    report = check_session(copy)
    with contextlib.suppress(SessionError):
        assert repair_session(copy).frames <= 4
        assert check_session(copy).status is not Status.REPAIRABLE
        read_everything(copy)
    assert report.frames <= 4


records = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["key", "value", "table", "row", "t_ns", "kind", "id", "source"]), inner)
        ),
        max_leaves=8,
    ),
)


@fuzz
@given(kind=st.integers(0, 255), content=records)
def test_records_with_a_right_checksum_and_wrong_content_are_survived(session, kind, content):
    copy = session.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(session, copy)
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    out = BlobWriter(copy / "blobs" / "000000.wgb")
    ref = out.append(kind, 5, payload)
    out.close()
    with contextlib.suppress(SessionError):
        check_session(copy)
        assert repair_session(copy).frames == 4
    with Session(session) as opened:
        for read in (opened.read_mask, opened.read_arrays):
            with contextlib.suppress(SessionError):
                read(ref)


EVENT = {"t_ns": 1, "kind": "press", "uncertainty_ns": 0, "detail": ""}
GAP = {"source": "camera", "t_start_ns": 1, "t_end_ns": 2, "reason": "", "lost_frames": 0}
SAMPLE = {
    "t_ns": 1,
    "opening": 0.5,
    "speed": 0.0,
    "load": 0.0,
    "temperature_c": 0.0,
    "voltage_v": 0.0,
    "moving": False,
    "error": 0,
}


@pytest.mark.parametrize("value", [None, "words", [], {}, 10**30, float("nan"), -1, 1.5])
def test_messages_with_values_of_any_type_are_survived(session, value):
    out = BlobWriter(session / "blobs" / "000000.wgb")
    for kind, message in ((Kind.EVENT, EVENT), (Kind.GAP, GAP)):
        for key in message:
            out.append(kind, 0, json.dumps({**message, key: value}).encode())
    for key in SAMPLE:
        out.append(Kind.SERVO, 0, json.dumps([{**SAMPLE, key: value}]).encode())
    for key in ("repaired", "closed", "T_camera_fingertip"):
        out.append(Kind.META, 0, json.dumps({"key": key, "value": value}).encode())
    out.close()
    assert check_session(session).status is not Status.GOOD
    assert repair_session(session).frames == 4
    assert check_session(session).status is not Status.REPAIRABLE
    with contextlib.suppress(SessionError):
        read_everything(session)


@pytest.mark.parametrize("value", ['"words"', "[]", '{"damage": 3, "lost_frames": "x", "lost_rows": {"poses": []}}'])
def test_a_forged_note_of_a_repair_is_survived(session, value):
    sql(session, "INSERT INTO meta VALUES ('repaired', ?)", value)
    assert check_session(session).status is Status.GOOD


def test_a_frame_of_another_size_is_refused_and_left_out_by_repair(session, make_frame, camera_info):
    from wildgrasp.sessions.codecs import encode_color
    from wildgrasp.sessions.depth import DepthEncoder
    from wildgrasp.sessions.frames import EncodedFrame

    small = np.zeros((4, 4), np.uint16)
    frame = EncodedFrame(0, 0, encode_color(np.zeros((4, 4, 3), np.uint8)), DepthEncoder().encode(small))
    out = BlobWriter(session / "blobs" / "000000.wgb")
    ref = out.append(Kind.FRAME, 10**10, *frame.payload(4))
    out.close()
    sql(session, "INSERT INTO frames VALUES (4, ?, 0, ?, ?)", 10**10, ref.file, ref.offset)
    with Session(session) as opened, pytest.raises(SessionError, match="size"):
        opened.frame(4)
    assert check_session(session).status is Status.REPAIRABLE
    assert repair_session(session).frames == 4


def test_offsets_outside_of_a_file_are_refused(session):
    for offset in (-5, 10**15):
        with Session(session) as opened, pytest.raises(SessionError):
            opened.read_blob(BlobRef("000000.wgb", offset))
