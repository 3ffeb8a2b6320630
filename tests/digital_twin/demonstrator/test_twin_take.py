"""A take in virtual time gives a session whose events agree with the truth, the same for the same seed."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from digital_twin.commands import simulate
from digital_twin.demonstrator import simulate as simulate_module
from digital_twin.demonstrator.handheld import STEP_NS, HandheldConfig, HandheldWorld
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.person import Person, PersonConfig
from digital_twin.demonstrator.simulate import (
    SimulateConfig,
    attempts_there,
    record_attempts,
    take_config,
    take_folder,
)
from digital_twin.demonstrator.take import TakeConfig, TakeSummary, record_take, truth_path
from digital_twin.demonstrator.truth import AttemptTruth, TakeTruth, load_truth
from digital_twin.world.homes import HOMES
from wildgrasp import rig
from wildgrasp.errors import UserError
from wildgrasp.sessions.session import Session


def short_take(**person) -> TakeConfig:
    habits = PersonConfig(hesitation_rate=0.0, **person)
    performance = PerformanceConfig(seed=2, picks=1, handheld=HandheldConfig(n_objects=3), person=habits)
    return TakeConfig(performance, fps=5.0)


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    path = tmp_path_factory.mktemp("takes") / "take"
    summary = record_take(path, short_take())
    with Session(path) as session:
        yield summary, session, load_truth(truth_path(path))


def test_the_session_says_what_it_is(take):
    summary, session, truth = take
    assert summary.attempts == summary.held == 1
    assert len(session) == summary.frames == len(truth["t_ns"])
    assert session.meta["simulated"] is True
    assert session.meta["participant"] == "simulated"
    assert session.T_camera_fingertip == pytest.approx(rig.NOMINAL_T_CAMERA_FINGERTIP)
    assert session.gaps() == []
    assert session.meta["gripper"]["connected"]
    assert session.meta["gripper"]["lost_button_events"] == 0
    names = {path.name for path in session.path.rglob("*")}
    assert not any("truth" in name for name in names)


def test_events_agree_with_the_truth(take):
    _, session, truth = take
    events = session.events()
    assert [e.kind for e in events if e.kind != "fault"] == ["press", "contact", "release"]
    press, contact, release = events
    for event, t_ns in ((press, truth["attempt_press_ns"][0]), (release, truth["attempt_release_ns"][0])):
        assert abs(event.t_ns - t_ns) < 1_000_000 + 3 * event.uncertainty_ns
    assert press.t_ns < contact.t_ns < truth["attempt_hold_ns"][0]


def test_the_servo_shows_the_width_of_the_object(take):
    _, session, truth = take
    hold, release = truth["attempt_hold_ns"][0], truth["attempt_release_ns"][0]
    held = [s.opening for s in session.servo() if hold < s.t_ns < release]
    assert len(held) > 50
    assert np.median(held) * rig.MAX_OPENING_M == pytest.approx(truth["attempt_width_m"][0], abs=0.002)
    assert truth["attempt_outcome"][0] == "held"


def test_frames_show_the_object_where_the_truth_says(take):
    """Depth under the object's mask is the object's distance."""
    _, session, truth = take
    mask, frame = truth["masks"][0], int(truth["mask_frame"][0])
    assert 100 < mask.sum() < 0.6 * mask.size
    depth = session.frame(frame).depth
    assert session.frame(frame).t_host_ns == truth["t_ns"][frame]
    x, y, z = truth["T_world_camera"][frame, :3]
    assert z > 0.1
    seen = depth[mask & (depth > 0)]
    if seen.size:  # nearer than the sensor's minimum range it has holes
        assert 0.1 < np.median(seen) < 0.45
    assert np.hypot(x, y) < 1.0


def test_the_same_seed_gives_the_same_take(take, tmp_path):
    _, session, truth = take
    record_take(tmp_path / "again", short_take())
    again = load_truth(truth_path(tmp_path / "again"))
    assert all(np.array_equal(truth[name], again[name]) for name in truth)
    with Session(tmp_path / "again") as second:
        assert second.events() == session.events()
        assert second.servo() == session.servo()
        for index in (0, len(session) // 2, len(session) - 1):
            first, other = session.frame(index), second.frame(index)
            assert np.array_equal(first.color, other.color)
            assert np.array_equal(first.depth_raw, other.depth_raw)


@pytest.mark.parametrize(("habits", "outcome"), [({"miss_rate": 1.0}, "empty"), ({"drop_rate": 1.0}, "dropped")])
def test_clumsy_people_miss_and_drop(habits, outcome):
    """Without electronics: the thumb closes the fingers directly."""
    world = HandheldWorld(2, HandheldConfig(n_objects=3))
    person = Person(world, 2, PersonConfig(hesitation_rate=0.0, **habits))
    stops = world.config.stops
    for k, command in enumerate(person.perform(1)):
        world.command_hand(command.T_world_fingertip)
        goal = stops.closed_ticks if command.button else stops.open_ticks
        world.update((k + 1) * STEP_NS, goal, 500.0, 0.5, True)
    assert [attempt.outcome for attempt in person.attempts] == [outcome]


def test_a_take_follows_from_its_number_and_the_seed():
    config = SimulateConfig(seed=4)
    assert take_config(config, 1) == take_config(SimulateConfig(seed=4, attempts=99), 1)
    assert take_config(config, 1) != take_config(config, 2)
    assert {take_config(config, k).performance.handheld.home for k in range(len(HOMES))} == set(HOMES)
    only = SimulateConfig(scenes=("wall", "bin"))
    assert [take_config(only, k).performance.handheld.home for k in range(3)] == ["wall", "bin", "wall"]


@pytest.fixture
def quick_takes(monkeypatch):
    """Takes without pictures: each holds the next of these numbers of attempts. Says which were made."""
    made: list[str] = []
    attempts = iter([2, 1, 3, 3, 3, 3])

    def record(path, config):
        count = next(attempts)
        path.mkdir()
        truth = TakeTruth((), (), [AttemptTruth(0, outcome="held") for _ in range(count)])
        truth.save(truth_path(path))
        made.append(path.name)
        return TakeSummary(path, count, count, 0, 0.0)

    monkeypatch.setattr(simulate_module, "record_take", record)
    return made


def test_takes_are_recorded_until_the_attempts_are_there_and_never_again(tmp_path, quick_takes):
    config = SimulateConfig(attempts=4, picks=2)
    summaries = list(record_attempts(tmp_path, config))
    assert [s.attempts for s in summaries] == [2, 1, 3]  # two short takes, so that there is a third
    assert quick_takes == [take_folder(tmp_path, 0, k).name for k in range(3)]
    assert list(record_attempts(tmp_path, config)) == []
    assert attempts_there(tmp_path, 0) == 6
    shutil.rmtree(take_folder(tmp_path, 0, 1))  # as an interrupted run might leave it: a gap is filled first
    list(record_attempts(tmp_path, SimulateConfig(attempts=7, picks=2)))
    assert quick_takes[3:] == [take_folder(tmp_path, 0, 1).name]


def test_where_nothing_can_be_grasped_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate_module, "record_take", lambda path, config: TakeSummary(path, 0, 0, 0, 0.0))
    assert len(list(record_attempts(tmp_path, SimulateConfig(attempts=4, picks=2)))) == 2


def test_who_has_missed_tries_again_from_close_by():
    world = HandheldWorld(2, HandheldConfig(n_objects=3))
    person = Person(world, 2, PersonConfig(hesitation_rate=0.0, miss_rate=1.0, retry_rate=1.0))
    stops = world.config.stops
    phases = []
    for k, command in enumerate(person.perform(2)):
        world.command_hand(command.T_world_fingertip)
        goal = stops.closed_ticks if command.button else stops.open_ticks
        world.update((k + 1) * STEP_NS, goal, 500.0, 0.5, True)
        if phases[-1:] != [command.phase]:
            phases.append(command.phase)
    assert [attempt.outcome for attempt in person.attempts] == ["empty", "empty"]
    first, second = (k for k, phase in enumerate(phases) if phase == "approach")
    assert phases[first - 1] == "look" and phases[second - 1] == "retreat"
    assert person.attempts[0].object_index == person.attempts[1].object_index


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        simulate(out=tmp_path / "file" / "sessions")
