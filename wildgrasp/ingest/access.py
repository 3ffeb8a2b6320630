"""Who may do what on a lab's server: one administrator, and devices that may write below their own name only.

SeaweedFS reads identities and policies from one file. It holds secrets, so only its owner may read it.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wildgrasp.errors import UserError
from wildgrasp.upload.target import UploadTarget, check_device_name

ACCESS_NAME = "access.json"
BUCKET = "sessions"
ADMIN = "lab-admin"
# All that an upload needs. Not s3:GetObject, s3:ListBucket, s3:DeleteObject; and no legacy "actions", whose "Write"
# would include deleting.
DEVICE_ACTIONS = ("s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload")


class IngestError(UserError):
    """The lab's server cannot be set up, started or read."""


@dataclass(frozen=True)
class Key:
    access_key: str
    secret_key: str = field(repr=False)


def device_policy(device: str, bucket: str = BUCKET) -> dict[str, Any]:
    """The policy of one device, in AWS's language: good for any S3 server."""
    statement = {
        "Effect": "Allow",
        "Action": list(DEVICE_ACTIONS),
        "Resource": [f"arn:aws:s3:::{bucket}/{device}/*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class Access:
    """The file of identities in a server's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ACCESS_NAME

    def create(self) -> None:
        """Make an administrator's key where there is none yet."""
        if not self.path.exists():
            admin = {"name": ADMIN, "credentials": [_new_key()], "actions": ["Admin"]}
            self._write({"identities": [admin], "policies": []})

    def admin_key(self) -> Key:
        return self._key(ADMIN)

    def devices(self) -> list[str]:
        return [identity["name"] for identity in self._read()["identities"] if identity["name"] != ADMIN]

    def add_device(self, device: str, endpoint: str, ca_file: str = "") -> UploadTarget:
        """Let a device upload; returns what it needs to know. Raises IngestError where it is known already."""
        check_device_name(device)
        value = self._read()
        if device in self.devices() or device == ADMIN:
            raise IngestError(f"There is a device {device!r} already. Choose another name, or remove it first.")
        key = _new_key()
        # Made first: what is wrong with the endpoint is told before anything is written.
        target = UploadTarget(endpoint, BUCKET, device, key["accessKey"], key["secretKey"], ca_file=ca_file)
        policy = {"name": f"upload-{device}", "content": json.dumps(device_policy(device))}
        value["identities"].append({"name": device, "credentials": [key], "policyNames": [policy["name"]]})
        value["policies"].append(policy)
        self._write(value)
        return target

    def remove_device(self, device: str) -> None:
        """Take a device's key back: lost, stolen, or no longer used. What it uploaded stays."""
        value = self._read()
        if device not in self.devices():
            raise IngestError(f"There is no device {device!r}. Known are: {', '.join(self.devices()) or 'none'}.")
        value["identities"] = [i for i in value["identities"] if i["name"] != device]
        value["policies"] = [p for p in value["policies"] if p["name"] != f"upload-{device}"]
        self._write(value)

    def _key(self, name: str) -> Key:
        identity = next(i for i in self._read()["identities"] if i["name"] == name)
        return Key(identity["credentials"][0]["accessKey"], identity["credentials"][0]["secretKey"])

    def _read(self) -> dict[str, Any]:
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            raise IngestError(
                f"{self.path.parent} is no server's folder yet. Run `wildgrasp ingest-server start` on it first."
            ) from None
        except (OSError, ValueError):
            raise IngestError(f"{self.path} cannot be read. Put a copy of it back; nothing was changed.") from None

    def _write(self, value: dict[str, Any]) -> None:
        """Replaced in one step, so that a running server never reads half of it."""
        new = self.path.with_suffix(".new")
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w") as file:
                json.dump(value, file, indent=1)
                file.flush()
                os.fsync(fd)
            new.replace(self.path)
        except OSError as error:
            raise IngestError(f"{self.path} cannot be written ({error.strerror}). Nothing was changed.") from error


def _new_key() -> dict[str, str]:
    return {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_urlsafe(30)}
