"""The closed loop in virtual time: its order, its judgement, and how it ends when something fails."""

from types import SimpleNamespace

import numpy as np
import pytest
from virtual_rig import INFO, DownwardPolicy, VirtualArm, VirtualCamera, VirtualGripper

from grasp_policy.policy import Decision
from robot_runner.episode import Episode, EpisodeConfig, State
from robot_runner.episode_types import Operator
from wildgrasp.clocks import VirtualClock
from wildgrasp.geometry import inverse

CONFIG = EpisodeConfig()
START = np.array(CONFIG.start_q)


class ListLog:
    def __init__(self):
        self.transitions, self.observations, self.decisions = [], [], []

    def transition(self, t_ns, state, reason):
        self.transitions.append((t_ns, state, reason))

    def observation(self, frame, T_base_camera):
        self.observations.append((frame, T_base_camera))

    def decision(self, t_ns, step, decision, verdict):
        self.decisions.append((step, decision, verdict))


@pytest.fixture
def rig():
    clock = VirtualClock(1_000_000_000)
    parts = SimpleNamespace(
        clock=clock,
        arm=VirtualArm(clock, START + 0.1),
        gripper=VirtualGripper(clock),
        camera=VirtualCamera(clock),
        policy=DownwardPolicy(),
        log=ListLog(),
        events=[],
    )
    parts.run = lambda config=CONFIG, **more: Episode(
        parts.arm, parts.gripper, parts.camera, INFO, parts.policy, config, parts.log, parts.events.append, **more
    ).run()
    parts.states = lambda: [state for _, state, _ in parts.log.transitions]
    return parts


def test_a_grasp_goes_through_the_states_in_order_and_succeeds(rig):
    result = rig.run()
    assert result.success
    assert result.steps == 3
    assert result.width_m == pytest.approx(0.03)
    assert result.timings_ms == {"fuse": 1.0, "q": 3.0, "views": 2.0}
    assert rig.states() == (
        ["start"] + ["observe", "move"] * 2 + ["observe", "finish", "close", "lift", "check", "drop", "end"]
    )
    times = [t for t, _, _ in rig.log.transitions]
    assert times == sorted(times)
    assert result.t_start_ns == times[0] < times[-1] == result.t_end_ns


def test_the_lift_is_ten_centimetres_straight_up(rig):
    rig.run()
    T_tool_fingertip = CONFIG.guard.T_tool_fingertip
    finish, lift = rig.arm.commands[-3] @ T_tool_fingertip, rig.arm.commands[-2] @ T_tool_fingertip
    np.testing.assert_allclose(lift[:3, 3] - finish[:3, 3], [0, 0, 0.1], atol=1e-6)


def test_each_look_is_fused_at_the_pose_of_its_own_time(rig):
    rig.run()
    for frame, T_base_camera in rig.log.observations:
        assert frame.t_host_ns > 0
        assert T_base_camera.shape == (4, 4)
    drops = np.diff([T[2, 3] for _, T in rig.log.observations])
    np.testing.assert_allclose(drops, -0.03, atol=1e-6)


def test_the_camera_pose_is_the_hand_eye_calibration_after_the_tool(rig):
    rig.policy.steps = 1
    rig.run()
    T_base_tool = rig.log.observations[0][1] @ inverse(CONFIG.guard.T_tool_camera)
    np.testing.assert_allclose(T_base_tool, VirtualArm(rig.clock, START).state().T_base_tool, atol=1e-9)


def test_closed_fingers_mean_an_empty_grasp(rig):
    rig.gripper.object_width_m = 0.0
    result = rig.run()
    assert result.outcome == "empty"
    assert not result.success


def test_it_gives_up_after_the_allowed_number_of_steps(rig):
    rig.policy.steps, rig.policy.step_m = 1000, 0.001
    result = rig.run(EpisodeConfig(max_steps=5))
    assert (result.outcome, result.steps) == ("out of steps", 5)


def test_a_stuck_policy_ends_the_episode(rig):
    rig.policy.decision = lambda T, n: Decision("stuck", T, "all candidates are in the wall")
    result = rig.run()
    assert (result.outcome, result.reason) == ("stuck", "all candidates are in the wall")


def test_a_decision_that_is_not_a_number_never_moves_the_arm(rig):
    rig.arm.q = START
    rig.policy.decision = lambda T, n: Decision("move", np.full((4, 4), np.nan))
    result = rig.run()
    assert result.outcome == "refused"
    assert "finite" in result.reason
    assert rig.arm.commands == []
    assert len(rig.log.decisions) == CONFIG.max_refusals


def test_a_refused_move_is_followed_by_another_look(rig):
    def once_into_the_table(T, n):
        goal = T.copy()
        goal[2, 3] -= 0.5 if n == 1 else 0.02
        return Decision("move" if n < 3 else "close", goal)

    rig.policy.decision = once_into_the_table
    wide = EpisodeConfig(guard=type(CONFIG.guard)(max_step_m=1.0))
    assert rig.run(wide).success
    assert rig.states().count("observe") == 3
    assert [v.kind for _, _, v in rig.log.decisions] == ["refuse", "allow", "allow"]


@pytest.mark.parametrize("during", [State.START, State.MOVE, State.FINISH, State.CLOSE, State.LIFT])
def test_an_arm_that_stops_by_itself_ends_the_episode_with_its_words(rig, during):
    def fail(arm):
        current = rig.events[-1].state
        return "The arm is in a protective stop." if current == during else None

    rig.arm.fails_at = fail
    result = rig.run()
    assert result.outcome == "fault"
    assert "protective stop" in result.reason
    assert rig.arm.stops == 1
    assert rig.states()[-2:] == [during.value, "end"]


def test_a_silent_gripper_ends_the_episode(rig):
    rig.gripper.silent = True
    result = rig.run()
    assert result.outcome == "fault"
    assert "gripper" in result.reason
    assert rig.arm.stops == 1


@pytest.mark.parametrize(("fault", "words"), [("frozen", "no new pictures"), ("black", "black")])
def test_a_camera_that_shows_nothing_new_ends_the_episode(rig, fault, words):
    def see(T, n):
        rig.camera.frozen = fault == "frozen"
        if fault == "black":
            rig.camera.color_level = rig.camera.depth_level = 0
        goal = T.copy()
        goal[2, 3] -= 0.05
        return Decision("move", goal)

    rig.policy.decision = see
    result = rig.run()
    assert result.outcome == "fault"
    assert words in result.reason
    assert result.steps == 1


def test_an_operator_stop_halts_the_arm_and_says_so(rig):
    result = rig.run(operator=Operator(stop_requested=lambda: rig.policy.decided >= 2))
    assert result.outcome == "stopped"
    assert rig.arm.stops == 1
    assert rig.states()[-1] == "end"


def test_a_bug_in_the_policy_stops_the_arm_and_keeps_its_trace(rig):
    def broken(T, n):
        raise ZeroDivisionError

    rig.policy.decision = broken
    with pytest.raises(ZeroDivisionError):
        rig.run()
    assert rig.arm.stops == 1


def test_a_drop_off_replaces_putting_back(rig):
    dropped = []
    assert rig.run(drop_off=lambda arm, gripper: dropped.append(gripper.state().width_m)).success
    assert dropped == [pytest.approx(0.03)]
    assert rig.gripper.commands == [CONFIG.open_width_m, 0.0]


def test_an_object_that_slips_out_during_the_lift_was_dropped(rig):
    rig.gripper.slips = True
    result = rig.run()
    assert result.outcome == "dropped"
    assert not result.success
    assert rig.states()[-3:] == ["check", "drop", "end"]


def test_a_picture_is_fused_where_the_camera_was_when_it_was_exposed(rig):
    """With a latency longer than a frame, the arm has moved between exposure and arrival."""
    rig.run(EpisodeConfig(camera_latency_s=0.06))
    T_tool_camera = CONFIG.guard.T_tool_camera
    for frame, T_base_camera in rig.log.observations:
        T_base_tool = rig.arm.tool_pose_at(frame.t_host_ns - 60_000_000)
        np.testing.assert_allclose(T_base_camera, T_base_tool @ T_tool_camera, atol=1e-12)


def test_a_policy_that_is_too_slow_does_not_move_the_arm_any_more(rig):
    def slow(T, n):
        rig.clock.sleep_until_ns(rig.clock.now_ns() + 6_000_000_000)
        return Decision("move", T)

    rig.arm.q, rig.policy.decision = START, slow
    result = rig.run()
    assert result.outcome == "fault"
    assert "policy took more than 5 s" in result.reason
    assert (rig.arm.commands, rig.arm.stops) == ([], 1)
    assert [text for _, _, text in rig.log.transitions if "too late" in text] == ["too late: deciding took 6.0 s"] * 3


def test_one_late_decision_is_thrown_away_and_the_next_is_acted_on(rig):
    def slow_at_first(T, n):
        if n == 1:
            rig.clock.sleep_until_ns(rig.clock.now_ns() + 6_000_000_000)
        goal = T.copy()
        goal[2, 3] -= 0.02
        return Decision("close", goal)

    rig.policy.decision = slow_at_first
    assert rig.run().success
    assert rig.states().count("observe") == 2


def test_a_pause_stands_still_between_moves_and_goes_on_when_told(rig):
    asked = iter([False, True] + [True] * 50)
    paused = lambda: next(asked, False)  # noqa: E731
    result = rig.run(operator=Operator(pause_requested=paused))
    assert result.success
    assert rig.states()[:2] == ["start", "paused"]
    assert rig.states().count("paused") == 1


def test_a_stop_during_a_pause_ends_it(rig):
    result = rig.run(
        operator=Operator(pause_requested=lambda: True, stop_requested=lambda: rig.clock.now_ns() > 2_000_000_000)
    )
    assert result.outcome == "stopped"
    assert rig.arm.commands == []


def test_a_stop_during_the_first_rise_is_not_forgotten(rig):
    rig.arm.q = START + np.array([0, 0.3, 0, 0, 0, 0])  # low: it rises first
    result = rig.run(operator=Operator(stop_requested=lambda: bool(rig.arm.commands)))
    assert result.outcome == "stopped"
    assert rig.arm.joint_moves == 0


def test_the_speed_slider_slows_every_line(rig):
    rig.run()
    full, rig.arm.speeds = rig.arm.speeds, []
    rig.run(operator=Operator(speed=lambda: 0.25))
    np.testing.assert_allclose(rig.arm.speeds[-5:], 0.25 * np.array(full[-5:]))
