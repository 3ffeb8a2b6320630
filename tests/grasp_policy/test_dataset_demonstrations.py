"""Processed sessions become training states: which attempts count, which grasps are in the pool, what a state holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from demonstration_factory import CAMERA, BoxScene, add_attempt, make_session

from grasp_policy.dataset import build_dataset, find_sessions, make_shard, session_states
from grasp_policy.demonstrations import Attempt, grasps_possible_at, gripper_pixels, read_approaches
from grasp_policy.shards import load_shard, read_header
from grasp_policy.states import StatesConfig, training_states
from wildgrasp.errors import SessionError
from wildgrasp.geometry import pose
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP
from wildgrasp.sessions.session import Session

CONFIG = StatesConfig(views=8, beside=1, voxel_m=0.01, frame_stride=4)


@pytest.fixture(scope="module")
def session_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_session(tmp_path_factory.mktemp("sessions") / "picks", picks=(0, 1), frames=16)


def attempt(number: int, x: float, release_x: float | None = None, held: bool = True) -> Attempt:
    release = None if release_x is None else pose(t=[release_x, 0, 0])
    return Attempt(number, 0, 10, held, pose(t=[x, 0, 0]), release)


# --- which grasps were possible ---------------------------------------------------------------------------------------


def test_pool_holds_this_and_later_grasps_but_no_earlier_or_failed_ones() -> None:
    attempts = [attempt(0, 0.0), attempt(1, 0.3), attempt(2, 0.6, held=False), attempt(3, 0.9)]
    np.testing.assert_array_equal(grasps_possible_at(attempts, 1)[:, 0, 3], [0.3, 0.9])


def test_an_object_that_was_put_there_later_is_not_in_the_pool_of_before() -> None:
    attempts = [attempt(0, 0.0, release_x=0.5), attempt(1, 0.52), attempt(2, 0.9)]
    np.testing.assert_array_equal(grasps_possible_at(attempts, 0)[:, 0, 3], [0.0, 0.9])


def test_what_was_let_go_can_be_grasped_again_until_it_is_taken_away() -> None:
    attempts = [attempt(0, 0.0, release_x=0.5), attempt(1, 0.3), attempt(2, 0.52, release_x=0.9), attempt(3, 0.7)]
    np.testing.assert_array_equal(grasps_possible_at(attempts, 1)[:, 0, 3], [0.3, 0.52, 0.7, 0.5])
    np.testing.assert_array_equal(grasps_possible_at(attempts, 2)[:, 0, 3], [0.52, 0.7, 0.5])
    np.testing.assert_array_equal(grasps_possible_at(attempts, 3)[:, 0, 3], [0.7, 0.9])


def test_grasps_of_an_object_that_is_put_back_each_time_hold_before_and_after() -> None:
    attempts = [attempt(0, 0.0, release_x=0.01), attempt(1, 0.03, release_x=0.03), attempt(2, -0.02)]
    np.testing.assert_array_equal(grasps_possible_at(attempts, 0)[:, 0, 3], [0.0, 0.03, -0.02])
    np.testing.assert_array_equal(grasps_possible_at(attempts, 2)[:, 0, 3], [-0.02, 0.01, 0.03])


# --- reading sessions -------------------------------------------------------------------------------------------------


def test_approaches_are_read_with_their_pool(session_path: Path) -> None:
    with Session(session_path) as session:
        first, second = read_approaches(session)
        assert len(first.T_world_grasps) == 2 and len(second.T_world_grasps) == 2
        end = first.T_world_camera[-1] @ NOMINAL_T_CAMERA_FINGERTIP
        np.testing.assert_allclose(end, first.T_world_grasp, atol=1e-6)
        assert len(first.frame_ids) == 16
        mask = gripper_pixels(session)
        assert mask.shape == (CAMERA.height, CAMERA.width) and 0.02 < mask.mean() < 0.4


def test_the_sessions_own_gripper_mask_is_added_to_the_rigs(tmp_path: Path) -> None:
    path = make_session(tmp_path / "masked", picks=(0,), frames=4)
    extra = np.zeros((CAMERA.height, CAMERA.width), bool)
    extra[:5, :5] = True
    with Session(path) as session:
        without = gripper_pixels(session)
        with session.edit() as edit:
            ref = edit.add_mask(extra)
            edit.execute("INSERT INTO masks VALUES (1, 'gripper', NULL, NULL, ?, ?, 1.0)", (ref.file, ref.offset))
        np.testing.assert_array_equal(gripper_pixels(session), without | extra)


def test_lost_frames_and_attempts_that_failed_are_left_out(tmp_path: Path) -> None:
    path = make_session(tmp_path / "lost", picks=(0, 1), frames=8)
    with Session(path) as session:
        with session.edit() as edit:
            edit.execute("UPDATE poses SET status = 'lost' WHERE frame_id IN (2, 3)")
            edit.execute("UPDATE attempts SET outcome = 'empty' WHERE id = 2")
        (approach,) = read_approaches(session)
        assert approach.frame_ids.tolist() == [0, 1, 4, 5, 6, 7]
        assert len(approach.T_world_grasps) == 1


# --- states -----------------------------------------------------------------------------------------------------------


def test_states_of_an_approach(session_path: Path) -> None:
    with Session(session_path) as session:
        approach = read_approaches(session)[0]
        mask = gripper_pixels(session)
        states, again = (
            training_states(approach, session.frame, session.camera, NOMINAL_T_CAMERA_FINGERTIP, mask, CONFIG)
            for _ in range(2)
        )
    on_path = [s for s in states if not s.beside]
    assert 5 < len(on_path) < 16 and len(on_path) < len(states) <= 2 * len(on_path)
    assert [s.steps_to_go for s in on_path] == list(range(len(on_path), 0, -1))
    for state in states:
        assert state.views.depth.shape == (9, 45, 80)
        assert (np.diff(state.cost_m[:4]) >= 0).all() and state.cost_m[0] == state.cost_m.min()
        assert (state.overlap_rank == 0).any() and len(set(state.overlap_rank.tolist())) == 8
    assert on_path[-1].cost_m[0] < on_path[0].cost_m[0] / 3, "the best move's cost falls towards the grasp"
    assert all(a.views.compress() == b.views.compress() for a, b in zip(states, again, strict=True))


def test_the_view_of_the_moment_shows_the_scene_without_the_gripper(session_path: Path) -> None:
    with Session(session_path) as session:
        approach = read_approaches(session)[0]
        black = gripper_pixels(session)

        def frame(index: int):
            seen = session.frame(index)
            seen.depth_raw[black] = 1500  # a gripper 15 cm before the camera
            return seen

        states = training_states(approach, frame, session.camera, NOMINAL_T_CAMERA_FINGERTIP, black, CONFIG)
    depth = states[-1].views.depth[0]
    assert depth[depth > 0].min() > 1800


def test_a_view_that_is_not_seen_gives_no_state(session_path: Path) -> None:
    with Session(session_path) as session:
        approach = read_approaches(session)[0]
        everything = np.ones((CAMERA.height, CAMERA.width), bool)
        assert not training_states(
            approach, session.frame, session.camera, NOMINAL_T_CAMERA_FINGERTIP, everything, CONFIG
        )


# --- shards -----------------------------------------------------------------------------------------------------------


def test_shards_are_made_once_and_anew_when_something_changed(tmp_path: Path) -> None:
    path = make_session(tmp_path / "one", picks=(0,), frames=8)
    report = make_shard(path, tmp_path, CONFIG)
    shard = load_shard(report.shard)
    assert len(shard) == report.states > 4
    assert shard.views(1, np.array([5, 2])).features().shape == (3, 7, 45, 80)
    with Session(path) as session:
        state = list(session_states(session, CONFIG))[1]
    np.testing.assert_array_equal(shard.views(1, np.array([5, 2])).depth, state.views.depth[[0, 6, 3]])
    np.testing.assert_array_equal(shard.cost_m[1], state.cost_m)
    written = report.shard.stat().st_mtime_ns
    assert make_shard(path, tmp_path, CONFIG) == report
    assert report.shard.stat().st_mtime_ns == written
    assert make_shard(path, tmp_path, StatesConfig(views=6, beside=0, voxel_m=0.01)).states < report.states
    with Session(path) as session, session.edit() as edit:
        edit.execute("UPDATE attempts SET outcome = 'empty'")
    assert make_shard(path, tmp_path, CONFIG).shard is None


def test_a_damaged_shard_is_made_anew_and_loading_one_is_an_error(tmp_path: Path) -> None:
    path = make_session(tmp_path / "one", picks=(0,), frames=8)
    report = make_shard(path, tmp_path, CONFIG)
    data = report.shard.read_bytes()
    report.shard.write_bytes(data[: len(data) // 2])
    assert read_header(report.shard) is None
    with pytest.raises(SessionError, match="damaged"):
        load_shard(report.shard)
    assert make_shard(path, tmp_path, CONFIG).states == report.states
    assert report.shard.read_bytes() == data


def test_a_session_that_gives_nothing_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    good = make_session(tmp_path / "in" / "b_good", picks=(0,), frames=8)
    raw = make_session(tmp_path / "in" / "a_raw", picks=(1,), frames=4)
    with Session(raw) as session, session.edit() as edit:
        edit.execute("DELETE FROM poses")
    seen = []
    reports = build_dataset(find_sessions([tmp_path / "in"]), tmp_path / "out", CONFIG, progress=seen.append)
    assert [r.session for r in reports] == [raw, good] and seen == reports
    assert reports[0].shard is None and "wildgrasp process" in reports[0].reason
    assert reports[1].states > 0


def test_workers_make_the_same_shards(tmp_path: Path) -> None:
    sessions = [make_session(tmp_path / "in" / f"s{k}", picks=(0,), frames=6, seed=k) for k in range(2)]
    serial = build_dataset(sessions, tmp_path / "serial", CONFIG)
    parallel = build_dataset(sessions, tmp_path / "parallel", CONFIG, workers=2)
    for a, b in zip(serial, parallel, strict=True):
        assert a.shard.read_bytes() == b.shard.read_bytes()


def test_no_sessions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="no session"):
        find_sessions([tmp_path])


def test_attempts_without_frames_or_grasp_are_skipped(tmp_path: Path) -> None:
    path = make_session(tmp_path / "one", picks=(0,), frames=6)
    with Session(path) as session:
        with session.edit() as edit:
            add_attempt(edit, 2, (0, 5, 6, 6), "held", BoxScene().grasp(1))
            edit.execute("UPDATE attempts SET gx = NULL WHERE id = 2")
        assert len(read_approaches(session)) == 1
