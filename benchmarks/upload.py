"""What do cuts cost an upload?

Sessions go to a real S3 server through a proxy that, at a random byte or at a random answer, cuts the line, kills the
uploading process (SIGKILL), or kills the server and starts it again. Afterwards everything on the server is read back
and compared with the recording. Every byte on the line counts, requests included; what a session costs without a cut
is measured in the same run. The peer is boto3's own ``upload_file``, called again until it succeeds.

    python -m benchmarks.upload --cuts 120 --json upload.json
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.clip import INFO, clip
from benchmarks.cutting_proxy import CuttingProxy
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.ingest.access import BUCKET
from wildgrasp.ingest.server import IngestServer, free_port
from wildgrasp.sessions.writer import SessionWriter
from wildgrasp.upload.manifest import SUFFIX
from wildgrasp.upload.queue import QUEUE_NAME, UploadQueue
from wildgrasp.upload.target import UploadTarget
from wildgrasp.upload.uploader import UploadConfig, Uploader

JsonFile = Annotated[Path | None, tyro.conf.arg(name="json")]

PART = 5 * 1024 * 1024  # the least that S3 takes: the most places to be cut at
EXTRA_BYTES = 2 * PART + 1_000_000
KINDS = ("line at a byte", "line at an answer", "uploader killed", "server killed")
WEIGHTS = (40, 20, 30, 10)
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass
class Outcome:
    """What cuts of one kind cost one uploader."""

    cuts: int = 0
    hash_mismatches: int = 0
    bytes_sent: int = 0  # that had to be, requests included
    bytes_resent: int = 0
    resent_max: int = 0  # by one cut


def upload_all(folder: Path, target: UploadTarget) -> None:
    """What a device does: its queue's sessions, as long as it takes."""
    Uploader(UploadQueue(folder / QUEUE_NAME), target, UploadConfig(part_bytes=PART)).run(threading.Event())


def upload_with_boto3(folder: Path, target: UploadTarget) -> None:
    """The same with boto3's transfer manager, which remembers nothing."""
    import boto3
    from boto3.exceptions import Boto3Error
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=target.endpoint,
        region_name=target.region,
        aws_access_key_id=target.access_key,
        aws_secret_access_key=target.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, use_threads=False)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name.split(".")[0] != "uploads"):
        while True:
            try:
                client.upload_file(str(path), BUCKET, f"{target.device}/{path.relative_to(folder)}", Config=transfer)
                break
            except (Boto3Error, BotoCoreError, ClientError):
                continue


class Trials:
    """One recording after the other, each uploaded with one cut."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._rng = random.Random(seed)
        self._frames: list[RGBDFrame] = clip(10)
        self.server = IngestServer(root / "lab", free_port())
        self.server.start()
        self._admin = self.server.admin_client()
        self.proxy = CuttingProxy(self.server.port)
        target = self.server.access.add_device("bench", self.server.endpoint)
        self.server.kill()
        self.server.start()
        self._target = replace(target, endpoint=f"http://127.0.0.1:{self.proxy.port}")
        self._number = 0

    def close(self) -> None:
        self.proxy.close()
        self.server.kill()

    def run(self, work: Callable[[Path, UploadTarget], None], kind: str, outcome: Outcome) -> None:
        """Record, upload with a cut of a kind, compare; add to the outcome."""
        folder, before = self._record(), self.proxy.bytes_up
        self._cut(work, folder, kind)
        resent = max(0, self.proxy.bytes_up - before - self._uncut)
        outcome.cuts += self.proxy.fired.is_set()
        outcome.bytes_sent += self._uncut
        outcome.bytes_resent += resent
        outcome.resent_max = max(outcome.resent_max, resent)
        outcome.hash_mismatches += not self._same(folder, work is upload_all)
        shutil.rmtree(folder)

    def measure_uncut(self, work: Callable[[Path, UploadTarget], None]) -> None:
        """What a session costs without a cut: bytes up, bytes of both directions, answers."""
        folder = self._record()
        up, both, answers = self.proxy.bytes_up, self.proxy.bytes_both, self.proxy.answers
        self._start(work, folder).join()
        self._uncut = self.proxy.bytes_up - up
        self._bytes, self._answers = self.proxy.bytes_both - both, self.proxy.answers - answers
        if not self._same(folder, work is upload_all):
            raise RuntimeError("The upload without a cut is wrong already.")
        shutil.rmtree(folder)

    def _record(self) -> Path:
        folder = self._root / f"recordings-{self._number:04d}"
        folder.mkdir()
        session = folder / f"session-{self._number:04d}"
        with SessionWriter(session, INFO) as out:
            for frame in self._frames:
                out.add_frame(frame)
        (session / "extra.bin").write_bytes(self._rng.randbytes(EXTRA_BYTES))
        UploadQueue(folder / QUEUE_NAME).add(session)
        self._number += 1
        return folder

    def _start(self, work: Callable[[Path, UploadTarget], None], folder: Path) -> multiprocessing.Process:
        process = _CONTEXT.Process(target=work, args=(folder, self._target), daemon=True)
        process.start()
        return process

    def _cut(self, work: Callable[[Path, UploadTarget], None], folder: Path, kind: str) -> None:
        process: multiprocessing.Process | None = None
        started = threading.Event()

        def strike() -> None:
            started.wait()
            if kind == "uploader killed":
                process.kill()
            elif kind == "server killed":
                self.server.kill()

        if kind == "line at an answer":
            self.proxy.cut_at_answer(self._rng.randrange(self._answers), strike)
        else:
            self.proxy.cut_at_byte(self._rng.randrange(self._bytes), strike)
        process = self._start(work, folder)
        started.set()
        while not self.proxy.fired.wait(0.1) and process.is_alive():
            pass  # requests differ by some bytes: a cut at the very end may not be reached
        if not self.server.running:
            self.server.start()
        process.join()
        if process.exitcode != 0:
            self._start(work, folder).join()

    def _same(self, folder: Path, with_manifest: bool) -> bool:
        (session,) = (path for path in folder.iterdir() if path.is_dir())
        here = {
            f"bench/{path.relative_to(folder)}": hashlib.sha256(path.read_bytes()).hexdigest()
            for path in session.rglob("*")
            if path.is_file()
        }
        listed = self._admin.list_objects_v2(Bucket=BUCKET, Prefix=f"bench/{session.name}").get("Contents", [])
        there = {entry["Key"]: self._read(entry["Key"]) for entry in listed}
        manifest = there.pop(f"bench/{session.name}{SUFFIX}", None)
        if with_manifest:
            files = json.loads(manifest or b'{"files": []}')["files"]
            if {f"bench/{session.name}/{file['path']}": file["sha256"] for file in files} != here:
                return False
        for entry in listed:
            self._admin.delete_object(Bucket=BUCKET, Key=entry["Key"])
        return {key: hashlib.sha256(data).hexdigest() for key, data in there.items()} == here

    def _read(self, key: str) -> bytes:
        return self._admin.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def main(cuts: int = 120, peer_cuts: int = 20, seed: int = 0, json_file: JsonFile = None) -> dict[str, Outcome]:
    """Cut uploads again and again.

    Args:
        cuts: how often.
        peer_cuts: how often the peer's.
        json_file: where to write the figures.
    """
    _CONTEXT.set_forkserver_preload(["wildgrasp.upload.uploader", "benchmarks.clip"])
    rng = random.Random(seed)
    root = Path(tempfile.mkdtemp(prefix="wildgrasp-upload-"))
    trials = Trials(root, seed)
    outcomes = {kind: Outcome() for kind in KINDS}
    peer = {kind: Outcome() for kind in KINDS[:3]}
    try:
        for work, found, count in ((upload_all, outcomes, cuts), (upload_with_boto3, peer, peer_cuts)):
            trials.measure_uncut(work)
            chosen = rng.choices(list(found), WEIGHTS[: len(found)], k=count)
            for kind in track(chosen, f"Cutting {'wildgrasp' if work is upload_all else 'boto3'}"):
                trials.run(work, kind, found[kind])
    finally:
        trials.close()
        shutil.rmtree(root, ignore_errors=True)
    Console().print(_table({"wildgrasp": outcomes, "boto3 upload_file": peer}))
    if json_file is not None:
        total = _sum(outcomes)
        figures = {
            "cuts": total.cuts,
            "hash_mismatches": total.hash_mismatches,
            "bytes_resent_fraction": total.bytes_resent / total.bytes_sent,
        }
        json_file.write_text(json.dumps(figures, indent=2))
    return outcomes


def _sum(outcomes: dict[str, Outcome]) -> Outcome:
    found = list(outcomes.values())
    return Outcome(
        *(sum(getattr(o, name) for o in found) for name in ("cuts", "hash_mismatches", "bytes_sent", "bytes_resent")),
        max(o.resent_max for o in found),
    )


def _table(rows: dict[str, dict[str, Outcome]]) -> Table:
    table = Table("uploader", "cut", "cuts", "wrong", "resent", "parts per cut, most")
    for name, outcomes in rows.items():
        for kind, o in {**outcomes, "all": _sum(outcomes)}.items():
            fraction = f"{o.bytes_resent / o.bytes_sent:.4f}" if o.bytes_sent else "–"
            table.add_row(name, kind, str(o.cuts), str(o.hash_mismatches), fraction, f"{o.resent_max / PART:.3f}")
    return table


if __name__ == "__main__":
    tyro.cli(main)
