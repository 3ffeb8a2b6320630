"""From the finger to a real S3 server and back to a free disk; and the server goes while it is uploading."""

from __future__ import annotations

import pytest
from s3_lab import add_device, running_lab

from capture_app.app import monitor
from capture_app.app.computer import Network, Power
from wildgrasp.ingest.access import BUCKET
from wildgrasp.ingest.server import free_port
from wildgrasp.upload.target import save_target
from wildgrasp.upload.uploader import UploadConfig


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def network(monkeypatch):
    """What the computer would say of its network."""
    present = {"now": Network(True, True, "wlan0")}
    monkeypatch.setattr(monitor, "read_network", lambda: present["now"])
    monkeypatch.setattr(monitor, "read_power", lambda: Power(0.8, True))
    monkeypatch.setattr(monitor, "SLOW_EVERY", 1)
    return present


@pytest.fixture
def screen(open_app, tmp_path, lab, network):
    save_target(tmp_path / "upload.toml", add_device(lab, f"stick-{free_port()}"))
    made = open_app(upload=UploadConfig(limit_mbps=200, timeout_s=5))
    made.wait_for("participant")
    made.tap(made.view.buttons["P03"])
    made.wait_for("ready")
    made.wait(lambda: made.model.ready.state.can_record, "both devices")
    return made


def row_of(screen, path):
    return next((row for row in screen.model.upload.state.rows if row.path == path.resolve()), None)


def test_record_picks_stop_review_upload_and_free_the_disk(screen, gripper, lab):
    screen.start()
    screen.pick(gripper)
    path = screen.stop()
    screen.tap(screen.view.outcomes["held"])
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    screen.tap(screen.view.upload)
    screen.wait(lambda: row_of(screen, path) is not None and row_of(screen, path).state == "uploaded", "the upload")
    keys = {entry["Key"] for entry in lab.admin_client().list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert any(key.endswith(f"{path.name}/index.sqlite") for key in keys)
    assert path.is_dir()  # nobody agreed to delete it yet
    screen.wait(lambda: screen.view.free.isEnabled())
    screen.tap(screen.view.free)
    screen.tap(screen.app.window.question.no)
    assert path.is_dir()
    screen.tap(screen.view.free)
    screen.tap(screen.app.window.question.yes)
    screen.wait(lambda: not path.exists(), "a free disk")
    screen.wait(lambda: row_of(screen, path) is not None and not row_of(screen, path).here)


def test_the_server_goes_and_comes_back(screen, gripper, lab):
    screen.start()
    screen.more_frames(60)
    path = screen.stop()
    lab.kill()
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    screen.tap(screen.view.upload)
    screen.wait(lambda: screen.model.upload.state.held_by == "server", "the server to be missed")
    assert row_of(screen, path).state != "uploaded"
    lab.start()
    screen.wait(lambda: row_of(screen, path).state == "uploaded", "the upload")
    assert screen.model.upload.state.held_by == ""


def test_nothing_is_uploaded_while_recording_paused_or_on_a_phones_data(screen, gripper, network):
    model = screen.model
    network["now"] = Network(True, False, "wwan0")
    screen.start()
    path = screen.stop()
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    screen.tap(screen.view.upload)
    screen.wait(lambda: model.upload.state.held_by == "wifi")
    view = screen.view
    screen.wait(view.pause.isEnabled)
    screen.tap(view.pause)
    screen.wait(lambda: model.upload.state.held_by == "paused")
    screen.wait(lambda: model.services.queue.paused)
    network["now"] = Network(True, True, "wlan0")
    screen.wait(lambda: model.services.monitor.snapshot.network.wifi)
    screen.tap(view.back)
    screen.start()
    screen.wait(lambda: model.upload.state.held_by == "recording")
    screen.stop()
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    assert row_of(screen, path).state == "waiting"
    screen.tap(screen.view.upload)
    screen.tap(view.pause)
    screen.wait(lambda: all(row.state == "uploaded" for row in model.upload.state.rows), "both")


def test_what_waits_can_still_be_opened_and_discarded(screen, network):
    model = screen.model
    network["now"] = Network(False, False)
    screen.start()
    path = screen.stop()
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    screen.tap(screen.view.upload)
    screen.wait(lambda: row_of(screen, path) is not None)
    screen.tap(screen.view.cards[0])
    screen.wait_for("review")
    assert model.services.queue.items() == []
    screen.wait(lambda: model.review.state.review is not None)
    screen.tap(screen.view.discard)
    screen.tap(screen.app.window.question.yes)
    screen.wait_for("upload")
    assert not path.exists()
