"""The small rules of the app: settings, study, lights, picks, warnings, the computer, when to upload."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.clip import LENS
from capture_app.app.computer import KeepAwake, Network, Power, read_network, read_power
from capture_app.app.models.lights import Level, lights, minutes_left
from capture_app.app.models.upload import UploadState, held_by
from capture_app.app.monitor import Snapshot
from capture_app.app.picks import find_picks
from capture_app.app.picture import PictureLimits, Warn, find_warnings, visible_mask
from capture_app.app.settings import Settings, SettingsFile
from capture_app.app.study import Study, load_study
from wildgrasp.cameras.base import RGBDFrame
from wildgrasp.errors import UserError
from wildgrasp.sessions.events import GripperEvent

S = 1_000_000_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


# --- settings and study ---


@given(value=JSON, name=st.sampled_from([*Settings.__dataclass_fields__, "unknown"]))
def test_a_bad_setting_falls_back_and_never_hinders_the_others(tmp_path_factory, value, name):
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_text(json.dumps({"task": "Clear the table", name: value}))
    found = SettingsFile(path).value
    assert type(getattr(found, "upload_wifi_only")) is bool  # noqa: B009
    assert found.language in ("en", "de")
    if name != "task":
        assert found.task == "Clear the table"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null"])
def test_a_file_that_is_no_settings_gives_the_defaults(tmp_path, content):
    (tmp_path / "settings.json").write_bytes(content)
    assert SettingsFile(tmp_path / "settings.json").value == Settings()


def test_settings_are_remembered(tmp_path):
    SettingsFile(tmp_path / "a" / "settings.json").change(participant="P02", mb_per_s=3.0)
    assert SettingsFile(tmp_path / "a" / "settings.json").value == Settings(participant="P02", mb_per_s=3.0)


def test_a_study_is_read_and_what_it_leaves_out_is_general(tmp_path):
    (tmp_path / "s.toml").write_text('title = "K"\ntasks = ["a", "b"]\n')
    assert load_study(tmp_path / "s.toml") == replace(Study(), title="K", tasks=("a", "b"))


@pytest.mark.parametrize(
    "text", ["tasks = []", "tasks = [1]", 'tasks = ["' + "x" * 61 + '"]', "title = 3", "=", "tasks = 4"]
)
def test_a_bad_study_says_what_is_wrong_with_it(tmp_path, text):
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UserError, match=r"s\.toml"):
        load_study(tmp_path / "s.toml")


# --- picks ---


def press(t_s: float) -> GripperEvent:
    return GripperEvent(round(t_s * S), "press")


def release(t_s: float) -> GripperEvent:
    return GripperEvent(round(t_s * S), "release")


@given(st.lists(st.floats(0.5, 3.0), max_size=8), st.randoms())
def test_every_press_is_a_pick_in_whatever_order_it_is_told(holds, random):
    events, t = [], 0.0
    for hold in holds:
        events += [press(t), release(t + hold)]
        t += hold + 1.0
    shuffled = sorted(events, key=lambda _: random.random())
    picks = find_picks(shuffled)
    assert [pick.t_press_ns for pick in picks] == [e.t_ns for e in events if e.kind == "press"]
    assert all(pick.t_release_ns is not None for pick in picks)


def test_a_restless_thumb_is_one_pick_and_a_mark_belongs_to_the_last_one():
    picks = find_picks(
        [release(0.1), press(1), release(2), press(2.2), release(3), press(5), GripperEvent(6 * S, "mark")]
    )
    assert [(p.t_press_ns, p.t_release_ns, p.marked) for p in picks] == [(S, 3 * S, False), (5 * S, None, True)]


# --- lights ---


def test_lights_say_what_is_missing():
    good = Snapshot("", "", 300_000, 11.1, power=Power(0.9, False), network=Network(True, True))
    assert all(light.level is Level.GOOD for light in lights(good, 60.0))
    levels = lambda snapshot, minutes=60.0: {light.name: light.level for light in lights(snapshot, minutes)}  # noqa: E731
    assert levels(replace(good, camera_problem="gone"))["camera"] is Level.BAD
    assert levels(replace(good, power=Power(0.1, False)))["power"] is Level.WARN
    assert levels(replace(good, power=Power(0.1, True)))["power"] is Level.GOOD  # it is being charged
    assert levels(replace(good, clock_uncertainty_ns=None))["clock"] is Level.WAIT
    assert levels(good, 5.0)["disk"] is Level.WARN
    assert levels(good, 0.2)["disk"] is Level.BAD
    assert levels(replace(good, network=Network(False, False)))["network"] is Level.WARN


def test_minutes_left_leave_the_reserve():
    assert minutes_left(1_000_000_000, 500_000_000, 5.0) == pytest.approx(100 / 60)
    assert minutes_left(100, 500_000_000, 5.0) == 0.0


# --- the picture ---


@pytest.fixture(scope="module")
def look(frames):
    visible, limits = visible_mask(LENS), PictureLimits()
    return lambda before, now: find_warnings(before, now, 33_333_333, visible, limits)


def lit(frame: RGBDFrame, gain: float) -> RGBDFrame:
    return replace(frame, color=cv2.convertScaleAbs(frame.color, alpha=gain))


def moved(frame: RGBDFrame, pixels: int) -> RGBDFrame:
    return replace(frame, color=np.roll(frame.color, pixels, axis=1), t_host_ns=frame.t_host_ns + 33_333_333)


def test_a_good_picture_gives_no_warning(frames, look):
    assert look(frames[0], frames[1]) == ()


def test_dark_covered_close_and_fast_are_told(frames, look):
    dark = [lit(frame, 0.15) for frame in frames[:2]]
    assert Warn.DARK in look(*dark)
    blind = [replace(f, color=np.full_like(f.color, 30), depth_raw=np.zeros_like(f.depth_raw)) for f in frames[:2]]
    assert look(*blind) == (Warn.COVERED,)
    close = [replace(f, depth_raw=np.where(f.depth_raw < 1400, 0, f.depth_raw).astype(np.uint16)) for f in frames[:2]]
    assert Warn.CLOSE in look(*close)
    assert look(frames[0], moved(frames[0], 12)) == ()
    assert Warn.FAST in look(frames[0], moved(frames[0], 60))
    late = replace(moved(frames[0], 60), t_host_ns=frames[0].t_host_ns + 4 * 33_333_333)
    assert look(frames[0], late) == ()  # the same way in four times the time is slow enough


# --- the computer ---


def supply(root, name, **values):
    folder = root / "class" / "power_supply" / name
    folder.mkdir(parents=True)
    for key, value in values.items():
        (folder / key).write_text(f"{value}\n")


def test_battery_and_charger_are_read(tmp_path):
    assert read_power(tmp_path) == Power(None, True)  # nothing says that it runs on a battery
    supply(tmp_path, "mouse", type="Battery", scope="Device", capacity=3, status="Discharging")
    supply(tmp_path, "BAT0", type="Battery", capacity=57, status="Discharging")
    assert read_power(tmp_path) == Power(0.57, False)
    supply(tmp_path, "AC", type="Mains", online=1)
    assert read_power(tmp_path) == Power(0.57, True)


def test_a_phones_data_is_no_wifi(tmp_path):
    assert read_network(tmp_path) == Network(False, False)
    (tmp_path / "net").mkdir()
    head = "Iface\tDestination\tGateway\tFlags\n"
    for name, wifi in (("wlan0", True), ("eth0", True), ("wwan0", False), ("usb0", False)):
        (tmp_path / "net" / "route").write_text(f"{head}{name}\t0000FEA9\t0\t0001\n{name}\t00000000\t0102A8C0\t0003\n")
        assert read_network(tmp_path) == Network(True, wifi, name)


def test_the_computer_stays_awake_as_long_as_asked():
    awake = KeepAwake(("cat",))
    awake.begin()
    child = awake._child
    awake.begin()
    assert awake.held and awake._child is child
    awake.end()
    assert not awake.held
    assert child.returncode == 0  # let go, not killed
    missing = KeepAwake(("a-program-that-is-not-there",))
    missing.begin()
    assert not missing.held
    missing.end()


# --- when to upload ---


def test_what_holds_an_upload_up():
    good = Snapshot(power=Power(0.5, True), network=Network(True, True))
    state = UploadState(charger_only=True)
    assert held_by(state, good, False, True) == ""
    assert held_by(state, good, True, True) == "recording"
    assert held_by(replace(state, paused=True), good, False, True) == "paused"
    assert held_by(state, good, False, False) == "target"
    assert held_by(state, replace(good, network=Network(False, False)), False, True) == "offline"
    assert held_by(state, replace(good, network=Network(True, False)), False, True) == "wifi"
    assert held_by(state, replace(good, power=Power(0.5, False)), False, True) == "charger"
    assert held_by(replace(state, wifi_only=False), replace(good, network=Network(True, False)), False, True) == ""
