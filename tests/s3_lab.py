"""A real S3 server on loopback (the product's own ingest server), for every test that needs one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wildgrasp.ingest.server import IngestServer, free_port
from wildgrasp.upload.errors import WrongKeyError
from wildgrasp.upload.store import ObjectStore
from wildgrasp.upload.target import UploadTarget


@contextmanager
def running_lab(folder: Path) -> Iterator[IngestServer]:
    server = IngestServer(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


def add_device(lab: IngestServer, name: str) -> UploadTarget:
    """A device that the server knows by now: it reads its identities a moment after it is told to."""
    target = lab.access.add_device(name, lab.endpoint)
    lab.reload()
    store = ObjectStore(target)
    for _ in range(1000):
        try:
            store.abandon(f"{target.device}/x", store.begin(f"{target.device}/x"))
            return target
        except WrongKeyError:
            continue
    raise TimeoutError
