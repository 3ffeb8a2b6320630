"""What a device may do on the server, and what an uploader says when it may not: against the real server."""

from __future__ import annotations

import datetime
import hashlib
import threading
from dataclasses import replace

import botocore.auth
import pytest
from botocore.exceptions import ClientError

from wildgrasp.ingest.access import BUCKET, DEVICE_ACTIONS, IngestError, device_policy
from wildgrasp.upload.errors import (
    ClockSkewError,
    NoPermissionError,
    NoSuchBucketError,
    TargetError,
    UnverifiedError,
    WrongKeyError,
)
from wildgrasp.upload.manifest import base64_of
from wildgrasp.upload.store import ObjectStore


def status(call, **arguments) -> int:
    try:
        return call(Bucket=BUCKET, **arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def client(device):
    return ObjectStore(device)._client


def test_a_device_writes_below_its_own_name_and_nothing_else(client, device, make_device, admin):
    other = make_device().device
    mine, theirs = f"{device.device}/s/x", f"{other}/s/x"
    for key in (mine, theirs):
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"there")
    assert status(client.put_object, Key=f"{device.device}/new", Body=b"x") == 200
    source = {"CopySource": f"{BUCKET}/{theirs}"}
    for key in (mine, theirs):
        assert status(client.get_object, Key=key) == 403
        assert status(client.head_object, Key=key) == 403
        assert status(client.delete_object, Key=key) == 403
        assert status(client.get_object_attributes, Key=key, ObjectAttributes=["ETag"]) == 403
        assert status(client.put_object_acl, Key=key, ACL="public-read") == 403
        assert status(client.put_object_tagging, Key=key, Tagging={"TagSet": []}) == 403
        assert status(client.copy_object, Key=f"{device.device}/copy", CopySource=f"{BUCKET}/{key}") == 403
    for key in (theirs, "x", f"{device.device}x/y", f"{other}/new", f"{device.device}/../{other}/y"):
        assert status(client.put_object, Key=key, Body=b"x") in (400, 403)
        assert status(client.create_multipart_upload, Key=key) in (400, 403)
    assert status(client.copy_object, Key=theirs, **source) == 403
    for call in (
        *(client.list_objects_v2, client.list_object_versions, client.list_multipart_uploads),
        *(client.delete_bucket, client.get_bucket_policy, client.get_bucket_versioning),
    ):
        assert status(call) == 403
    assert status(client.list_objects_v2, Prefix=f"{device.device}/") == 403
    deleted = client.delete_objects
    assert status(deleted, Delete={"Objects": [{"Key": theirs}]}) == 403 or (
        admin.get_object(Bucket=BUCKET, Key=theirs)["Body"].read() == b"there"
    )
    assert admin.get_object(Bucket=BUCKET, Key=mine)["Body"].read() == b"there"
    assert [b["Name"] for b in client.list_buckets()["Buckets"]] == []


def test_a_stolen_device_can_hide_what_it_uploaded_but_not_destroy_it(client, device, admin):
    key = f"{device.device}/s/x"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"good", ChecksumSHA256=base64_of(hashlib.sha256(b"good").digest()))
    client.put_object(Bucket=BUCKET, Key=key, Body=b"evil", ChecksumSHA256=base64_of(hashlib.sha256(b"evil").digest()))
    versions = admin.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    first = min(versions, key=lambda version: version["LastModified"])
    oldest = [version for version in versions if not version["IsLatest"]]
    assert len(versions) == 2 and first in versions
    assert admin.get_object(Bucket=BUCKET, Key=key, VersionId=oldest[0]["VersionId"])["Body"].read() == b"good"


def test_a_key_that_was_taken_back_is_worth_nothing(device, lab, queue, make_session, make_uploader):
    session = make_session()
    queue.add(session)
    lab.access.remove_device(device.device)
    lab.reload()
    with pytest.raises(WrongKeyError, match="does not accept this device's key"):
        make_uploader().run(threading.Event())
    assert queue.item(session).state == "waiting"
    assert "key" in queue.item(session).problem


def test_the_policy_is_what_it_says():
    policy = device_policy("kitchen-1")
    assert [s["Effect"] for s in policy["Statement"]] == ["Allow"]
    assert policy["Statement"][0]["Resource"] == ["arn:aws:s3:::sessions/kitchen-1/*"]
    assert set(DEVICE_ACTIONS) == {"s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"}


def test_two_devices_of_one_name_are_refused(device, lab):
    with pytest.raises(IngestError, match="already"):
        lab.access.add_device(device.device, lab.endpoint)
    assert lab.access.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"secret_key": "another"}, WrongKeyError),
        ({"access_key": "UNKNOWN"}, WrongKeyError),
        ({"device": "somebody-else"}, NoPermissionError),
        ({"bucket": "no-such-bucket"}, NoPermissionError),  # it may not even know
    ],
)
def test_what_is_wrong_with_a_target_is_said_and_the_session_waits(
    queue, make_session, make_uploader, device, change, error
):
    session = make_session()
    queue.add(session)
    with pytest.raises(error):
        make_uploader(replace(device, **change)).run(threading.Event())
    assert queue.item(session).state == "waiting"
    assert queue.item(session).problem
    make_uploader().run(threading.Event())
    assert (queue.item(session).state, queue.item(session).problem) == ("uploaded", "")


def test_a_bucket_that_is_not_there_is_said(lab):
    key = lab.access.admin_key()
    from wildgrasp.upload.target import UploadTarget

    store = ObjectStore(UploadTarget(lab.endpoint, "no-such-bucket", "d", key.access_key, key.secret_key))
    with pytest.raises(NoSuchBucketError, match="no such bucket"):
        store.begin("d/x")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong_is_said(queue, make_session, make_uploader, monkeypatch, hours):
    session = make_session()
    queue.add(session)
    real = botocore.auth.get_current_datetime
    shifted = datetime.timedelta(hours=hours)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: real(*a, **k) + shifted)
    with pytest.raises(ClockSkewError, match="Set date and time"):
        make_uploader().run(threading.Event())
    monkeypatch.undo()
    make_uploader().run(threading.Event())
    assert queue.item(session).state == "uploaded"


@pytest.mark.parametrize("answered", [None, "c29tZXRoaW5nIGVsc2U=-1"])
def test_a_server_that_confirms_no_or_another_checksum_verifies_nothing(
    queue, make_session, make_uploader, monkeypatch, answered
):
    session = make_session()
    queue.add(session)
    uploader = make_uploader()

    def forget(parsed, **_) -> None:
        parsed.pop("ChecksumSHA256", None)
        if answered:
            parsed["ChecksumSHA256"] = answered

    uploader._store._client.meta.events.register("after-call.s3.CompleteMultipartUpload", forget)
    with pytest.raises(UnverifiedError):
        uploader.run(threading.Event())
    assert queue.item(session).state == "waiting"


def test_a_server_that_is_no_object_store_is_said(queue, make_session, make_uploader, lab):
    """The filer's port: HTTP, and something else."""
    session = make_session()
    queue.add(session)
    with pytest.raises(TargetError):
        make_uploader(port=lab.port + 6, patience_s=5).run(threading.Event())
    assert queue.item(session).state == "waiting"
