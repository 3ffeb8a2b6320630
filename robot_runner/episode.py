"""One closed-loop grasp: look, decide, move a little, look again; close; lift; judge by the fingers' width.

The loop of section VI of the paper, as a state machine whose every transition is logged. It never sleeps and never
reads a clock: time passes in ``arm.wait``, ``gripper.wait`` and ``camera.read`` only, and the arm's readings give the
time. So the same code runs a robot in real time and thousands of simulated episodes in virtual time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grasp_policy.policy import Decision, Policy
from robot_runner import guard
from robot_runner.arm.base import Arm, MotionLimits
from robot_runner.episode_log import EpisodeLog, NoLog
from robot_runner.episode_types import EpisodeConfig, EpisodeEvent, EpisodeResult, Operator, State
from robot_runner.gripper.base import Gripper
from robot_runner.looking import exposed_ns, fresh_frame
from wildgrasp.cameras.base import Camera, CameraInfo, RGBDFrame
from wildgrasp.errors import RobotError, UserError
from wildgrasp.geometry import inverse

Array = NDArray[np.float64]
_STOPPED = "the operator stopped the run"


class _EarlyEndError(Exception):
    """The loop's own way out: an outcome that is no fault."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.reason = outcome, reason


class Episode:
    """One grasp with connected hardware. :meth:`run` may be called once per object; it leaves the arm still."""

    def __init__(
        self,
        arm: Arm,
        gripper: Gripper,
        camera: Camera,
        camera_info: CameraInfo,
        policy: Policy,
        config: EpisodeConfig | None = None,
        log: EpisodeLog | None = None,
        on_event: Callable[[EpisodeEvent], None] = lambda event: None,
        operator: Operator | None = None,
        drop_off: Callable[[Arm, Gripper], None] | None = None,
    ) -> None:
        self._arm, self._gripper, self._camera, self._policy = arm, gripper, camera, policy
        self._intrinsics = camera_info.intrinsics
        self._config = EpisodeConfig() if config is None else config
        self._log: EpisodeLog = NoLog() if log is None else log
        self._on_event = on_event
        self._operator = Operator() if operator is None else operator
        self._drop_off = drop_off
        self._steps = 0
        self._closed_width_m = 0.0
        self._width_m: float | None = None
        self._decision_ms: list[dict[str, float]] = []
        self._t_ns = 0

    def run(self) -> EpisodeResult:
        """From the start pose to the verdict. Faults end the episode with the arm stopped; they do not raise.

        Raises SessionError when not even the end can be logged; the arm is stopped then too."""
        self._steps, self._width_m, self._decision_ms = 0, None, []
        t_start_ns = self._now_ns()
        try:
            self._start()
            self._approach()
            self._close()
            self._lift()
            outcome, reason = self._check()
            self._put_down()
        except _EarlyEndError as end:
            outcome, reason = end.outcome, end.reason
        except UserError as error:
            outcome, reason = "fault", str(error)
            if self._operator.stop_requested():  # what it says then is only that
                outcome, reason = "stopped", _STOPPED
        except BaseException:
            self._halt()
            raise
        if outcome in ("fault", "stopped"):
            self._halt()
        self._enter(State.END, f"{outcome}: {reason}")
        return EpisodeResult(
            outcome, reason, self._steps, self._width_m, t_start_ns, self._t_ns, _mean_timings(self._decision_ms)
        )

    # --- the states, in order ---

    def _start(self) -> None:
        config = self._config
        self._enter(State.START, "opening, then to the start pose")
        self._policy.reset()
        self._pause_if_asked()
        self._move_fingers(config.open_width_m)
        goal = np.array(config.start_q)
        T_start = guard.check_joints(goal, goal, config.guard).T_base_fingertip
        rise = T_start[2, 3] - self._fingertip()[2, 3]
        if rise > 0.02:  # out of whatever stands around, before turning
            with contextlib.suppress(_EarlyEndError):  # where it cannot rise, the joint move below is judged as it is
                self._rise(rise, config.travel)
        verdict = guard.check_joints(goal, self._arm.state().q, config.guard, self._gripper.state().width_m)
        if verdict.kind == "refuse":
            raise _EarlyEndError("refused", f"The way to the start pose is not free: {verdict.reason}.")
        self._raise_if_stopped()
        self._arm.move_joints(goal, config.travel.slowed(self._operator.speed()))
        self._wait(config.move_timeout_s)

    def _approach(self) -> None:
        refusals = late = 0
        while self._steps < self._config.max_steps:
            self._pause_if_asked()
            decision = self._look_and_decide()
            if decision is None:
                late += 1
                if late >= self._config.max_refusals:
                    raise RobotError(
                        f"The policy took more than {self._config.policy_timeout_s:.0f} s for a step, {late} times in "
                        "a row; the arm did not move on. Close other programs on this computer, or use a faster policy."
                    )
                continue
            late = 0
            if decision.kind == "stuck":
                raise _EarlyEndError("stuck", decision.reason or "no candidate may be reached")
            verdict = self._judge(decision)
            if verdict.kind == "refuse":
                refusals += 1
                self._enter(State.DECIDE, f"refused: {verdict.reason}", decision=decision, verdict=verdict)
                if refusals >= self._config.max_refusals:
                    raise _EarlyEndError("refused", f"The guard refused {refusals} moves in a row: {verdict.reason}.")
                continue
            refusals = 0
            if decision.kind == "close":
                self._enter(State.FINISH, decision.reason or "close enough", decision=decision, verdict=verdict)
                self._move(verdict.T_base_fingertip, self._config.finish, remaining_m=0.0)
                return
            self._enter(State.MOVE, verdict.reason, decision=decision, verdict=verdict)
            self._move(verdict.T_base_fingertip, self._config.approach, self._config.remaining_m)
        raise _EarlyEndError("out of steps", f"no grasp after {self._steps} steps")

    def _look_and_decide(self) -> Decision | None:
        """None when it took so long that what was seen may no longer be so: the arm stands, and looks again."""
        frame = self._observe()
        decision = self._decide()
        took_s = (self._arm.state().t_ns - frame.t_host_ns) * 1e-9
        if took_s <= self._config.policy_timeout_s:
            return decision
        self._enter(State.DECIDE, f"too late: deciding took {took_s:.1f} s")
        return None

    def _observe(self) -> RGBDFrame:
        self._enter(State.OBSERVE, "")
        frame = fresh_frame(self._camera, self._arm, self._config)
        T_base_camera = self._arm.tool_pose_at(exposed_ns(frame, self._config)) @ self._config.guard.T_tool_camera
        self._policy.observe(frame.color, frame.depth, self._intrinsics, T_base_camera)
        self._log.observation(frame, T_base_camera)
        self._emit(State.OBSERVE, "observed", frame=frame, T_base_camera=T_base_camera)
        return frame

    def _decide(self) -> Decision:
        state = self._arm.state()
        width_m = self._gripper.state().width_m
        limits = self._config.guard
        decision = self._policy.decide(
            state.T_base_tool @ limits.T_tool_fingertip,
            lambda candidates: guard.allowed(candidates, state.q, limits, width_m),
        )
        self._steps += 1
        self._decision_ms.append(decision.timings_ms)
        return decision

    def _judge(self, decision: Decision) -> guard.Verdict:
        state = self._arm.state()
        verdict = guard.check(decision.T_base_fingertip, state.q, self._config.guard, self._gripper.state().width_m)
        self._t_ns = state.t_ns
        self._log.decision(state.t_ns, self._steps, decision, verdict)
        return verdict

    def _close(self) -> None:
        self._enter(State.CLOSE, f"closing with {self._config.force_n:.0f} N")
        self._closed_width_m = self._move_fingers(0.0)

    def _lift(self) -> None:
        self._enter(State.LIFT, f"lifting {self._config.lift_height_m:.2f} m")
        self._rise(self._config.lift_height_m, self._config.lift)

    def _check(self) -> tuple[str, str]:
        reading = self._gripper.state()
        self._width_m = reading.width_m
        held_before, held = (w > self._config.min_width_m for w in (self._closed_width_m, reading.width_m))
        outcome = "success" if held else "dropped" if held_before else "empty"
        reason = f"the fingers are {reading.width_m * 1e3:.1f} mm apart after the lift"
        self._enter(State.CHECK, f"{outcome}: {reason}", width_m=reading.width_m)
        return outcome, reason

    def _put_down(self) -> None:
        """Give the object away, or back to where it was taken from; open in any case."""
        config = self._config
        if self._drop_off is not None:
            self._enter(State.DROP, "to the drop-off")
            self._drop_off(self._arm, self._gripper)
            return
        self._enter(State.DROP, "putting back")
        if self._width_m is not None and self._width_m > config.min_width_m:
            self._rise(-0.9 * config.lift_height_m, config.lift)
        self._move_fingers(config.open_width_m)

    # --- motion ---

    def _halt(self) -> None:
        with contextlib.suppress(RobotError):  # the arm does not answer: its watchdog stops it
            self._arm.stop()

    def _move_fingers(self, width_m: float) -> float:
        """Open or close, the arm standing still; the width reached. Raises RobotError when the arm was stopped."""
        self._raise_if_stopped()
        self._gripper.move_to(width_m, self._config.force_n)
        width_m = self._gripper.wait(self._config.gripper_timeout_s).width_m
        self._arm.wait(0.0)
        return width_m

    def _pause_if_asked(self) -> None:
        """Stand still until the operator goes on, or stops. The camera's pictures pass the time."""
        if not self._operator.pause_requested():
            return
        self._enter(State.PAUSED, "the operator paused the run")
        while self._operator.pause_requested():
            self._raise_if_stopped()
            self._camera.read(self._config.camera_timeout_s)
            self._arm.wait(0.0)

    def _rise(self, height_m: float, motion: MotionLimits) -> None:
        """Straight up (or down), in pieces as long as the guard lets pass at once."""
        goal = self._fingertip()
        goal[2, 3] += height_m
        for _ in range(20):
            verdict = guard.check(goal, self._arm.state().q, self._config.guard, self._gripper.state().width_m)
            if verdict.kind == "refuse":
                raise _EarlyEndError("refused", f"The arm may not move {height_m:+.2f} m vertically: {verdict.reason}.")
            self._move(verdict.T_base_fingertip, motion, remaining_m=0.0)
            if "shortened" not in verdict.reason:
                return

    def _move(self, T_base_fingertip: Array, motion: MotionLimits, remaining_m: float) -> None:
        self._raise_if_stopped()
        motion = motion.slowed(self._operator.speed())
        self._arm.move_to(T_base_fingertip @ inverse(self._config.guard.T_tool_fingertip), motion)
        self._wait(self._config.move_timeout_s, remaining_m)

    def _wait(self, timeout_s: float, remaining_m: float = 0.0) -> None:
        """Wait for the motion in short pieces, so that a stop is heard."""
        slices = max(1, round(timeout_s / 0.1))
        for _ in range(slices):
            if self._arm.wait(timeout_s / slices, remaining_m):
                self._raise_if_stopped()
                return
            self._raise_if_stopped()
        raise RobotError(
            f"The arm did not arrive within {timeout_s:.0f} s and was stopped. Look for what holds it back."
        )

    def _raise_if_stopped(self) -> None:
        if self._operator.stop_requested():
            raise _EarlyEndError("stopped", _STOPPED)

    def _fingertip(self) -> Array:
        return self._arm.state().T_base_tool @ self._config.guard.T_tool_fingertip

    # --- telling ---

    def _enter(self, state: State, text: str, **detail: Any) -> None:
        self._log.transition(self._now_ns(), state.value, text)
        self._emit(state, text, **detail)

    def _now_ns(self) -> int:
        with contextlib.suppress(RobotError):  # with the arm gone, the last known time still orders the log
            self._t_ns = self._arm.state().t_ns
        return self._t_ns

    def _emit(self, state: State, text: str, **detail: Any) -> None:
        self._on_event(EpisodeEvent(self._t_ns, state, text, detail))


def _mean_timings(timings: list[dict[str, float]]) -> dict[str, float]:
    names = {name for row in timings for name in row}
    return {name: float(np.mean([row[name] for row in timings if name in row])) for name in sorted(names)}
