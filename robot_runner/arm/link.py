"""The link to a UR controller, in a process of its own: nothing the runner does can make the stream to the arm late.

What it guarantees (each has a test in tests/robot_runner):
- the arm follows a stream of joint targets; when this process dies, another one brakes the arm at once (``last_stop``),
  and without that one the last target is where the arm ends;
- the controller's watchdog is armed before the first motion and again after every upload of the control script;
- readings older than ``stale_s`` bring the plan to rest; a lost link, a safety stop, a stopped program end every goal;
- motion never resumes by itself: after any of these a ``Recover`` is needed, and then a new goal;
- when the runner dies, the arm is braked at once and the process ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.base import MotionLimits, Safety
from robot_runner.arm.controller_clock import ControllerClock
from robot_runner.arm.kinematics import MODELS, forward
from robot_runner.arm.last_stop import LastStop
from robot_runner.arm.link_messages import (
    SAFETIES,
    STALE,
    Close,
    Connected,
    Fault,
    JointGoal,
    LineGoal,
    LinkConfig,
    Recover,
    Settings,
    Stop,
    explain,
    plain_words,
)
from robot_runner.arm.priority import go_first
from robot_runner.arm.state_ring import StateRing
from robot_runner.arm.streamer import Streamer
from wildgrasp.geometry import pose, so3_exp

CONTROL_HZ = {"ur5": 125.0, "ur5e": 500.0}  # CB3, e-Series

_PROTECTIVE_STOPPED = 1 << 2
_EMERGENCY_STOPPED = 1 << 6 | 1 << 7
_PROGRAM_RUNNING = 1 << 1
_CLOCK_WINDOW_S = 0.1


def link_process(pipe: Connection, memory: Any, config: LinkConfig) -> None:
    """Entry point of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which stops the arm properly
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the client library prints; standard output is the runner's
    go_first()
    link = _Link(pipe, StateRing(memory), config)
    answer = link.connect()
    pipe.send(answer)
    if not answer.problem:
        link.run()
    link.disconnect()


class _Link:
    def __init__(self, pipe: Connection, ring: StateRing, config: LinkConfig) -> None:
        self._pipe, self._ring, self._config = pipe, ring, config
        self._dt = 1.0 / CONTROL_HZ[config.model]
        self._streamer = Streamer(MODELS[config.model], self._dt, np.zeros(6))
        self._control: Any = None
        self._receive: Any = None
        self._last_stop: LastStop | None = None
        self._safety = Safety.DISCONNECTED
        self._goal = 0
        self._leaving = False
        self._controller_s, self._received_ns = -1.0, 0
        self._clock = ControllerClock(window=round(_CLOCK_WINDOW_S / self._dt))

    # --- connecting ---

    def connect(self) -> Connected:
        """Connect, upload, arm the watchdog."""
        problem = self._connect()
        return Connected(problem) if problem else Connected("", self._settings())

    def _connect(self) -> str:
        import rtde_control
        import rtde_receive

        config = self._config
        frequency = CONTROL_HZ[config.model]
        _warm_up(self._streamer)
        try:
            self._last_stop = LastStop(config.host)
            self._receive = rtde_receive.RTDEReceiveInterface(config.host, frequency)
            self._control = rtde_control.RTDEControlInterface(config.host, frequency)
            if config.payload_kg > 0:
                self._control.setPayload(config.payload_kg, [0.0, 0.0, 0.05])
            armed = self._control.setWatchdog(config.patience.watchdog_hz)
        except (RuntimeError, ValueError, OSError) as error:
            return plain_words(config.host, str(error))
        if not np.isfinite(self._receive.getActualQ()).all():
            return f"The controller at {config.host} sends joint angles that are no numbers, so the arm is not moved."
        if not armed:
            return f"The controller at {config.host} did not accept the watchdog, so the arm is not moved."
        self._start_from(np.array(self._receive.getActualQ()))
        return ""

    def disconnect(self) -> None:
        for interface in (self._control, self._receive):
            if interface is not None:
                with contextlib.suppress(RuntimeError):
                    interface.disconnect()
        self._control = self._receive = None
        if self._last_stop is not None:
            self._last_stop.dismiss()
            self._last_stop = None

    def _start_from(self, q: NDArray[np.float64]) -> None:
        self._streamer.reset(q)
        self._safety = Safety.NORMAL
        self._controller_s, self._received_ns = -1.0, time.monotonic_ns()
        self._clock = ControllerClock(window=round(_CLOCK_WINDOW_S / self._dt))

    def _settings(self) -> Settings:
        tcp = np.array(self._receive.getActualTCPPose())
        T_base_tcp = pose(so3_exp(tcp[3:]), tcp[:3])
        return Settings(np.array(self._receive.getActualQ()), T_base_tcp, float(self._receive.getPayload()))

    def _recover(self) -> Connected:
        """After any stop, connect anew.

        ``reuploadScript`` alone would not do: the controller's registers still hold the last streamed target as a
        command, and the new program would follow it at once. Connecting clears them.
        """
        self.disconnect()
        return self.connect()

    # --- the cycle ---

    def run(self) -> None:
        """Until told to leave; then come to rest first."""
        next_s = time.perf_counter()
        while not (self._leaving and (self._streamer.settled or self._safety is not Safety.NORMAL)):
            next_s += self._dt
            self._obey_until(next_s)
            late_s = time.perf_counter() - next_s
            if late_s > 10 * self._dt:
                next_s = time.perf_counter()  # what is past is not caught up in a burst
            reading = self._read()
            if self._safety is Safety.NORMAL:
                self._stream()
            self._publish(reading, late_s)
        if self._safety is Safety.NORMAL:
            with contextlib.suppress(RuntimeError):
                self._control.servoStop()
                self._control.stopScript()

    def _obey_until(self, end_s: float) -> None:
        """Hear messages, and the runner's end, until the next cycle is due."""
        self._obey()
        while not self._leaving and (left_s := end_s - time.perf_counter()) > 0:
            if wait([self._pipe], left_s):
                self._obey()
        time.sleep(max(0.0, end_s - time.perf_counter()))

    def _obey(self) -> None:
        try:
            while not self._leaving and self._pipe.poll():
                self._take(self._pipe.recv())
        except (EOFError, OSError):  # the runner is gone: leave as if killed, so that the last stop brakes at once
            os._exit(1)

    def _take(self, message: object) -> None:
        match message:
            case Recover():
                self._pipe.send(self._recover())
            case Close():
                self._streamer.stop()
                self._leaving = True
            case Stop(number):
                self._goal = number
                self._streamer.stop()
            case LineGoal(number) | JointGoal(number) if self._safety is not Safety.NORMAL:
                self._goal = number
                self._pipe.send(Fault(number, explain(self._safety)))
            case LineGoal(number, T, limits):
                self._goal = number
                self._streamer.move_to(T, limits)
            case JointGoal(number, q, limits):
                self._goal = number
                self._streamer.move_joints(q, limits)

    def _read(self) -> tuple:
        """(t_ns, q, qd, controller_s), after looking at the link's and the arm's health."""
        now_ns = time.monotonic_ns()
        if self._receive is None:
            return now_ns, np.zeros(6), np.zeros(6), self._controller_s
        controller_s = self._receive.getTimestamp()
        if controller_s != self._controller_s:
            self._controller_s, self._received_ns = controller_s, now_ns
            self._clock.received(round(controller_s * 1e9), now_ns)
        if self._safety is Safety.NORMAL:
            self._watch(now_ns)
        t_ns = self._clock.to_host_ns(round(controller_s * 1e9), now_ns)
        return t_ns, self._receive.getActualQ(), self._receive.getActualQd(), controller_s

    def _watch(self, now_ns: int) -> None:
        age_s = (now_ns - self._received_ns) * 1e-9
        found = Safety.NORMAL
        bits = self._receive.getSafetyStatusBits()
        if age_s > self._config.patience.lost_s or not (self._receive.isConnected() and self._control.isConnected()):
            found = Safety.DISCONNECTED
        elif not np.isfinite(self._receive.getActualQ()).all() or not self._last_stop.watching:
            found = Safety.DISCONNECTED  # no reading comes over the link, or nobody would brake the arm after its end
        elif bits & _EMERGENCY_STOPPED:
            found = Safety.EMERGENCY_STOP
        elif bits & _PROTECTIVE_STOPPED:
            found = Safety.PROTECTIVE_STOP
        elif not self._receive.getRobotStatus() & _PROGRAM_RUNNING:
            found = Safety.PROGRAM_STOPPED
        if found is not Safety.NORMAL:
            self._safety = found
            self._streamer.reset(np.array(self._receive.getActualQ()))
            self._tell(Fault(self._goal, explain(found)))
        elif age_s > self._config.patience.stale_s and self._streamer.moving:
            self._streamer.stop()
            self._tell(Fault(self._goal, STALE))

    def _stream(self) -> None:
        q = self._streamer.next()
        config = self._config
        try:
            self._control.servoJ(q.tolist(), 0.0, 0.0, self._dt, config.lookahead_s, config.gain)
        except RuntimeError:
            self._safety = Safety.DISCONNECTED
            self._streamer.reset(q)
            self._tell(Fault(self._goal, explain(self._safety)))
        if self._streamer.fault:
            self._tell(Fault(self._goal, self._streamer.fault))
            self._streamer.fault = ""

    def _tell(self, message: object) -> None:
        with contextlib.suppress(OSError):  # the runner is gone; _obey notices
            self._pipe.send(message)

    def _publish(self, reading: tuple, late_s: float) -> None:
        t_ns, q, qd, controller_s = reading
        settled = self._streamer.settled or self._safety is not Safety.NORMAL
        safety = SAFETIES.index(self._safety)
        late_us = round(late_s * 1e6)
        self._ring.append((t_ns, self._received_ns, q, qd, safety, self._goal, int(settled), late_us, controller_s))


def _warm_up(streamer: Streamer) -> None:
    """One cycle of motion on nothing: what Python loads at first use must not make the first real cycle late."""
    q = np.array([0.0, -1.5, 1.4, -1.4, -1.5, 0.0])
    streamer.reset(q)
    streamer.move_to(forward(streamer.model, q + 0.01), MotionLimits())
    streamer.next()
