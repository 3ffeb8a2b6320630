"""Objects of an S3 endpoint: the few operations that processing needs, with errors that a person can mend.

The endpoint, the region and the credentials are found where all AWS tools find them: environment variables
(AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID …), ~/.aws, or the role of the machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError

SCHEME = "s3://"
ORIGIN = "wildgrasp-origin"  # metadata of an object that was copied: the hash or ETag of what it is a copy of
MAX_TEXT = 16 * 1024 * 1024  # bytes of a marker or a page that are read into memory


@dataclass(frozen=True)
class RemoteFile:
    """An object below a prefix."""

    key: str
    bytes: int
    etag: str
    modified: datetime


@dataclass(frozen=True)
class Prefix:
    """A folder in a bucket; ``/`` descends."""

    bucket: str
    key: str  # without slashes at its ends; may be empty

    @classmethod
    def parse(cls, url: str) -> Prefix:
        """From ``s3://bucket/some/prefix``. Raises SessionError where there is no bucket in it."""
        bucket, _, key = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not bucket:
            raise SessionError(f"{url} is no S3 address. Write s3://bucket/prefix.")
        return cls(bucket, key.strip("/"))

    def __truediv__(self, name: str) -> Prefix:
        return Prefix(self.bucket, f"{self.key}/{name}".strip("/"))

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        return self.key.rsplit("/", 1)[-1]


class Store:
    """An S3 endpoint. Cheap to make; one per process."""

    def __init__(self) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ModuleNotFoundError as error:
            raise SessionError("S3 needs the package boto3. Run: pip install 'wildgrasp[processing]'") from error
        with _told("S3"):
            retries = {"mode": "standard", "max_attempts": 5}
            self._client = boto3.session.Session().client(
                "s3", config=Config(retries=retries, connect_timeout=10, read_timeout=60)
            )

    def list(self, prefix: Prefix) -> dict[str, RemoteFile]:
        """All objects below a prefix, by their path relative to it."""
        start = f"{prefix.key}/" if prefix.key else ""
        found: dict[str, RemoteFile] = {}
        with _told(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=start)
            for item in (item for page in pages for item in page.get("Contents", ())):
                file = RemoteFile(item["Key"], item["Size"], item["ETag"].strip('"'), item["LastModified"])
                found[item["Key"][len(start) :]] = file
        return found

    def read(self, at: Prefix) -> bytes | None:
        """A small object, or None where there is none."""
        with _told(at):
            try:
                body = self._client.get_object(Bucket=at.bucket, Key=at.key)["Body"]
            except self._client.exceptions.NoSuchKey:
                return None
            return body.read(MAX_TEXT)

    def write(self, at: Prefix, content: bytes, kind: str) -> None:
        """A small object, whole or not at all."""
        with _told(at):
            self._client.put_object(Bucket=at.bucket, Key=at.key, Body=content, ContentType=kind)

    def download(self, at: Prefix, file: RemoteFile, path: Path) -> None:
        """An object to a file, which appears whole or not at all."""
        part = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with _told(at):
            self._client.download_file(at.bucket, file.key, str(part))
        if part.stat().st_size != file.bytes:
            raise SessionError(f"{at} changed while it was read. Nothing was changed there; process it again.")
        os.replace(part, path)  # noqa: PTH105

    def upload(self, path: Path, at: Prefix, kind: str = "application/octet-stream", origin: str = "") -> None:
        """A file to an object, which appears whole or not at all."""
        extra = {"ContentType": kind, "Metadata": {ORIGIN: origin or sha256(path)}}
        with _told(at):
            self._client.upload_file(str(path), at.bucket, at.key, ExtraArgs=extra)

    def copy(self, source: Prefix, at: Prefix, origin: str) -> None:
        """An object to another place, inside the server."""
        extra = {"MetadataDirective": "REPLACE", "Metadata": {ORIGIN: origin}}
        with _told(at):
            self._client.copy({"Bucket": source.bucket, "Key": source.key}, at.bucket, at.key, ExtraArgs=extra)

    def origin(self, at: Prefix) -> str:
        """What an object says that it is a copy of; empty where it says nothing."""
        with _told(at):
            return self._client.head_object(Bucket=at.bucket, Key=at.key)["Metadata"].get(ORIGIN, "")

    def delete(self, at: Prefix) -> None:
        with _told(at):
            self._client.delete_object(Bucket=at.bucket, Key=at.key)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _told(place: Any) -> Iterator[None]:
    """What the endpoint refuses becomes one clear error."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise SessionError(
            f"{place}: {error} Nothing was left half done. See that the address is right and that AWS_ENDPOINT_URL and "
            "the credentials (AWS_ACCESS_KEY_ID … or ~/.aws) are those of the server, then process again."
        ) from error
