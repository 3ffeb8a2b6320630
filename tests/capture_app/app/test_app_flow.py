"""With a finger through the whole app, and everything that gets unplugged on the way."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from desk import assert_whole
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from capture_app.app import computer
from wildgrasp.errors import UserError
from wildgrasp.sessions import recorder as recorder_module
from wildgrasp.sessions.recorder import RecorderConfig
from wildgrasp.sessions.session import Session


def test_record_pick_mark_label_and_keep(screen, gripper):
    screen.start()
    view = screen.view
    assert not view.mark.isEnabled()  # nothing to mark yet
    screen.pick(gripper)
    screen.pick(gripper)
    screen.tap(view.mark)
    screen.wait(lambda: screen.model.recording.state.marks == 1)
    path = screen.stop()
    state = screen.model.review.state
    assert [pick.outcome for pick in state.review.picks] == ["", "dropped"]
    assert state.selected == 0
    screen.tap(screen.view.outcomes["held"])
    assert screen.model.review.state.outcomes == ("held", "dropped")
    screen.tap(screen.view.thumbs[1])
    assert screen.model.review.state.selected == 1
    screen.tap(screen.view.outcomes["empty"])
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    assert_whole(path)
    with Session(path) as session:
        assert [label["outcome"] for label in session.meta["outcomes"]] == ["held", "empty"]
        presses = [event.t_ns for event in session.events() if event.kind == "press"]
        assert [label["t_press_ns"] for label in session.meta["outcomes"]] == presses
        assert [e.kind for e in session.events() if e.kind == "mark"] == ["mark"]
        assert session.meta["participant"] == "P03"
        assert len(session) > 20
    assert [item.session for item in screen.model.services.queue.items()] == [path.resolve()]


def test_the_hardware_button_never_stops_a_recording(screen, gripper):
    screen.start()
    for down in (True, False, True, False):
        gripper.press(down)
        gripper.rest(100)
    assert screen.model.state.screen == "recording"
    assert screen.model.recording.state.phase == "running"
    screen.stop()


def test_discard_asks_once_and_can_be_undone_until_the_next_recording(screen, gripper):
    screen.start()
    path = screen.stop()
    screen.tap(screen.view.discard)
    question = screen.app.window.question
    screen.tap(question.no)
    assert path.is_dir() and not question.isVisible()
    screen.tap(screen.view.discard)
    screen.tap(question.yes)
    screen.wait_for("ready")
    assert not path.exists()
    screen.tap(screen.app.window.notice.undo)
    screen.wait_for("review")
    assert_whole(path)
    screen.wait(lambda: screen.model.review.state.review is not None)
    screen.tap(screen.view.discard)
    screen.tap(question.yes)
    screen.wait_for("ready")
    screen.wait(lambda: screen.model.ready.state.can_record)
    screen.start()
    library = screen.model.services.library
    screen.wait(lambda: library.discarded() is None, "the trash to be emptied")
    assert screen.model.state.notice is None
    screen.stop()


def test_a_part_is_cut_out_with_two_taps_and_a_question(screen, gripper):
    screen.start()
    screen.pick(gripper)
    path = screen.stop()
    frames = screen.model.review.state.review.frames
    screen.tap(screen.view.cut)
    screen.wait_for("cut")
    cut = screen.model.cut
    screen.wait(lambda: cut.state.still is not None)
    view = screen.view
    line = view.timeline
    screen.tap(line, QPoint(round(line.width() * 0.25), 50))
    screen.tap(view.start)
    screen.tap(line, QPoint(round(line.width() * 0.75), 50))
    screen.tap(view.end)
    screen.tap(view.cut)
    screen.tap(screen.app.window.question.yes)
    screen.wait_for("review")
    screen.wait(lambda: screen.model.review.state.review is not None)
    review = screen.model.review.state.review
    assert 0.3 * frames < review.frames < 0.7 * frames
    assert review.cuts == 1
    assert_whole(path)
    with Session(path) as session:
        assert [gap.reason for gap in session.gaps() if gap.source == "person"] == ["privacy"]


def test_the_camera_is_pulled_and_plugged_in_again(screen, camera):
    camera.pull()
    screen.wait(lambda: screen.model.ready.state.missing == "camera")
    assert not screen.view.record.isEnabled()
    camera.plug()
    screen.wait(lambda: screen.model.ready.state.can_record)
    screen.start()
    screen.more_frames(5)
    camera.pull()
    screen.wait(lambda: screen.model.recording.state.camera_missing)
    camera.plug()
    screen.wait(lambda: not screen.model.recording.state.camera_missing)
    screen.more_frames(5)
    path = screen.stop()
    assert "camera" in screen.model.review.state.health
    assert_whole(path)
    with Session(path) as session:
        assert any(gap.source == "camera" and "unplugged" in gap.reason for gap in session.gaps())


def test_the_gripper_is_pulled_and_plugged_in_again(screen, gripper):
    screen.start()
    screen.pick(gripper)
    gripper.pull()
    screen.wait(lambda: screen.model.recording.state.gripper_missing)
    screen.more_frames(5)
    gripper.plug()
    screen.wait(lambda: not screen.model.recording.state.gripper_missing)
    screen.pick(gripper)
    path = screen.stop()
    assert screen.model.review.state.health[0] == "gripper"
    assert_whole(path)
    with Session(path) as session:
        assert [event.kind for event in session.events() if event.kind.startswith("link")] == ["link_lost", "link_back"]
        assert len(screen.model.review.state.review.picks) == 2


def test_a_full_disk_ends_the_recording_and_keeps_it(open_app, monkeypatch):
    screen = open_app(recorder=RecorderConfig(min_free_bytes=1_000_000, sync_s=0.05))
    screen.wait_for("participant")
    screen.tap(screen.view.buttons["P01"])
    screen.wait_for("ready")
    screen.wait(lambda: screen.model.ready.state.can_record)
    screen.start()
    screen.more_frames(5)
    full = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(recorder_module, "shutil", full)
    monkeypatch.setattr(computer, "shutil", full)
    screen.wait_for("review")  # nobody tapped Stop
    screen.wait(lambda: screen.model.review.state.review is not None)
    assert screen.model.review.state.health[0] == "disk_full"
    path = screen.model.review.path
    assert_whole(path)
    screen.tap(screen.view.keep)
    screen.wait_for("ready")
    screen.wait(lambda: screen.model.ready.state.missing == "disk")
    assert not screen.view.record.isEnabled()
    monkeypatch.undo()
    screen.wait(lambda: screen.model.ready.state.can_record)


def test_a_second_app_refuses_politely(screen, open_app):
    with pytest.raises(UserError, match="open already"):
        open_app()


def test_settings_are_behind_a_long_press(screen, gripper):
    strip = screen.view.strip
    screen.tap(strip)
    assert screen.model.state.screen == "ready"
    screen.touch(strip)
    screen.wait_for("settings")
    screen.lift(strip)
    view = screen.view
    screen.wait(lambda: len(screen.model.settings.state.checks) > 5)
    levels = {check.name: check.level.name for check in screen.model.settings.state.checks}
    assert levels["camera"] == levels["gripper"] == levels["firmware"] == "GOOD"
    screen.tap(view.tabs["gripper"])
    screen.tap(view.gripper.close_fingers)
    screen.wait(lambda: screen.model.settings.state.test.answer == "done", "the gripper's answer")
    counter = screen.model.services.devices.gripper
    screen.wait(lambda: counter.servo is not None and counter.servo.opening < 0.1, "closed fingers")
    screen.tap(view.back)
    screen.wait(lambda: counter.servo.opening > 0.9, "the button to decide again")


def test_the_language_changes_at_once(screen):
    screen.model.show("settings")
    screen.tap(screen.view.tabs["language"])
    screen.tap(screen.view.language.buttons["de"])
    screen.wait_for("settings")
    screen.tap(screen.view.back)
    assert screen.view.record.accessibleName() == "Aufnehmen"
    screen.model.settings.choose_language("en")
    assert screen.view.record.accessibleName() == "Record"


def test_the_whole_of_ready_with_the_keyboard(screen):
    """Tab reaches every button, space presses it, F10 opens the settings."""
    window, reached = screen.app.window, set()
    for _ in range(8):
        QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        reached.add(window.focusWidget())
    view = screen.view
    assert {view.record, view.upload, view.task, view.depth, view.strip} <= reached
    view.depth.setFocus()
    QTest.keyClick(view.depth, Qt.Key.Key_Space)
    assert screen.model.ready.state.show_depth
    QTest.keyClick(view, Qt.Key.Key_F10)
    screen.wait_for("settings")


def test_recording_goes_on_when_nothing_is_painted(screen):
    screen.start()
    screen.app.window.hide()
    frames = screen.frames()
    over = threading.Event()
    while screen.frames() < frames + 10:
        over.wait(0.01)  # the screen's thread does nothing at all
    screen.app.window.show()
    QTest.qWaitForWindowExposed(screen.app.window)
    screen.stop()


def test_the_computer_is_kept_awake_while_recording(screen):
    awake = computer.KeepAwake(("cat",))
    object.__setattr__(screen.model.services, "keep_awake", awake)
    screen.start()
    screen.wait(lambda: awake.held)
    screen.stop()
    screen.wait(lambda: not awake.held)


def test_a_recording_that_cannot_be_looked_at_stays_and_the_app_goes_on(screen, tmp_path):
    broken = tmp_path / "sessions" / "broken" / "blobs"
    broken.mkdir(parents=True)
    (broken / "000000.wgb").write_bytes(b"nothing")
    screen.wait(lambda: screen.model.ready.state.to_review == 1)
    screen.tap(screen.view.review)
    screen.wait(lambda: screen.model.state.notice is not None and screen.model.state.screen == "ready")
    assert screen.model.state.notice.kind == "error"
    assert (broken / "000000.wgb").read_bytes() == b"nothing"
    screen.start()
    screen.stop()


def test_closing_the_app_in_the_moment_of_the_tap_leaves_a_whole_recording(screen, tmp_path):
    screen.tap(screen.view.record)
    screen.app.close()
    sessions = screen.model.services.library.sessions()
    assert len(sessions) == 1
    assert_whole(sessions[0])
