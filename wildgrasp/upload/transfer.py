"""One session on its way to the server, as a sequence of small steps.

Between any two of them the power may fail. What the queue remembers and what the server answers is then enough to go
on: the server is asked which parts it has, and no part that it has is sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from wildgrasp.upload.contents import PlannedPart, read_part
from wildgrasp.upload.errors import KeyExistsError, ServerGoneError, UnverifiedError
from wildgrasp.upload.ledger import Ledger, LedgerFile
from wildgrasp.upload.manifest import composite_sha256
from wildgrasp.upload.store import ObjectStore, ServerPart


def transfer(
    session: Path, ledger: Ledger, store: ObjectStore, on_bytes: Callable[[int], None] = lambda _: None
) -> Iterator[None]:
    """Send what the server lacks of a planned session; the manifest comes last.

    Yields after every answer of the server and after every note in the ledger. ``on_bytes`` is told the bytes as they
    leave. Raises the errors of the store and of the session's files.
    """
    for file in ledger.files():
        if file.checksum is None:
            yield from _transfer_file(session, file, ledger, store, on_bytes)


def _transfer_file(
    session: Path, file: LedgerFile, ledger: Ledger, store: ObjectStore, on_bytes: Callable[[int], None]
) -> Iterator[None]:
    upload_id, noted, there = file.upload_id, file.etags, None
    if upload_id is not None:
        there = store.parts(file.key, upload_id)
        yield
        if there is None and all(file.etags):
            # Perhaps it was finished, and only the answer was lost.
            checksum = store.complete(file.key, upload_id, _tagged(file.parts, file.etags), replace=True)
            yield
            if checksum is not None:
                yield from _verified(file, checksum, ledger)
                return
    if upload_id is None or there is None:
        upload_id, noted, there = store.begin(file.key), (None,) * len(file.parts), {}
        yield
        ledger.begun(file, upload_id)
        yield
    etags = []
    for part, before in zip(file.parts, noted, strict=True):
        etag = _confirmed_etag(session, file, part, before, there.get(part.number))
        if etag is None:
            if before is not None:
                ledger.confirmed(file, part, before := None)
                yield
            etag = store.send(file.key, upload_id, part, _read(session, file, part), on_bytes)
            yield
        if etag != before:
            ledger.confirmed(file, part, etag)
            yield
        etags.append(etag)
    tagged = _tagged(file.parts, etags)
    try:
        checksum = store.complete(file.key, upload_id, tagged)
    except KeyExistsError:
        # Ours, where the server died while it finished it; then it repeats its answer once nothing can be written.
        store.abandon(file.key, upload_id)
        yield
        checksum = store.complete(file.key, upload_id, tagged, replace=True)
        if checksum is None:
            ledger.begun(file, None)
            raise KeyExistsError(
                f"The server holds {file.key} already, from another upload. It was not overwritten, and everything "
                f"here was kept. Rename the session's folder {session.name} and add it again."
            ) from None
    yield
    if checksum is None:
        raise ServerGoneError("The server has dropped an unfinished upload.")
    yield from _verified(file, checksum, ledger)


def _confirmed_etag(
    session: Path, file: LedgerFile, part: PlannedPart, noted: str | None, there: ServerPart | None
) -> str | None:
    """The ETag of a part that the server has as it should be; None when it must be sent."""
    if there is None or there.bytes != part.bytes:
        return None
    if noted is None:
        # Its answer was lost, so it is compared here. Where the ETag is no MD5 the part is sent again.
        noted = f'"{hashlib.md5(_read(session, file, part), usedforsecurity=False).hexdigest()}"'
    return there.etag if there.etag == noted else None


def _verified(file: LedgerFile, checksum: str, ledger: Ledger) -> Iterator[None]:
    """The server computed the checksum of what it received: only the same as ours counts."""
    if checksum != composite_sha256(file.parts):
        ledger.begun(file, None)
        raise UnverifiedError(
            f"The server's checksum of {file.key} is not that of the recording. Nothing was deleted here; tell the lab."
        )
    ledger.finished(file, checksum)
    yield


def _read(session: Path, file: LedgerFile, part: PlannedPart) -> bytes:
    if file.content is not None:
        return file.content[part.offset : part.offset + part.bytes]
    return read_part(session, file.path, part)


def _tagged(parts: tuple[PlannedPart, ...], etags: list[str] | tuple[str | None, ...]) -> list[tuple[PlannedPart, str]]:
    return list(zip(parts, map(str, etags), strict=True))
