"""A real S3 server on loopback for all tests of uploads, devices that may write to it, and sessions to send."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from s3_lab import add_device, running_lab

from wildgrasp.clocks import VirtualClock
from wildgrasp.ingest.access import BUCKET
from wildgrasp.ingest.server import IngestServer
from wildgrasp.sessions.writer import SessionWriter
from wildgrasp.upload.queue import QUEUE_NAME, UploadQueue
from wildgrasp.upload.target import UploadTarget
from wildgrasp.upload.uploader import UploadConfig, Uploader

PART = 5 * 1024 * 1024  # the least that S3 takes
_numbers = itertools.count()


@pytest.fixture(scope="session")
def lab(tmp_path_factory) -> Iterator[IngestServer]:
    with running_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def admin(lab):
    return lab.admin_client()


@pytest.fixture
def make_device(lab) -> Callable[[], UploadTarget]:
    def make() -> UploadTarget:
        return add_device(lab, f"device-{next(_numbers)}")

    return make


@pytest.fixture
def device(make_device) -> UploadTarget:
    return make_device()


@pytest.fixture
def make_session(tmp_path, camera_info, make_frame) -> Callable[..., Path]:
    def make(name: str = "s1", extra_bytes: int = 0, frames: int = 3) -> Path:
        path = tmp_path / "recordings" / name
        with SessionWriter(path, camera_info) as out:
            for number in range(frames):
                out.add_frame(make_frame(number))
        if extra_bytes:
            (path / "extra.bin").write_bytes(random.Random(name).randbytes(extra_bytes))
        return path

    return make


@pytest.fixture
def queue(tmp_path) -> UploadQueue:
    (tmp_path / "recordings").mkdir(exist_ok=True)
    return UploadQueue(tmp_path / "recordings" / QUEUE_NAME)


@pytest.fixture
def make_uploader(queue, device) -> Callable[..., Uploader]:
    """An uploader whose waiting costs no time."""

    def make(target: UploadTarget = device, port: int | None = None, **config) -> Uploader:
        if port is not None:
            target = replace(target, endpoint=f"http://127.0.0.1:{port}")
        settings = UploadConfig(part_bytes=PART, timeout_s=10.0, **config)
        return Uploader(queue, target, settings, VirtualClock(), random.Random(0))

    return make


@pytest.fixture
def on_server(admin) -> Callable[[str], dict[str, str]]:
    """SHA-256 by name of all that the server holds below a prefix, read back in full."""

    def read(prefix: str) -> dict[str, str]:
        listed = admin.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        names = [entry["Key"] for entry in listed]
        return {name: sha256(admin.get_object(Bucket=BUCKET, Key=name)["Body"].read()) for name in names}

    return read


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def local_hashes() -> Callable[[Path], dict[str, str]]:
    def read(session: Path) -> dict[str, str]:
        files = [path for path in session.rglob("*") if path.is_file()]
        return {str(path.relative_to(session)): sha256(path.read_bytes()) for path in files}

    return read
