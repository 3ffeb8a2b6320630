"""Where a device uploads to, and the key that lets it.

The key lives in one file that nobody else may read, and in memory; never in a session, a log, ``repr`` or an error's
text.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wildgrasp.upload.errors import TargetError

DEFAULT_TARGET = Path("~/.config/wildgrasp/upload.toml")
MAX_BYTES = 64 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TEXT = re.compile(r'[^"\\\x00-\x1f\x7f]+')


@dataclass(frozen=True)
class UploadTarget:
    """An S3 server, the bucket in it, and this device's name and key. Objects are named ``DEVICE/SESSION/FILE``."""

    endpoint: str  # https://HOST:PORT; http only on this computer
    bucket: str
    device: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    ca_file: str = ""  # certificate of the lab's own authority; '' for the well-known ones

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.endpoint)
            host, plain = url.hostname, url.path in ("", "/") and not (url.query or url.fragment or url.username)
            _ = url.port
        except ValueError:
            host, plain = None, False
        if url_scheme(self.endpoint) not in ("http", "https") or not host or not plain:
            raise TargetError("The endpoint of the upload target is no address like https://HOST:PORT.")
        if url_scheme(self.endpoint) == "http" and host not in LOOPBACK:
            raise TargetError("The upload target would send recordings unencrypted. Use an address with https://.")
        if not BUCKET_NAME.fullmatch(self.bucket):
            raise TargetError(f"The upload target's bucket {self.bucket!r} is no name of a bucket.")
        check_device_name(self.device)
        if not self.access_key or not self.secret_key:
            raise TargetError("The upload target holds no key. Ask the lab for this device's target file.")

    @property
    def place(self) -> str:
        """Which copies belong together: server, bucket and device, without the key."""
        return f"{self.endpoint.rstrip('/')}/{self.bucket}/{self.device}"


def url_scheme(endpoint: str) -> str:
    return endpoint.partition("://")[0].lower()


def check_device_name(name: str) -> None:
    """Raises TargetError where a name could not be a device's prefix."""
    if not DEVICE_NAME.fullmatch(name):
        raise TargetError(f"{name!r} is no name of a device: use small letters, digits and '-', at most 63.")


def load_target(path: Path) -> UploadTarget:
    """Read a target file (TOML). Raises TargetError where it is missing, not whole, or readable by others."""
    path = Path(path).expanduser()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise TargetError(
            f"The upload target {path} cannot be read ({error.strerror}). Copy the file that the lab made for this "
            "device there."
        ) from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise TargetError(f"The upload target {path} is no file of yours. Nothing was read from it.")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise TargetError(f"Others may read the key in {path}. Run: chmod 600 {path}")
        data = file.read(MAX_BYTES)
    try:
        values = tomllib.loads(data.decode())
        known = {name: values.pop(name) for name in UploadTarget.__dataclass_fields__ if name in values}
        if values or not all(isinstance(value, str) for value in known.values()):
            raise TypeError
        target = UploadTarget(**known)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError):
        # Without the reason: a parser's message may quote the line that holds the key.
        raise TargetError(f"{path} is no upload target. Ask the lab for this device's file.") from None
    if target.ca_file and not Path(target.ca_file).expanduser().is_file():
        raise TargetError(f"The certificate {target.ca_file} that {path} names is missing. Ask the lab for it.")
    return target


def save_target(path: Path, target: UploadTarget) -> None:
    """Write a target file that only its owner may read. Raises TargetError where the file exists or cannot be
    written."""
    values = {name: getattr(target, name) for name in UploadTarget.__dataclass_fields__}
    if any(value and not _TEXT.fullmatch(value) for value in values.values()):
        raise TargetError("A value of the upload target holds characters that a target file cannot.")
    text = "".join(f'{name} = "{value}"\n' for name, value in values.items() if value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise TargetError(f"{path} exists already. Move it away first; nothing was changed.") from None
    except OSError as error:
        raise TargetError(f"{path} cannot be written ({error.strerror}).") from None
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
