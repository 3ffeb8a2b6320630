"""Sessions in a bucket: the recording is never changed, results appear whole or not at all, nothing moves twice.

Against a real S3 server (SeaweedFS) on loopback.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from s3_lab import running_lab
from small_sessions import cut_in_half, write_sessions

from processing.commands import process
from processing.pipeline import ProcessConfig, ProcessReport
from processing.scale import s3_session, tasks
from processing.scale.s3 import Prefix, Store
from processing.scale.s3_session import FETCHED, MARKER, Marker
from processing.scale.tasks import find_tasks, run_task
from wildgrasp.errors import SessionError
from wildgrasp.sessions.session import Session

BUCKET = "recordings"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """An empty bucket of a SeaweedFS server; the environment leads to it."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab, pytest.MonkeyPatch.context() as patch:
        key = lab.access.admin_key()
        patch.setenv("AWS_ACCESS_KEY_ID", key.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_key)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", lab.endpoint)
        client = lab.admin_client()
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def uploaded(s3, tmp_path, clip, request):
    """Two sessions below a prefix of the test's own."""
    prefix = Prefix(BUCKET, request.node.name)
    for path in write_sessions(tmp_path / "recorded", clip, {"a": 6, "b": 5}):
        put(s3, path, prefix / path.name)
    return prefix


def put(client, folder: Path, prefix: Prefix) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"{prefix.key}/{path.relative_to(folder).as_posix()}")


def etags(prefix: Prefix) -> dict[str, str]:
    return {name: file.etag for name, file in Store().list(prefix).items()}


def run(source: Prefix, scratch: Path, out: str | None = None):
    return [run_task(t, ProcessConfig(), scratch, lambda *_: None) for t in find_tasks([str(source)], out)]


def counted(monkeypatch, name: str) -> list[str]:
    """Names of the objects that a method of the store is called with."""
    moved: list[str] = []
    real = getattr(Store, name)

    def call(self, *args, **kwargs):
        moved.append(next(a for a in args if isinstance(a, Prefix)).name)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Store, name, call)
    return moved


def test_results_come_beside_a_recording_that_stays_as_it_is_and_nothing_is_fetched_again(
    uploaded, tmp_path, monkeypatch
):
    before = etags(uploaded)
    first = run(uploaded, tmp_path / "scratch")
    assert [(r.frames, r.lost_frames) for r in first] == [(6, 0), (5, 0)]
    after = etags(uploaded)
    assert {name: after[name] for name in before} == before
    assert f"a/{MARKER}" in after
    assert list((tmp_path / "scratch").iterdir()) == []
    fetched, sent = counted(monkeypatch, "download"), counted(monkeypatch, "upload")
    again = run(uploaded, tmp_path / "scratch")
    assert (fetched, sent) == ([], [])
    assert [(r.path, r.frames, r.verdict, r.seconds) for r in again] == [
        (r.path, r.frames, r.verdict, {}) for r in first
    ]
    assert etags(uploaded) == after


def test_a_run_that_is_cut_off_leaves_what_was_there_and_goes_on(uploaded, tmp_path, monkeypatch):
    """Cut before each of the uploads in turn and before the marker: no marker, so no result; then all of it."""
    task = find_tasks([str(uploaded / "a")])[0]
    before = etags(uploaded / "a")

    class Cut(BaseException):
        """Like a power cut: nothing may catch it."""

    fetched = counted(monkeypatch, "download")
    real_upload, real_write = Store.upload, Store.write
    for allowed in range(4):
        left = [allowed]

        def upload(self, *args, left=left, **kwargs):
            if left[0] == 0:
                raise Cut
            left[0] -= 1
            real_upload(self, *args, **kwargs)

        def write(self, *args):
            raise Cut

        monkeypatch.setattr(Store, "upload", upload)
        monkeypatch.setattr(Store, "write", write)
        with pytest.raises(Cut):
            run_task(task, ProcessConfig(), tmp_path / "scratch", lambda *_: None)
        there = etags(uploaded / "a")
        assert MARKER not in there
        assert {name: there[name] for name in before} == before
    monkeypatch.setattr(Store, "upload", real_upload)
    monkeypatch.setattr(Store, "write", real_write)
    report = run_task(task, ProcessConfig(), tmp_path / "scratch", lambda *_: None)
    assert report.seconds == {}  # its steps were done before the first cut
    assert sorted(fetched) == ["000000.wgb", "index.sqlite"]  # once, for all five runs
    folder = tmp_path / "copy"
    s3_session.fetch(Store(), uploaded / "a", folder)
    with Session(folder) as session:
        assert session.poses("tracking") is not None


def test_another_configuration_sends_only_what_changed(uploaded, tmp_path, monkeypatch):
    from dataclasses import replace

    task = find_tasks([str(uploaded / "a")])[0]
    run_task(task, ProcessConfig(), tmp_path / "scratch", lambda *_: None)
    sent = counted(monkeypatch, "upload")
    other = replace(ProcessConfig(), attempts=replace(ProcessConfig().attempts, tap_s=0.1))
    report = run_task(task, other, tmp_path / "scratch", lambda *_: None)
    assert "tracking" in report.seconds
    assert "000000.wgb" not in sent
    assert "thumbnail.jpg" not in sent
    marker = Marker.parse(Store().read(uploaded / "a" / MARKER))
    assert all(file["key"] in Store().list(uploaded / "a") for file in marker.files.values())


def test_results_can_go_to_another_prefix_and_to_a_folder(uploaded, tmp_path, monkeypatch):
    other = Prefix(BUCKET, f"{uploaded.key}-out")
    before = etags(uploaded)
    run(uploaded, tmp_path / "scratch", str(other))
    assert etags(uploaded) == before
    there = etags(other)
    assert {f"a/{n}" for n in ("index.sqlite", "blobs/000000.wgb", MARKER)} <= set(there)
    copied = counted(monkeypatch, "copy")
    run(uploaded, tmp_path / "scratch", str(other))
    assert (copied, etags(other)) == ([], there)

    fetched = counted(monkeypatch, "download")
    for _ in range(2):
        run(other, tmp_path / "scratch", str(tmp_path / "here"))
    assert sorted(fetched) == sorted(["000000.wgb", "index.sqlite", "derived.wgb"] * 2)
    with Session(tmp_path / "here" / "a") as session:
        assert session.poses("tracking") is not None
        assert session.frame(5).color.any()


def test_a_folder_can_go_to_a_prefix(s3, tmp_path, clip):
    (path,) = write_sessions(tmp_path / "in", clip, {"c": 5})
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    target = f"s3://{BUCKET}/from-a-folder"
    assert process([str(path)], out=target, scratch=tmp_path / "scratch") == 0
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before
    there = Store().list(Prefix.parse(target))
    assert {"c/index.sqlite", "c/blobs/000000.wgb", f"c/{MARKER}", "processed.html"} <= set(there)


def test_another_recording_of_the_same_name_is_never_overwritten(s3, uploaded, tmp_path, clip):
    (path,) = write_sessions(tmp_path / "in", clip, {"a": 3})
    before = etags(uploaded)
    with pytest.raises(SessionError, match="another recording"):
        run_task(find_tasks([str(path)], str(uploaded))[0], ProcessConfig(), tmp_path / "scratch", lambda *_: None)
    assert etags(uploaded) == before
    with pytest.raises(SessionError, match="another recording"):
        run(uploaded / "a", tmp_path / "scratch", str(tmp_path / "in"))
    with Session(path) as session:
        assert len(session) == 3


def test_poison_in_a_bucket_is_set_aside_and_the_page_leads_to_the_rest(s3, tmp_path, clip):
    prefix = Prefix(BUCKET, "poisoned")
    good, damaged = write_sessions(tmp_path / "in", clip, {"good": 5, "damaged": 5})
    cut_in_half(damaged)
    for path in (good, damaged):
        put(s3, path, prefix / path.name)
    assert process([str(prefix)], scratch=tmp_path / "scratch", json=tmp_path / "found.json") == 2
    found = json.loads((tmp_path / "found.json").read_text())
    assert list(found["set_aside"]) == [str(prefix / "damaged")]
    assert f"damaged/{MARKER}" not in Store().list(prefix)
    page = Store().read(prefix / "processed.html").decode()
    (row,) = found["sessions"]
    link = row["report"].removeprefix(f"{prefix}/")
    assert f'href="{link}"' in page
    assert link in Store().list(prefix)


def test_names_from_a_bucket_lead_nowhere_else(s3, tmp_path):
    for key in ("odd/.hidden/index.sqlite", "odd/a/index.sqlite", "odd/a/blobs/odd.wgb"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    assert [t.name for t in find_tasks([f"s3://{BUCKET}/odd"], str(tmp_path / "out"))] == ["a"]


def test_a_marker_that_names_other_objects_is_no_marker():
    report = ProcessReport("s3://b/a", 1, 0.0, {}, "ok", 0, None, "good", (), {}, "s3://b/a/report.html")
    good = {"fingerprint": "", "inputs": {}, "files": {}, "report": report.as_json()}
    assert Marker.parse(json.dumps(good).encode()) is not None
    for key in ("processed/../../other/index.sqlite", "blobs/000000.wgb", "/processed/1/index.sqlite"):
        bad = good | {"files": {"index.sqlite": {"key": key, "sha256": ""}}}
        assert Marker.parse(json.dumps(bad).encode()) is None
    assert Marker.parse(json.dumps(good | {"files": {"../x": {"key": "processed/1/x", "sha256": ""}}}).encode()) is None
    assert Marker.parse(b"[]") is None
    assert Marker.parse(json.dumps(good | {"report": {}}).encode()) is None


def test_what_a_person_can_mend_is_said(s3, monkeypatch, tmp_path):
    with pytest.raises(SessionError, match="no session in"):
        find_tasks([f"s3://{BUCKET}/nothing-here"])
    with pytest.raises(SessionError, match="NoSuchBucket"):
        find_tasks(["s3://another-bucket/x"])
    with pytest.raises(SessionError, match="no S3 address"):
        Prefix.parse("s3://")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SessionError, match="credentials"):
        find_tasks([f"s3://{BUCKET}/x"])
    assert tasks.default_scratch().name.startswith("wildgrasp-")
    assert FETCHED.startswith(".")
