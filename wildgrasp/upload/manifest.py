"""The last object of a session's upload: names, sizes and checksums of all the others.

It stands beside the session's folder, ``DEVICE/SESSION.manifest.json``. While it is missing, the copy is not complete.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable

from wildgrasp.upload.contents import PlannedFile, PlannedPart

SUFFIX = ".manifest.json"
FORMAT = 1


def session_key(device: str, session: str, path: str) -> str:
    """Name of the object that holds a session's file."""
    return f"{device}/{session}/{path}"


def manifest_key(device: str, session: str) -> str:
    return f"{device}/{session}{SUFFIX}"


def manifest_bytes(device: str, session: str, files: Iterable[PlannedFile]) -> bytes:
    """JSON; the same session gives the same bytes."""
    listed = [
        {
            "path": file.path,
            "bytes": file.bytes,
            "sha256": file.sha256.hex(),
            "parts": [{"bytes": part.bytes, "sha256": part.sha256.hex()} for part in file.parts],
        }
        for file in files
    ]
    value = {"format": FORMAT, "device": device, "session": session, "files": listed}
    return json.dumps(value, indent=1, sort_keys=True).encode()


def composite_sha256(parts: Iterable[PlannedPart]) -> str:
    """What S3 says of a multipart object: the checksum of its parts' checksums, and their number.

    Source: "Checking object integrity", Amazon S3 User Guide (composite checksums).
    """
    digests = [part.sha256 for part in parts]
    return f"{base64_of(hashlib.sha256(b''.join(digests)).digest())}-{len(digests)}"


def base64_of(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
