"""A lab's server: nothing but S3 is reachable, the network's door is encrypted, and its verbs."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from wildgrasp import cli
from wildgrasp.ingest.access import Access, IngestError
from wildgrasp.ingest.front import TlsFront
from wildgrasp.ingest.server import IngestServer, free_port
from wildgrasp.upload.errors import TargetError
from wildgrasp.upload.target import load_target

HERE = Path(__file__).parent
CERTIFICATE, KEY = HERE / "loopback-certificate.pem", HERE / "loopback-key.pem"  # for 127.0.0.1, known to everybody


@pytest.fixture
def front(lab):
    front = TlsFront("127.0.0.1", 0, CERTIFICATE, KEY, lab.port)
    yield front
    front.close()


def test_every_listener_is_on_this_computer_only(lab):
    listening = listeners(lab._process.pid)
    assert len(listening) == 8
    assert set(listening) == {"0100007F"}  # 127.0.0.1, as the kernel writes it
    assert b"-master.telemetry=false" in Path(f"/proc/{lab._process.pid}/cmdline").read_bytes().split(b"\0")


def listeners(pid: int) -> list[str]:
    """Addresses on which a process listens, as Linux lists them."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


def test_its_folder_is_its_owners_alone(lab):
    for path in (lab.folder / "data", lab.access.path):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_a_second_server_on_the_folder_or_the_port_is_refused(lab, tmp_path):
    with pytest.raises(IngestError, match="already"):
        IngestServer(lab.folder, free_port()).start()
    with pytest.raises(IngestError, match="taken"):
        IngestServer(tmp_path / "other", lab.port).start()


def test_an_upload_through_the_encrypted_door(queue, make_session, make_uploader, device, front, on_server):
    session = make_session(extra_bytes=9_000_000)
    queue.add(session)
    secure = replace(device, endpoint=f"https://127.0.0.1:{front.port}", ca_file=str(CERTIFICATE))
    make_uploader(secure).run(threading.Event())
    assert queue.item(session).state == "uploaded"
    assert len(on_server(f"{device.device}/s1/")) == 3


def test_a_certificate_that_is_not_trusted_is_said_and_nothing_is_sent(
    queue, make_session, make_uploader, device, front, on_server
):
    session = make_session()
    queue.add(session)
    with pytest.raises(TargetError, match="certificate is not trusted"):
        make_uploader(replace(device, endpoint=f"https://127.0.0.1:{front.port}")).run(threading.Event())
    assert queue.item(session).state == "waiting"
    assert on_server(device.device) == {}


def test_the_door_survives_visitors_that_speak_no_tls(front, queue, make_session, make_uploader, device):
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(2000)):
        with socket.create_connection(("127.0.0.1", front.port)) as visitor:
            visitor.sendall(garbage)
    test = replace(device, endpoint=f"https://127.0.0.1:{front.port}", ca_file=str(CERTIFICATE))
    queue.add(make_session())
    make_uploader(test).run(threading.Event())
    assert queue.items()[0].state == "uploaded"


def test_a_certificate_that_cannot_be_used_is_told(tmp_path):
    with pytest.raises(IngestError, match="cannot be used"):
        TlsFront("127.0.0.1", 0, tmp_path / "none.pem", KEY, 1)


def test_devices_are_added_and_removed_by_verbs(tmp_path, capsys):
    Access(tmp_path).create()
    assert cli.main(["ingest-server", "add-device", str(tmp_path), "kitchen-1", "--endpoint", "https://lab:8443"]) == 0
    path = tmp_path / "devices" / "kitchen-1.toml"
    target = load_target(path)  # which checks its mode
    assert (target.device, target.endpoint, target.bucket) == ("kitchen-1", "https://lab:8443", "sessions")
    said = capsys.readouterr()
    assert target.secret_key not in said.out + said.err
    assert cli.main(["ingest-server", "add-device", str(tmp_path), "kitchen-1"]) == 2
    assert cli.main(["ingest-server", "add-device", str(tmp_path), "../x"]) == 2
    assert cli.main(["ingest-server", "add-device", str(tmp_path), "k2", "--endpoint", "http://lab:8443"]) == 2
    assert Access(tmp_path).devices() == ["kitchen-1"]
    assert cli.main(["ingest-server", "remove-device", str(tmp_path), "kitchen-1"]) == 0
    assert Access(tmp_path).devices() == [] and not path.exists()
    assert cli.main(["ingest-server", "remove-device", str(tmp_path), "kitchen-1"]) == 2
    assert cli.main(["ingest-server", "add-device", str(tmp_path / "none"), "k"]) == 2


def test_an_address_on_the_network_needs_a_certificate(tmp_path, capsys):
    assert cli.main(["ingest-server", "start", str(tmp_path / "lab"), "--tls-host", "0.0.0.0"]) == 2
    assert "encrypted" in capsys.readouterr().err
    assert not (tmp_path / "lab").exists()


def test_start_serves_devices_that_are_added_while_it_runs_and_ends_on_a_signal(
    tmp_path, queue, make_session, make_uploader
):
    folder, port = tmp_path / "lab", free_port()
    command = [sys.executable, "-m", "wildgrasp.cli", "ingest-server", "start", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert re.search(r"ready at http://127\.0\.0\.1", process.stdout.readline())
        add = ["ingest-server", "add-device", str(folder), "late", "--endpoint", f"http://127.0.0.1:{port}"]
        assert cli.main(add) == 0
        session = make_session()
        queue.add(session)
        uploader = make_uploader(load_target(folder / "devices" / "late.toml"))
        for _ in range(5000):
            try:
                uploader.run(threading.Event())
                break
            except TargetError:
                continue  # the running server has not seen the new device yet
        assert queue.item(session).state == "uploaded"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=90)
    assert process.returncode == 0
