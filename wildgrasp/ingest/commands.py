"""Verbs of a lab's own server for uploads."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import tyro
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from wildgrasp.ingest.access import BUCKET, Access, IngestError
from wildgrasp.ingest.front import TlsFront
from wildgrasp.ingest.receive import receive as take
from wildgrasp.ingest.server import LOOPBACK, IngestServer, admin_client
from wildgrasp.upload.target import save_target

WATCH_S = 0.5


def start(
    folder: tyro.conf.Positional[Path],
    port: int = 8333,
    tls_host: str = "",
    tls_port: int = 8443,
    tls_certificate: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Run a server that devices upload to, until Ctrl-C. Without --tls-host it can be reached from this computer only.

    Args:
        folder: where the server keeps everything.
        port: of S3 on this computer; the seven after it are used too.
        tls_host: offer it on this address of the network, encrypted (0.0.0.0: on all).
        tls_port: of the encrypted door.
        tls_certificate: certificate of the encrypted door (PEM).
        tls_key: its private key (PEM).
    """
    if tls_host and (tls_certificate is None or tls_key is None):
        raise IngestError("An address on the network needs --tls-certificate and --tls-key: recordings go encrypted.")
    server = IngestServer(folder.resolve(), port)
    server.start()
    try:
        front = TlsFront(tls_host, tls_port, tls_certificate, tls_key, port) if tls_host else None
        print(f"Bucket {BUCKET!r} is ready at {server.endpoint} (this computer only).")
        if front is not None:
            print(f"The network reaches it at https://{tls_host}:{front.port}.")
        print(f"Devices: {', '.join(server.access.devices()) or 'none yet; see `wildgrasp ingest-server add-device`'}")
        _watch(server)
        if front is not None:
            front.close()
    finally:
        server.kill()


def add_device(
    folder: tyro.conf.Positional[Path],
    name: tyro.conf.Positional[str],
    endpoint: str = f"http://{LOOPBACK}:8333",
    ca_file: str = "",
    out: Path | None = None,
) -> None:
    """Let a device upload: write the file that it needs. A running server knows the device at once.

    Args:
        folder: the server's folder.
        name: the device's; small letters, digits, '-'.
        endpoint: the server's address as the device sees it, https://HOST:PORT.
        ca_file: where on the device the certificate of the lab's own authority will lie.
        out: the file to write; default: devices/NAME.toml in the server's folder.
    """
    path = out or folder / "devices" / f"{name}.toml"
    if path.exists():
        raise IngestError(f"{path} exists already. Move it away first; nothing was changed.")
    save_target(path, Access(folder).add_device(name, endpoint, ca_file))
    print(f"{path} holds the key of {name}. Copy it to the device as ~/.config/wildgrasp/upload.toml, mode 600.")


def remove_device(folder: tyro.conf.Positional[Path], name: tyro.conf.Positional[str]) -> None:
    """Take a device's key back: lost, stolen, or no longer used. What it uploaded stays.

    Args:
        folder: the server's folder.
        name: the device's.
    """
    Access(folder).remove_device(name)
    (folder / "devices" / f"{name}.toml").unlink(missing_ok=True)
    print(f"{name} cannot upload any more.")


def receive(
    folder: tyro.conf.Positional[Path],
    out: Path | None = None,
    device: str = "",
    endpoint: str = f"http://{LOOPBACK}:8333",
    ca_file: str = "",
) -> int:
    """Read back every session that has arrived whole and compare it with its manifest. Exit code 1: one is damaged.

    Args:
        folder: the server's folder, which holds the administrator's key.
        out: put the sessions that are not there yet into this folder, as DEVICE/SESSION; default: only compare.
        device: of this device only; default: of all.
        endpoint: the running server's address.
        ca_file: the certificate of the lab's own authority, where the endpoint is https://.
    """
    client = admin_client(Access(folder), endpoint, ca_file)
    good = True
    columns = (TextColumn("Reading"), DownloadColumn(), TransferSpeedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Reading", total=None)
            for verdict in take(client, out, device, lambda amount: progress.advance(task, amount)):
                good &= verdict.good
                word = "whole" if verdict.good else "DAMAGED"
                progress.console.print(f"{verdict.device}/{verdict.session}: {word}: {verdict.text}", markup=False)
    except (BotoCoreError, ClientError) as error:
        text = f"The server at {endpoint} does not answer as it should ({type(error).__name__}). Does it run?"
        raise IngestError(text) from None
    return 0 if good else 1


def _watch(server: IngestServer) -> None:
    """Until somebody says stop: tell the server whenever its devices change."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    changed = server.access.path.stat().st_mtime_ns
    while not stop.wait(WATCH_S):
        if not server.running:
            raise IngestError(f"SeaweedFS has ended. What it says stands in {server.folder / 'server.log'}.")
        if (now := server.access.path.stat().st_mtime_ns) != changed:
            changed = now
            server.reload()
