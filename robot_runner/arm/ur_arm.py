"""A UR5 (CB3) or UR5e through ur_rtde: the runner's side of the link (see ``link``)."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm import dashboard
from robot_runner.arm.base import ArmState, MotionLimits, Safety
from robot_runner.arm.kinematics import MODELS, forward, inverse_near, within_limits
from robot_runner.arm.link import link_process
from robot_runner.arm.link_messages import (
    SAFETIES,
    Close,
    Connected,
    Fault,
    JointGoal,
    LineGoal,
    LinkConfig,
    Patience,
    Recover,
    Settings,
    Stop,
    explain,
)
from robot_runner.arm.state_ring import StateRing
from wildgrasp.errors import RobotError
from wildgrasp.geometry import interpolate

RTDE_PORT = 30004
_ANSWER_S = 2.0  # to a first connection
_START_S = 30.0  # for the process, the upload and the program
_UNLOCK_S = 7.0  # controllers insist on 5 s after the stop
_POLL_S = 0.002
_ARRIVED_M = 0.0007
_ARRIVED_RAD = 0.003
_AT_REST_RAD_S = 0.01


@dataclass(frozen=True)
class _Goal:
    number: int
    T_base_tool: NDArray[np.float64]


@dataclass
class UrArm:
    """An arm at a host. Implements the ``Arm`` seam; :meth:`recover` is for operators, after any stop."""

    host: str
    model: str = "ur5"  # or ur5e
    patience: Patience = field(default_factory=Patience)
    payload_kg: float = 0.0
    _process: Any = field(default=None, init=False, repr=False)
    _pipe: Any = field(default=None, init=False, repr=False)
    _ring: StateRing = field(default_factory=StateRing, init=False, repr=False)
    _goal: _Goal | None = field(default=None, init=False, repr=False)
    _number: int = field(default=0, init=False, repr=False)
    _fault: Fault | None = field(default=None, init=False, repr=False)
    _settings: Settings | None = field(default=None, init=False, repr=False)

    # --- connecting ---

    def connect(self) -> None:
        """Raises RobotError within seconds when no controller answers, or it is in local control, or in use."""
        if self.model not in MODELS:
            raise RobotError(f"{self.model!r} is no arm this runner knows. Known are {', '.join(MODELS)}.")
        self._knock()
        if dashboard.in_local_control(self.host):
            raise RobotError(
                f"The controller at {self.host} is in local control. Switch it to remote control at its pendant (the "
                "icon in the top right corner) and start again."
            )
        self.close()
        context = multiprocessing.get_context("spawn")
        self._ring = StateRing()
        self._pipe, child_pipe = context.Pipe()
        config = LinkConfig(self.host, self.model, self.patience, payload_kg=self.payload_kg)
        self._process = context.Process(
            target=link_process, args=(child_pipe, self._ring.memory, config), daemon=True, name="ur-link"
        )
        self._process.start()
        child_pipe.close()
        self._expect_connected()

    def recover(self) -> None:
        """Make the arm ready again after a stop. Call it when the operator has confirmed; it does not move the arm.

        Raises RobotError with what is still in the way."""
        safety = self.state().safety
        if safety is Safety.EMERGENCY_STOP and self._still_stopped():
            raise RobotError(explain(safety))
        if safety is Safety.PROTECTIVE_STOP:
            self._unlock()
        self._goal, self._fault = None, None
        if self._process is None or not self._process.is_alive():
            self.connect()
            return
        self._send(Recover())
        self._expect_connected()

    def _unlock(self) -> None:
        """A controller refuses for some seconds after the stop, so that a person looks first."""
        dashboard.ask(self.host, "close safety popup")
        deadline = time.monotonic() + _UNLOCK_S
        while "releasing" not in (answer := dashboard.ask(self.host, "unlock protective stop")).lower():
            if time.monotonic() > deadline:
                raise RobotError(
                    f"The controller does not release the protective stop ({answer}). Look at its pendant for the "
                    "reason, then recover again."
                )
            time.sleep(0.2)

    def close(self) -> None:
        """Bring the arm to rest and end the link."""
        if self._process is None:
            return
        with contextlib.suppress(OSError, RobotError):
            self._send(Close())
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()
        self._process = self._pipe = self._goal = None

    def _knock(self) -> None:
        try:
            socket.create_connection((self.host, RTDE_PORT), _ANSWER_S).close()
        except OSError:
            raise RobotError(
                f"No UR controller answers at {self.host}:{RTDE_PORT}. Is it switched on and on this network, and is "
                "the address right?"
            ) from None

    def _expect_connected(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                answered = self._pipe.poll(max(0.0, deadline - time.monotonic()))
                message = self._pipe.recv() if answered else Connected("The controller did not answer in time.")
            except (EOFError, OSError):
                message = Connected("The process that links to the arm ended unexpectedly.")
            if isinstance(message, Connected):
                break
        if message.problem:
            if self._ring.count == 0:
                self.close()
            raise RobotError(message.problem)
        self._settings = message.settings
        count = self._ring.count
        self._poll_until(lambda: self._ring.count > count + 1, deadline)

    def _still_stopped(self) -> bool:
        words = dashboard.ask(self.host, "safetymode").upper()
        return "EMERGENCY" in words

    # --- state ---

    def state(self) -> ArmState:
        row = self._ring.latest()
        if row is None:
            raise RobotError("The arm is not connected.")
        q = row["q"].copy()
        safety = SAFETIES[int(row["safety"])]
        if not self._link_lives(row):
            safety = Safety.DISCONNECTED
        moving = not row["settled"] or np.abs(row["qd"]).max() > _AT_REST_RAD_S
        return ArmState(int(row["t_ns"]), q, row["qd"].copy(), forward(MODELS[self.model], q), bool(moving), safety)

    def tool_pose_at(self, t_ns: int) -> NDArray[np.float64]:
        """T_base_tool [4, 4] at a host time. Raises RobotError outside the recent readings (50 ms grace at the end)."""
        rows = self._ring.recent(3000)
        times = rows["t_ns"].astype(np.int64)
        if len(rows) < 2 or t_ns < times[0] or t_ns > times[-1] + 50_000_000:
            raise RobotError(
                "There is no reading of the arm for the time of the camera's picture. Check the camera's latency "
                "setting and the link to the arm."
            )
        after = int(np.clip(np.searchsorted(times, t_ns), 1, len(rows) - 1))
        span = max(1, int(times[after] - times[after - 1]))
        u = np.clip((t_ns - int(times[after - 1])) / span, 0.0, 1.0)
        q = rows["q"][after - 1] + u * (rows["q"][after] - rows["q"][after - 1])
        return forward(MODELS[self.model], q)

    def settings(self) -> Settings:
        """What is set at the controller, as read when the link was made."""
        if self._settings is None:
            raise RobotError("The arm is not connected.")
        return self._settings

    @property
    def cycles(self) -> int:
        """Cycles of the stream since the link was made."""
        return self._ring.count

    def cycle_lateness_us(self) -> NDArray[np.int64]:
        """How late the recent cycles of the stream were, in microseconds (for doctor and benchmarks)."""
        return self._ring.recent(3000)["late_us"].astype(np.int64)

    # --- motion ---

    def move_to(self, T_base_tool: NDArray[np.float64], limits: MotionLimits) -> None:
        self._raise_if_stopped()
        T = np.array(T_base_tool, dtype=np.float64)
        self._raise_if_unreachable(T)
        self._number += 1
        self._fault, self._goal = None, _Goal(self._number, T)
        self._send(LineGoal(self._number, T, limits))

    def move_joints(self, q: NDArray[np.float64], limits: MotionLimits) -> None:
        self._raise_if_stopped()
        q = np.array(q, dtype=np.float64)
        model = MODELS[self.model]
        if q.shape != (6,) or not np.isfinite(q).all() or not within_limits(model, q):
            raise RobotError("The joint goal is not six angles within the arm's limits. The arm did not move.")
        self._number += 1
        self._fault, self._goal = None, _Goal(self._number, forward(model, q))
        self._send(JointGoal(self._number, q, limits))

    def wait(self, timeout_s: float, remaining_m: float = 0.0) -> bool:
        return self._poll_until(lambda: self._near_goal(remaining_m), time.monotonic() + timeout_s)

    def stop(self) -> None:
        if self._process is None:
            return
        self._number += 1
        self._goal = None
        with contextlib.suppress(RobotError):  # a link that is gone has stopped the arm itself
            self._send(Stop(self._number))
            deadline = time.monotonic() + 2.0
            while time.monotonic() < deadline:
                row = self._ring.latest()
                if not self._link_lives(row) or (row["goal"] >= self._number and not self.state().moving):
                    return
                time.sleep(_POLL_S)

    # --- how ---

    def _near_goal(self, remaining_m: float) -> bool:
        self._raise_if_stopped()
        row, goal = self._ring.latest(), self._goal  # another thread may stop the arm meanwhile
        if goal is None or row["goal"] < goal.number:
            return goal is None
        T = forward(MODELS[self.model], row["q"])
        error = T - goal.T_base_tool
        remaining = float(np.linalg.norm(error[:3, 3]))
        if remaining_m > 0:
            return remaining <= remaining_m and np.abs(error[:3, :3]).max() < 0.05
        still = bool(row["settled"]) and np.abs(row["qd"]).max() < _AT_REST_RAD_S
        return still and remaining < _ARRIVED_M and np.abs(error[:3, :3]).max() < _ARRIVED_RAD

    def _poll_until(self, done: Any, deadline_s: float) -> bool:
        while not done():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_POLL_S)
        return True

    def _raise_if_stopped(self) -> None:
        self._drain()
        safety = self.state().safety
        if safety is not Safety.NORMAL:
            raise RobotError(explain(safety))
        goal, fault = self._goal, self._fault
        if fault is not None and goal is not None and fault.number == goal.number:
            raise RobotError(fault.text)

    def _drain(self) -> None:
        try:
            while self._pipe is not None and self._pipe.poll():
                message = self._pipe.recv()
                if isinstance(message, Fault):
                    self._fault = message
        except (EOFError, OSError):
            return  # the process is gone; state() says so

    def _link_lives(self, row: Any) -> bool:
        if row is None or self._process is None or not self._process.is_alive():
            return False
        return time.monotonic_ns() - int(row["received_ns"]) < self.patience.dead_s * 1e9

    def _raise_if_unreachable(self, T: NDArray[np.float64]) -> None:
        """Try the straight way in a few samples before anything moves."""
        model, q = MODELS[self.model], self._ring.latest()["q"].copy()
        if T.shape != (4, 4) or not np.isfinite(T).all():
            raise RobotError("The goal is not a finite pose. The arm did not move.")
        start = forward(model, q)
        for u in (0.25, 0.5, 0.75, 1.0):
            q, ok = inverse_near(model, interpolate(start, T, u), q)
            if not ok or not within_limits(model, q):
                raise RobotError("The goal is out of the arm's reach on a straight way. The arm did not move.")

    def _send(self, message: object) -> None:
        try:
            self._pipe.send(message)
        except (OSError, AttributeError):
            raise RobotError(explain(Safety.DISCONNECTED)) from None
