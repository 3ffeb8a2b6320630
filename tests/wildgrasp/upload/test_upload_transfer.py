"""Sessions arrive whole at a real S3 server, whatever is cut when, and no part is sent twice without need."""

from __future__ import annotations

import json
import threading

import pytest

from benchmarks.cutting_proxy import CuttingProxy
from wildgrasp.ingest.access import BUCKET
from wildgrasp.upload.contents import list_files, plan_file
from wildgrasp.upload.errors import KeyExistsError, ServerGoneError, SessionChangedError
from wildgrasp.upload.ledger import Ledger
from wildgrasp.upload.manifest import composite_sha256
from wildgrasp.upload.store import ObjectStore
from wildgrasp.upload.transfer import transfer

PART = 5 * 1024 * 1024


def run(uploader, stop=None, on_progress=None) -> None:
    uploader.run(stop or threading.Event(), on_progress)


def planned(queue, session, target) -> Ledger:
    ledger = Ledger(queue, session, target)
    ledger.plan([plan_file(session, path, PART, lambda _: None) for path, _ in list_files(session)])
    return ledger


class CountingStore(ObjectStore):
    """Counts the parts that the server took, by name and number."""

    def __init__(self, target) -> None:
        super().__init__(target)
        self.sent: list[tuple[str, int]] = []

    def send(self, key, upload_id, part, data, on_bytes=lambda _: None) -> str:
        etag = super().send(key, upload_id, part, data, on_bytes)
        self.sent.append((key, part.number))
        return etag


@pytest.fixture
def proxy(lab):
    proxy = CuttingProxy(lab.port)
    yield proxy
    proxy.close()


@pytest.fixture
def same(device, on_server, local_hashes):
    """Whether the server holds exactly a session's files, and a manifest that says so."""

    def check(session, admin) -> bool:
        prefix = f"{device.device}/{session.name}"
        here, there = local_hashes(session), on_server(f"{prefix}/")
        manifest = json.loads(admin.get_object(Bucket=BUCKET, Key=f"{prefix}.manifest.json")["Body"].read())
        listed = {file["path"]: file["sha256"] for file in manifest["files"]}
        return there == {f"{prefix}/{name}": value for name, value in here.items()} and listed == here

    return check


def test_a_session_arrives_with_its_manifest_last(queue, make_session, make_uploader, device, admin, same):
    session = make_session(extra_bytes=PART + 1000)
    (session / "empty.txt").touch()
    queue.add(session)
    seen = []
    run(make_uploader(), on_progress=seen.append)
    item = queue.items()[0]
    assert (item.state, item.problem) == ("uploaded", "")
    assert item.bytes_sent == item.bytes_total > PART
    assert item.uploaded_at is not None
    assert same(session, admin)
    objects = admin.list_objects_v2(Bucket=BUCKET, Prefix=device.device)["Contents"]
    assert max(objects, key=lambda entry: entry["LastModified"])["Key"].endswith(".manifest.json")
    sent = [item.bytes_sent for item in seen]
    assert sent == sorted(sent)
    assert len(set(sent)) > 10


def test_a_power_cut_between_any_two_steps_loses_nothing_and_resends_no_confirmed_part(
    queue, make_session, device, admin, same
):
    """The state machine is thrown away after n steps and started anew, for every n up to the end."""
    cut_after = 0
    while True:
        session = make_session(f"cut-{cut_after}", extra_bytes=PART + 10)
        queue.add(session)
        ledger, store = planned(queue, session, device), CountingStore(device)
        steps = transfer(session, ledger, store)
        finished = all(next(steps, "end") != "end" for _ in range(cut_after)) and next(steps, "end") == "end"
        steps.close()
        # All that is left is the queue's file and the server.
        again = planned(queue, session, device)
        list(transfer(session, again, store))
        assert all(file.checksum == composite_sha256(file.parts) for file in again.files())
        assert len(store.sent) == len(set(store.sent)) == 5, f"cut after step {cut_after}"
        assert same(session, admin), f"cut after step {cut_after}"
        if finished:
            break
        cut_after += 1
    assert cut_after > 20


def test_every_answer_may_be_lost(queue, make_session, make_uploader, proxy, admin, same):
    """The server did what it was asked, and its answer never arrives: at every answer of an upload in turn."""
    number = 0
    while True:
        session = make_session(f"lost-{number}")
        queue.add(session)
        proxy.cut_at_answer(number)
        run(make_uploader(port=proxy.port))
        assert queue.item(session).state == "uploaded", queue.item(session).problem
        assert same(session, admin)
        if not proxy.fired.is_set():
            break
        number += 1
    assert number >= 9  # three objects, three requests each


def test_a_cut_in_a_part_costs_at_most_that_part(queue, make_session, make_uploader, proxy, admin, same):
    session = make_session(extra_bytes=3 * PART)
    queue.add(session)
    proxy.cut_at_byte(2 * PART)
    run(make_uploader(port=proxy.port))
    assert proxy.fired.is_set()
    assert same(session, admin)
    total = queue.item(session).bytes_total
    assert total <= proxy.bytes_up <= total + PART + 100_000


def test_a_stop_takes_effect_within_a_part_and_the_rest_follows_later(
    queue, make_session, make_uploader, proxy, admin, same
):
    session = make_session(extra_bytes=2 * PART)
    queue.add(session)
    stop = threading.Event()
    run(make_uploader(port=proxy.port), stop, lambda item: item.bytes_sent > 1.5 * PART and stop.set())
    assert queue.item(session).state == "waiting"
    assert PART <= queue.item(session).bytes_sent < 2 * PART
    assert proxy.bytes_up < 1.8 * PART
    run(make_uploader(port=proxy.port))
    assert same(session, admin)


def test_an_error_of_the_watcher_is_not_taken_for_the_networks(queue, make_session, make_uploader):
    session = make_session(extra_bytes=PART)
    queue.add(session)

    def broken(item) -> None:
        if item.bytes_sent > 1_000_000:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(make_uploader(), on_progress=broken)
    assert queue.item(session).state == "waiting"
    run(make_uploader())
    assert queue.item(session).state == "uploaded"


def test_a_pause_from_elsewhere_stops_after_the_part_at_hand(queue, make_session, make_uploader):
    session = make_session(extra_bytes=2 * PART)
    queue.add(session)
    run(make_uploader(), on_progress=lambda item: item.bytes_sent > 0 and queue.pause())
    assert queue.item(session).state == "waiting"
    run(make_uploader())
    assert queue.item(session).state == "waiting"
    queue.resume()
    run(make_uploader())
    assert queue.item(session).state == "uploaded"


def test_a_part_that_was_damaged_on_the_way_is_refused(queue, make_session, device):
    session = make_session(extra_bytes=1000)
    queue.add(session)
    file = next(file for file in planned(queue, session, device).files() if file.path == "extra.bin")
    store = ObjectStore(device)
    upload = store.begin(file.key)
    data = bytearray((session / "extra.bin").read_bytes())
    data[500] ^= 1
    with pytest.raises(ServerGoneError, match="BadDigest"):
        store.send(file.key, upload, file.parts[0], bytes(data))
    assert store.parts(file.key, upload) == {}


def test_a_foreign_part_on_the_server_is_replaced(queue, make_session, device, admin, same):
    """The server lists a part of the right size whose content is another: ListParts alone is not believed."""
    session = make_session(extra_bytes=1000)
    queue.add(session)
    ledger, store = planned(queue, session, device), ObjectStore(device)
    file = next(file for file in ledger.files() if file.path == "extra.bin")
    ledger.begun(file, store.begin(file.key))
    upload = next(f for f in ledger.files() if f.path == "extra.bin").upload_id
    foreign = {"PartNumber": 1, "Body": b"x" * 1000, "ChecksumAlgorithm": "SHA256"}
    admin.upload_part(Bucket=BUCKET, Key=file.key, UploadId=upload, **foreign)
    assert store.parts(file.key, upload)[1].bytes == 1000
    list(transfer(session, ledger, store))
    assert same(session, admin)


def test_parts_that_the_server_lost_are_sent_again(queue, make_session, device, admin, same):
    session = make_session(extra_bytes=PART + 10)
    queue.add(session)
    ledger, store = planned(queue, session, device), CountingStore(device)
    steps = transfer(session, ledger, store)
    while store.sent[-1:] != [(f"{device.device}/s1/extra.bin", 1)]:
        next(steps)
    next(steps)
    file = next(file for file in ledger.files() if file.path == "extra.bin")
    assert file.etags[0] is not None
    store.abandon(file.key, file.upload_id)
    list(transfer(session, Ledger(queue, session, device), store))
    assert same(session, admin)


def test_what_is_on_the_server_is_never_overwritten(queue, make_session, make_uploader, device, admin, tmp_path):
    session = make_session(extra_bytes=100)
    key = f"{device.device}/s1/extra.bin"
    admin.put_object(Bucket=BUCKET, Key=key, Body=b"was here first")
    queue.add(session)
    queue.add(make_session("s2"))
    run(make_uploader())
    first, second = queue.items()
    assert first.state == "failed"
    assert "was not overwritten" in first.problem and "Rename" in first.problem
    assert second.state == "uploaded"  # the others go on
    assert admin.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"was here first"
    assert len(admin.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]) == 1
    renamed = session.rename(session.with_name("s1-again"))
    queue.add(renamed)
    run(make_uploader())
    assert queue.item(renamed).state == "uploaded"


def test_the_same_name_twice_keeps_the_first(queue, make_session, device, admin):
    """Also where both uploads were open at once."""
    session = make_session(extra_bytes=100)
    store = ObjectStore(device)
    part = plan_file(session, "extra.bin", PART, lambda _: None).parts[0]
    key, data = f"{device.device}/twice", (session / "extra.bin").read_bytes()
    uploads = [store.begin(key), store.begin(key)]
    tagged = [[(part, store.send(key, upload, part, data))] for upload in uploads]
    store.complete(key, uploads[0], tagged[0])
    with pytest.raises(KeyExistsError):
        store.complete(key, uploads[1], tagged[1])


def test_a_server_that_is_gone_is_waited_for_and_said(queue, make_session, make_uploader, device, lab, admin, same):
    session = make_session(extra_bytes=PART)
    queue.add(session)
    said = []

    def restart_once(item) -> None:
        if item.bytes_sent > 0 and not said:
            said.append(item)
            lab.kill()
        elif "Trying again" in item.problem:
            said.append(item)
            if not lab.running:
                lab.start()

    run(make_uploader(), on_progress=restart_once)
    assert queue.item(session).state == "uploaded"
    assert any("does not answer" in item.problem for item in said)
    assert queue.item(session).problem == ""
    assert same(session, admin)


def test_a_line_that_lets_no_part_through_is_not_tried_for_ever(queue, make_session, make_uploader, monkeypatch):
    """Small requests succeed in between, so that only parts that arrive may count as success."""
    session = make_session()
    queue.add(session)
    uploader, tried = make_uploader(patience_s=600), []

    def cut(*_args) -> str:
        tried.append(1)
        raise ServerGoneError("The connection was cut.")

    monkeypatch.setattr(uploader._store, "send", cut)
    with pytest.raises(ServerGoneError, match="connection was cut"):
        run(uploader)
    assert 10 < len(tried) < 30
    assert queue.item(session).state == "waiting"


def test_patience_ends_with_a_clear_error_and_the_session_waits(queue, make_session, make_uploader):
    session = make_session()
    queue.add(session)
    proxy = CuttingProxy(1)
    with pytest.raises(ServerGoneError, match="Check the network"):
        run(make_uploader(port=proxy.port, patience_s=600))
    proxy.close()
    assert queue.item(session).state == "waiting"
    assert "Check the network" in queue.item(session).problem
    run(make_uploader())
    assert queue.item(session).state == "uploaded"


def test_a_session_that_changes_meanwhile_fails_and_can_be_added_again(queue, make_session, make_uploader, admin, same):
    session = make_session(extra_bytes=PART + 10)
    queue.add(session)

    def change(item) -> None:
        if item.bytes_sent > 0:
            with (session / "extra.bin").open("r+b") as file:
                file.seek(PART + 5)
                file.write(b"!")

    run(make_uploader(), on_progress=change)
    assert queue.item(session).state == "failed"
    assert "has changed" in queue.item(session).problem
    queue.add(session)
    run(make_uploader())
    assert queue.item(session).state == "uploaded"
    assert same(session, admin)


def test_a_file_that_became_a_link_is_not_followed(queue, make_session, device, tmp_path):
    session = make_session(extra_bytes=100)
    queue.add(session)
    ledger = planned(queue, session, device)
    secret = tmp_path / "secret"
    secret.write_bytes((session / "extra.bin").read_bytes())  # even with the same content
    (session / "extra.bin").unlink()
    (session / "extra.bin").symlink_to(secret)
    with pytest.raises(SessionChangedError, match=r"extra\.bin is a link"):
        list(transfer(session, ledger, ObjectStore(device)))


def test_a_cut_after_the_last_answer_sends_nothing_again(queue, make_session, make_uploader, proxy):
    session = make_session(extra_bytes=1000)
    queue.add(session)
    run(make_uploader(port=proxy.port))
    sent = proxy.bytes_up
    queue.set_state(session, "uploading")  # the power went before the state was noted
    run(make_uploader(port=proxy.port))
    assert queue.item(session).state == "uploaded"
    assert proxy.bytes_up == sent
