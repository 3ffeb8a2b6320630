"""The object store: S3's multipart upload through boto3, as few requests, each attempted once.

The device's key allows it to write below its own name and nothing else: no reading, listing or deleting. So everything
that is known of the server's copy is what these requests answer.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError, SSLError

from wildgrasp.upload.body import PartBody
from wildgrasp.upload.contents import PlannedPart
from wildgrasp.upload.errors import (
    ClockSkewError,
    KeyExistsError,
    NoPermissionError,
    NoSuchBucketError,
    ServerGoneError,
    TargetError,
    UnverifiedError,
    WrongKeyError,
)
from wildgrasp.upload.manifest import base64_of
from wildgrasp.upload.target import UploadTarget

_WRONG_KEY = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed")
# Damaged or cut off on the way, or a moment's conflict: the same request may well succeed.
_AGAIN = (
    *("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "InvalidPart", "RequestTimeout"),
    *("SlowDown", "OperationAborted", "ConditionalRequestConflict"),
)


@dataclass(frozen=True)
class ServerPart:
    """A part as the server lists it."""

    bytes: int
    etag: str


class ObjectStore:
    """One connection to a target. Raises what ``errors.py`` lists: TargetErrors, and KeyExistsError."""

    def __init__(self, target: UploadTarget, timeout_s: float = 30.0) -> None:
        # At their debug level these write request headers, which name the key.
        for name in ("boto3", "botocore", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._bucket = target.bucket
        self._client: Any = _boto3_session().client(
            "s3",
            endpoint_url=target.endpoint,
            region_name=target.region,
            aws_access_key_id=target.access_key,
            aws_secret_access_key=target.secret_key,
            verify=str(Path(target.ca_file).expanduser()) if target.ca_file else None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=timeout_s,
                read_timeout=timeout_s,
                max_pool_connections=1,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._client.meta.events.register("before-send.s3.UploadPart", lambda request, **_: request.body.sending())

    def begin(self, key: str) -> str:
        """Open an upload; returns its id."""
        with _told():
            return self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ChecksumAlgorithm="SHA256")[
                "UploadId"
            ]

    def parts(self, key: str, upload_id: str) -> dict[int, ServerPart] | None:
        """The parts that the server has, by number; None when it does not know the upload."""
        found: dict[int, ServerPart] = {}
        marker = 0
        while True:
            try:
                with _told():
                    answer = self._client.list_parts(
                        Bucket=self._bucket, Key=key, UploadId=upload_id, PartNumberMarker=marker
                    )
            except _NoSuchUploadError:
                return None
            for part in answer.get("Parts", []):
                found[part["PartNumber"]] = ServerPart(part["Size"], part["ETag"])
            following = answer.get("NextPartNumberMarker", 0)
            if not answer.get("IsTruncated") or following <= marker:
                return found
            marker = following

    def send(
        self, key: str, upload_id: str, part: PlannedPart, data: bytes, on_bytes: Callable[[int], None] = lambda _: None
    ) -> str:
        """Send a part, whose checksum the server compares before it keeps it; returns its ETag.

        Raises what ``on_bytes`` raises, too.
        """
        checksum, body = base64_of(part.sha256), PartBody(data, on_bytes)
        try:
            with _told():
                answer = self._client.upload_part(
                    Bucket=self._bucket,
                    Key=key,
                    UploadId=upload_id,
                    PartNumber=part.number,
                    Body=body,
                    ChecksumSHA256=checksum,
                )
        except _NoSuchUploadError:
            raise ServerGoneError("The server has dropped an unfinished upload.") from None
        except ServerGoneError:
            if body.failure is not None:
                raise body.failure from None
            raise
        if "ChecksumSHA256" not in answer:
            raise UnverifiedError(
                "The server confirms no SHA-256 checksums, so its copy cannot be verified. Nothing was deleted; the "
                "lab needs a server that does."
            )
        if answer["ChecksumSHA256"] != checksum:
            raise ServerGoneError("The server has received other bytes than were sent.")
        return answer["ETag"]

    def complete(
        self, key: str, upload_id: str, parts: Sequence[tuple[PlannedPart, str]], replace: bool = False
    ) -> str | None:
        """Make an object of the parts; returns the checksum that the server computed of it.

        Args:
            replace: leave ``If-None-Match`` out. Only for an upload that the server does not list any more: then
                nothing can be written, and a server that had finished it repeats its answer.

        Returns None when the server does not know the upload. Raises KeyExistsError where the name is taken.
        """
        listed = [{"PartNumber": p.number, "ETag": tag, "ChecksumSHA256": base64_of(p.sha256)} for p, tag in parts]
        guard = {} if replace else {"IfNoneMatch": "*"}
        try:
            with _told():
                answer = self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": listed}, **guard
                )
        except _NoSuchUploadError:
            return None
        return answer.get("ChecksumSHA256", "")

    def abandon(self, key: str, upload_id: str) -> None:
        """Let the server forget an unfinished upload."""
        try:
            with _told():
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload_id)
        except _NoSuchUploadError:
            pass


@functools.cache
def _boto3_session() -> boto3.session.Session:
    """One for all clients: it keeps the descriptions of the service, which take long to read."""
    return boto3.session.Session()


class _NoSuchUploadError(Exception):
    """The server does not know an upload id: finished, abandoned, or lost."""


@contextmanager
def _told() -> Iterator[None]:
    """What the server or the line refuses becomes one of our errors. Nothing of the server's own text is repeated: it
    may hold the key."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise _error(code, status) from None
    except SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise TargetError(
                "The server's certificate is not trusted: it is another server, or the target file lacks ca_file. "
                "Nothing was sent; ask the lab."
            ) from None
        raise ServerGoneError("The connection to the server was cut.") from None
    except ParamValidationError:
        raise
    except (BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
        raise ServerGoneError(f"The server does not answer ({type(error).__name__}).") from None


def _error(code: str, status: int) -> Exception:
    if code == "NoSuchUpload":
        return _NoSuchUploadError()
    if code == "PreconditionFailed":
        return KeyExistsError("The server holds something else under this name already.")
    if code in _WRONG_KEY:
        return WrongKeyError("The server does not accept this device's key. Ask the lab for a new target file.")
    if code == "RequestTimeTooSkewed":
        return ClockSkewError("This computer's clock is wrong by more than the server allows. Set date and time.")
    if code == "NoSuchBucket":
        return NoSuchBucketError("The server has no such bucket. Ask the lab for this device's target file.")
    if code in _AGAIN or status >= 500 or status in (0, 408, 429):
        return ServerGoneError(f"The server answers with an error ({code or status}).")
    if status in (401, 403):
        return NoPermissionError("The server does not let this device upload. Ask the lab to allow it.")
    return TargetError(f"The server refuses the upload ({code or status}). Ask the lab.")
