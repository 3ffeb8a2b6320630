"""A session in an S3 bucket: how it comes to a folder, and how what was found gets back.

    PREFIX/index.sqlite, PREFIX/blobs/NNNNNN.wgb     as they were recorded: never changed
    PREFIX/processed/RUN/…                           what a run found: index, derived records, pages
    PREFIX/processed.json                            the done marker: which run's files count, and what of

The marker is written last and in one piece. So a run that is cut off anywhere leaves what was there before, and
whoever reads gets the files of one run or of another, never a mixture.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from processing.pipeline import ProcessReport
from processing.report import REPORT_NAME, THUMBNAIL_NAME
from processing.scale.s3 import Prefix, RemoteFile, Store, sha256
from wildgrasp.errors import SessionError, UserError
from wildgrasp.sessions.layout import BLOB_FOLDER, DERIVED_BLOB, INDEX_FILES, INDEX_NAME, chunks

MARKER = "processed.json"
RESULTS = "processed"
FETCHED = ".fetched.json"  # in a folder: ETags of what was fetched into it
DERIVED = f"{BLOB_FOLDER}/{DERIVED_BLOB}"
KINDS = {INDEX_NAME: "application/vnd.sqlite3", REPORT_NAME: "text/html", THUMBNAIL_NAME: "image/jpeg"}
RESULT_NAMES = (DERIVED, INDEX_NAME, REPORT_NAME, THUMBNAIL_NAME)
KEEP_LEFTOVERS = timedelta(days=1)  # files without a marker may belong to a run that is still going on
_RECORDED = re.compile(rf"{BLOB_FOLDER}/\d{{6}}\.wgb")
_RESULT_KEY = re.compile(rf"{RESULTS}/[0-9a-zA-Z-]+/[a-z.]+")


@dataclass(frozen=True)
class Marker:
    """The contents of ``processed.json``."""

    fingerprint: str  # versions and configuration of the steps
    inputs: dict[str, str]  # ETags of what was recorded, by path in the session
    files: dict[str, dict[str, str]]  # {"key", "sha256"} of the results, by path in the session
    report: dict[str, Any]

    @classmethod
    def parse(cls, text: bytes) -> Marker | None:
        """None where it is none, or names what cannot be a result: then the session is processed as if it were new."""
        try:
            value = json.loads(text)
            marker = cls(**{k: value[k] for k in ("fingerprint", "inputs", "files", "report")})
            ProcessReport.from_json(marker.report)
            whole = all(_RESULT_KEY.fullmatch(f["key"]) and isinstance(f["sha256"], str) for f in marker.files.values())
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return marker if whole and set(marker.files) <= set(RESULT_NAMES) else None


def recorded(listing: Mapping[str, RemoteFile]) -> dict[str, RemoteFile]:
    """What of a prefix is a recording, by path in the session."""
    return {k: f for k, f in listing.items() if k in INDEX_FILES or _RECORDED.fullmatch(k)}


def read_marker(store: Store, session: Prefix, listing: Mapping[str, RemoteFile]) -> Marker | None:
    text = store.read(session / MARKER) if MARKER in listing else None
    marker = None if text is None else Marker.parse(text)
    if marker is None or any(f["key"] not in listing for f in marker.files.values()):
        return None
    return marker


def etags(files: Mapping[str, RemoteFile]) -> dict[str, str]:
    return {name: file.etag for name, file in sorted(files.items())}


def fetch(store: Store, session: Prefix, folder: Path) -> None:
    """Bring a session to a folder, with what was found in it before. What is there already is not fetched again.

    Raises SessionError where there is no session, no room, or the endpoint refuses; nothing is left half written.
    """
    listing = store.list(session)
    wanted = recorded(listing)
    if INDEX_NAME not in wanted:
        raise SessionError(f"There is no session in {session}: no {INDEX_NAME} is there.")
    marker = read_marker(store, session, listing)
    if marker is not None and marker.inputs == etags(wanted):
        wanted |= {name: listing[file["key"]] for name, file in marker.files.items() if name in (INDEX_NAME, DERIVED)}
    here = fetched(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = {n: f for n, f in wanted.items() if here.get(n) != f.etag or not (folder / n).is_file()}
    if INDEX_NAME in missing:  # what was found with another index is not to be mixed with this one
        (folder / DERIVED).unlink(missing_ok=True)
        missing |= {DERIVED: wanted[DERIVED]} if DERIVED in wanted else {}
    need, free = sum(f.bytes for f in missing.values()), shutil.disk_usage(folder).free
    if need > 0.95 * free:
        raise SessionError(f"{session} needs {need / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free.")
    for name in sorted(missing, key=lambda n: n == INDEX_NAME):  # the index last: without it the folder is no session
        store.download(session / name, missing[name], folder / name)
        here[name] = missing[name].etag
        (folder / FETCHED).write_text(json.dumps(here))


def deliver(store: Store, folder: Path, session: Prefix, marker: Marker) -> Marker:
    """Put a processed folder's results beside a recording in a bucket, the marker last; returns the marker written.

    Results that the marker of before has already are not sent again.
    """
    before = read_marker(store, session, store.list(session))
    known = {} if before is None else {f["sha256"]: f["key"] for f in before.files.values()}
    run = f"{RESULTS}/{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    files = {}
    for name in RESULT_NAMES:
        path = folder / name
        if not path.is_file():
            continue
        digest = sha256(path)
        key = known.get(digest, f"{run}/{path.name}")
        if digest not in known:
            store.upload(path, session / key, KINDS.get(name, "application/octet-stream"), digest)
        files[name] = {"key": key, "sha256": digest}
    report = {**marker.report, "path": str(session), "report": str(session / files[REPORT_NAME]["key"])}
    written = Marker(marker.fingerprint, marker.inputs, files, report)
    store.write(session / MARKER, json.dumps(vars(written), indent=1).encode(), "application/json")
    _tidy(store, session, {f["key"] for f in files.values()})
    return written


def copy_recording(store: Store, source: Prefix | Path, session: Prefix) -> None:
    """Put what was recorded beside the results where these go elsewhere; files that are there already stay.

    Raises SessionError where another recording is there.
    """
    there = store.list(session)
    if isinstance(source, Prefix):
        for name, file in sorted(recorded(store.list(source)).items(), key=lambda item: item[0] == INDEX_NAME):
            if not _is_copy(store, session / name, there.get(name), file.bytes, file.etag):
                store.copy(source / name, session / name, file.etag)
        return
    for path in (*chunks(source), *(source / n for n in reversed(INDEX_FILES) if (source / n).is_file())):
        name, digest = path.relative_to(source).as_posix(), sha256(path)
        if not _is_copy(store, session / name, there.get(name), path.stat().st_size, digest):
            store.upload(path, session / name, origin=digest)


def _is_copy(store: Store, at: Prefix, there: RemoteFile | None, size: int, origin: str) -> bool:
    if there is None:
        return False
    copy_of = store.origin(at)
    if not copy_of:
        raise SessionError(
            f"{at} belongs to another recording. Give another place by --out; nothing was changed there."
        )
    return there.bytes == size and copy_of == origin


def fetched(folder: Path) -> dict[str, str]:
    """What a folder was filled with: ETags (or hashes) by path in the session.

    Raises SessionError where the folder is a session that was not made by fetching: recordings are not overwritten.
    """
    try:
        value = json.loads((folder / FETCHED).read_text())
    except (OSError, ValueError):
        value = {}
    if (folder / INDEX_NAME).exists() and not (isinstance(value, dict) and value):
        raise SessionError(f"{folder} is another recording. Give another place by --out; nothing was changed there.")
    return value if isinstance(value, dict) else {}


def _tidy(store: Store, session: Prefix, keep: set[str]) -> None:
    """Delete files of older runs. Where that is not allowed they stay: nobody reads them."""
    old = datetime.now(UTC) - KEEP_LEFTOVERS
    with contextlib.suppress(UserError):
        for name, file in store.list(session).items():
            if _RESULT_KEY.fullmatch(name) and name not in keep and file.modified < old:
                store.delete(session / name)
