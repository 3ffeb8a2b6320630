"""What the lab takes from its server is what was recorded, byte for byte, whatever a device writes."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest

from wildgrasp import cli
from wildgrasp.ingest.access import BUCKET
from wildgrasp.ingest.receive import receive
from wildgrasp.sessions.check import Status, check_session


def verdicts(admin, out, device) -> dict:
    return {v.session: v for v in receive(admin, out, device.device)}


@pytest.fixture
def uploaded(queue, make_session, make_uploader):
    session = make_session(extra_bytes=1000)
    queue.add(session)
    make_uploader().run(threading.Event())
    return session


def test_a_session_comes_out_as_it_went_in(uploaded, admin, device, tmp_path, local_hashes, lab, capsys):
    assert verdicts(admin, None, device)["s1"].good
    out = tmp_path / "out"
    command = ["ingest-server", "receive", str(lab.folder), "--out", str(out), "--endpoint", lab.endpoint]
    assert cli.main([*command, "--device", device.device]) == 0
    assert f"{device.device}/s1: whole" in capsys.readouterr().err
    assert local_hashes(out / device.device / "s1") == local_hashes(uploaded)
    assert check_session(out / device.device / "s1").status is Status.GOOD
    assert verdicts(admin, out, device) == {}  # once


def test_without_its_manifest_a_session_has_not_arrived(uploaded, admin, device, tmp_path):
    admin.delete_object(Bucket=BUCKET, Key=f"{device.device}/s1.manifest.json", VersionId=_version(admin, device))
    assert verdicts(admin, tmp_path / "out", device) == {}


def _version(admin, device) -> str:
    listed = admin.list_object_versions(Bucket=BUCKET, Prefix=f"{device.device}/s1.manifest.json")
    return listed["Versions"][0]["VersionId"]


def test_what_a_thief_writes_over_a_session_is_seen_and_not_taken(uploaded, admin, device, tmp_path, local_hashes):
    for name in ("s1/extra.bin", "s1.manifest.json"):
        admin.put_object(Bucket=BUCKET, Key=f"{device.device}/{name}", Body=b"evil")
    verdict = verdicts(admin, tmp_path / "out", device)["s1"]
    assert verdict.good and "stolen" in verdict.text
    assert local_hashes(tmp_path / "out" / device.device / "s1") == local_hashes(uploaded)


DATA = b"x" * 10
HONEST = {"path": "f", "bytes": 10, "sha256": hashlib.sha256(DATA).hexdigest()}


@pytest.mark.parametrize(
    "files",
    [
        [{**HONEST, "path": "../../escaped"}],
        [{**HONEST, "path": "/escaped"}],
        [{**HONEST, "path": "d/../../escaped"}],
        [{**HONEST, "path": ""}],
        [{**HONEST, "path": "a\nb"}],
        [{**HONEST, "path": "/".join("d" * 20)}],
        [HONEST, HONEST],
        [{**HONEST, "sha256": "0" * 64}],
        [{**HONEST, "bytes": 11}],
        [{**HONEST, "bytes": -1}],
        [{**HONEST, "path": "missing"}],
        [{"path": "f"}],
        "files",
        None,
    ],
)
def test_manifests_that_lie_are_damaged_and_leave_nothing(admin, device, tmp_path, files):
    manifest = {"format": 1, "device": device.device, "session": "s", "files": files}
    admin.put_object(Bucket=BUCKET, Key=f"{device.device}/s/f", Body=DATA)
    admin.put_object(Bucket=BUCKET, Key=f"{device.device}/s.manifest.json", Body=json.dumps(manifest).encode())
    out = tmp_path / "a" / "b" / "out"
    assert not verdicts(admin, out, device)["s"].good
    assert [path for path in (tmp_path / "a").rglob("*") if path.is_file() or path.name == "s"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1}'])
def test_what_is_no_manifest_is_told(admin, device, tmp_path, body):
    admin.put_object(Bucket=BUCKET, Key=f"{device.device}/s.manifest.json", Body=body)
    assert "manifest" in verdicts(admin, tmp_path, device)["s"].text


def test_a_server_that_does_not_run_is_told(lab, capsys):
    command = ["ingest-server", "receive", str(lab.folder), "--endpoint", "http://127.0.0.1:9"]
    assert cli.main(command) == 2
    assert "Does it run?" in capsys.readouterr().err
