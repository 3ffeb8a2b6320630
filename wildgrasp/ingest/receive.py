"""The lab's side of an upload: every byte is read back, compared with the manifest, and becomes a session folder.

What devices write is not trusted: names that lead elsewhere, and bytes beyond what a manifest announces, are refused.
Of an object that was written twice the first version counts, since only a stolen key writes a second one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wildgrasp.ingest.access import BUCKET, IngestError
from wildgrasp.sessions.layout import sync_file, sync_folder
from wildgrasp.upload.contents import MAX_DEPTH, MAX_FILES, check_name
from wildgrasp.upload.errors import UploadError
from wildgrasp.upload.manifest import FORMAT, SUFFIX
from wildgrasp.upload.target import check_device_name

MAX_MANIFEST = 16 * 1024 * 1024
_BLOCK = 1 << 20


@dataclass(frozen=True)
class StoredObject:
    """The first version of an object."""

    key: str
    version: str
    bytes: int
    overwritten: bool  # somebody wrote it again


@dataclass(frozen=True)
class ListedFile:
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Verdict:
    """What became of one session."""

    device: str
    session: str
    good: bool
    text: str


def stored_objects(client: Any, device: str = "") -> dict[str, StoredObject]:
    """All objects by name, of one device or ('') of all; first versions only."""
    prefix = f"{device}/" if device else ""
    versions: dict[str, list[dict[str, Any]]] = {}
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=prefix):
        for version in page.get("Versions", []):
            versions.setdefault(version["Key"], []).append(version)
    found = {}
    for key, listed in versions.items():
        # The newest is listed first, and times have whole seconds: of equal ones the last listed is the oldest.
        oldest = min(reversed(listed), key=lambda version: version["LastModified"])
        found[key] = StoredObject(key, oldest["VersionId"], oldest["Size"], len(listed) > 1)
    return found


def receive(
    client: Any, out: Path | None, device: str = "", progress: Callable[[int], None] = lambda _: None
) -> Iterator[Verdict]:
    """Verify every session whose manifest has arrived; with ``out`` it becomes ``out/DEVICE/SESSION`` where that is not
    there yet. ``progress`` is told the bytes read. Raises IngestError where the disk refuses."""
    objects = stored_objects(client, device)
    for key in sorted(objects):
        device, _, name = key.partition("/")
        if "/" in name or not name.endswith(SUFFIX):
            continue
        session = name.removesuffix(SUFFIX)
        if out is not None and (out / device / session).exists():
            continue
        try:
            check_device_name(device)
            check_name(session)
            files = read_manifest(client, objects[key], device, session)
            _take(client, objects, device, session, files, out, progress)
        except (UploadError, ValueError) as error:
            yield Verdict(device, session, False, str(error))
        except OSError as error:
            raise IngestError(
                f"{out} cannot be written ({error.strerror}). What was received before is kept."
            ) from error
        else:
            again = [f.path for f in files if objects[f"{device}/{session}/{f.path}"].overwritten]
            note = f"; {len(again)} files were written again later: is its key stolen?" if again else ""
            yield Verdict(device, session, True, f"{len(files)} files, {sum(f.bytes for f in files)} bytes{note}")


def read_manifest(client: Any, stored: StoredObject, device: str, session: str) -> list[ListedFile]:
    """Raises ValueError or UploadError where it is no manifest of that session."""
    if stored.bytes > MAX_MANIFEST:
        raise ValueError("its manifest is too large")
    body = client.get_object(Bucket=BUCKET, Key=stored.key, VersionId=stored.version)["Body"]
    try:
        value = json.loads(body.read(MAX_MANIFEST))
        if (value["format"], value["device"], value["session"]) != (FORMAT, device, session):
            raise ValueError
        files = [ListedFile(str(f["path"]), int(f["bytes"]), str(f["sha256"])) for f in value["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its manifest cannot be read") from None
    for file in files:
        steps = file.path.split("/")
        for step in steps:
            check_name(step)
        if len(steps) > MAX_DEPTH + 1:
            raise ValueError("its manifest names too deep a folder")
    if len(files) > MAX_FILES or len({file.path for file in files}) != len(files):
        raise ValueError("its manifest lists too many files, or one twice")
    return files


def _take(
    client: Any,
    objects: dict[str, StoredObject],
    device: str,
    session: str,
    files: list[ListedFile],
    out: Path | None,
    progress: Callable[[int], None],
) -> None:
    """Raises ValueError where a file is missing or is not what the manifest says; then nothing stays in ``out``."""
    arriving = None if out is None else out / device / f".arriving-{session}"
    if arriving is not None:
        shutil.rmtree(arriving, ignore_errors=True)
        arriving.mkdir(parents=True)
    try:
        for file in files:
            stored = objects.get(f"{device}/{session}/{file.path}")
            if stored is None or stored.bytes != file.bytes:
                raise ValueError(f"{file.path} is missing or of another size")
            body = client.get_object(Bucket=BUCKET, Key=stored.key, VersionId=stored.version)["Body"]
            if arriving is None:
                digest = _copy(body, None, progress)
            else:
                path = arriving / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as sink:
                    digest = _copy(body, sink, progress)
                sync_file(path)
            if digest != file.sha256:
                raise ValueError(f"{file.path} is damaged: its checksum is another")
        if arriving is not None:
            arriving.rename(arriving.with_name(session))
            sync_folder(arriving.parent)
    except BaseException:
        if arriving is not None:
            shutil.rmtree(arriving, ignore_errors=True)
        raise


def _copy(body: Any, sink: BinaryIO | None, progress: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    while block := body.read(_BLOCK):
        digest.update(block)
        if sink is not None:
            sink.write(block)
        progress(len(block))
    return digest.hexdigest()
