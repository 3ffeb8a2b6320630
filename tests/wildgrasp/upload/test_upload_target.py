"""The key of a device: read from a file that is its owner's alone, and never seen again."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading

import pytest

from wildgrasp.upload.errors import TargetError
from wildgrasp.upload.target import UploadTarget, load_target, save_target

SECRETS = ("AKIDKEYKEYKEY", "verysecretvalue")
TARGET = UploadTarget("https://lab.example:8333", "sessions", "kitchen-1", *SECRETS)


def test_a_target_survives_its_file_and_only_the_owner_may_read_it(tmp_path):
    path = tmp_path / "new" / "upload.toml"
    save_target(path, TARGET)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_target(path) == TARGET


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / "upload.toml"
    path.write_text("mine")
    with pytest.raises(TargetError, match="exists already"):
        save_target(path, TARGET)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o602, 0o644, 0o610, 0o777])
def test_looser_modes_are_refused(tmp_path, mode):
    path = tmp_path / "upload.toml"
    save_target(path, TARGET)
    path.chmod(mode)
    with pytest.raises(TargetError, match="chmod 600"):
        load_target(path)


def test_links_pipes_and_missing_files_are_refused(tmp_path):
    save_target(tmp_path / "real.toml", TARGET)
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")
    os.mkfifo(tmp_path / "pipe.toml", 0o600)
    for name in ("link.toml", "pipe.toml", "missing.toml"):
        with pytest.raises(TargetError, match=name):
            load_target(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f'secret_key = "{SECRETS[1]}',
        f"secret_key = {SECRETS[1]}",
        f'endpoint = 1\nbucket = "b"\ndevice = "d"\naccess_key = "{SECRETS[0]}"\nsecret_key = "{SECRETS[1]}"',
        f'secret_key = "{SECRETS[1]}"\nelse = 1',
        f"\xff{SECRETS[1]}",
    ],
)
def test_a_malformed_file_is_one_sentence_that_quotes_nothing_of_it(tmp_path, text):
    path = tmp_path / "upload.toml"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(TargetError) as told:
        load_target(path)
    assert told.value.__cause__ is None and told.value.__suppress_context__
    assert not any(secret in str(told.value) for secret in SECRETS)


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://lab.example:8333"},  # would go unencrypted
        {"endpoint": "ftp://lab.example"},
        {"endpoint": "https://"},
        {"endpoint": "https://user:pass@lab.example"},
        {"endpoint": "https://lab.example:port"},
        {"endpoint": "https://lab.example/elsewhere"},
        {"bucket": "../x"},
        {"bucket": ""},
        {"device": "../other"},
        {"device": "a/b"},
        {"device": ""},
        {"device": "A"},
        {"secret_key": ""},
    ],
)
def test_impossible_targets_are_refused(change):
    with pytest.raises(TargetError):
        UploadTarget(**{**{n: getattr(TARGET, n) for n in UploadTarget.__dataclass_fields__}, **change})


def test_plain_http_is_allowed_on_this_computer_only():
    assert UploadTarget("http://127.0.0.1:8333", "sessions", "d", *SECRETS).place == "http://127.0.0.1:8333/sessions/d"


def test_nothing_of_the_key_is_in_repr_place_log_queue_or_session(
    caplog, queue, make_session, make_uploader, device, tmp_path, capfd
):
    """Everything that an upload leaves behind, at the most talkative log level, also where the key is refused."""
    caplog.set_level(logging.DEBUG)
    wrong = UploadTarget(device.endpoint, device.bucket, device.device, device.access_key, "wrong-" + SECRETS[1])
    session = make_session()
    queue.add(session)
    with pytest.raises(TargetError) as told:
        make_uploader(wrong).run(threading.Event())
    make_uploader().run(threading.Event())
    assert queue.item(session).state == "uploaded"
    written = [path.read_bytes() for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
    with sqlite3.connect(queue.path) as db:
        rows = "\n".join(db.iterdump())
    out, err = capfd.readouterr()
    said = "\n".join([repr(device), device.place, caplog.text, repr(told.value), rows, out, err])
    for secret in (device.access_key, device.secret_key, wrong.secret_key):
        assert secret not in said
        assert not any(secret.encode() in data for data in written)
