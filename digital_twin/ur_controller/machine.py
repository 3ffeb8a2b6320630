"""The simulated controller's state: joints, registers, safety, the running program; one control cycle at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digital_twin.ur_controller.plant import IdealPlant, JointPlant
from digital_twin.ur_controller.urscript import Program, ScriptError
from robot_runner.arm.kinematics import UR5, UR5E, ArmModel

Array = NDArray[np.float64]


class SafetyMode(Enum):
    """Value: safety mode and safety status bits as RTDE reports them."""

    NORMAL = (1, 0b1)
    PROTECTIVE_STOP = (3, 1 << 2 | 1 << 10)
    EMERGENCY_STOP = (7, 1 << 6 | 1 << 7 | 1 << 10)


@dataclass(frozen=True)
class ControllerModel:
    """Which controller is simulated."""

    arm: ArmModel
    version: tuple[int, int, int, int]
    frequency_hz: float
    serial: str

    @property
    def e_series(self) -> bool:
        return self.version[0] >= 5


CB3 = ControllerModel(UR5, (3, 15, 8, 106339), 125.0, "20163500001")
E_SERIES = ControllerModel(UR5E, (5, 11, 0, 108249), 500.0, "20195500001")
CONTROLLERS = {"ur5": CB3, "ur5e": E_SERIES}

HOME_Q = (0.0, -1.57, 1.35, -1.35, -1.57, 0.0)


@dataclass(frozen=True)
class SafetyConfig:
    """When the simulated controller stops by itself. Real ones estimate forces; this one sees what they do."""

    brake_rad_s2: float = 8.0  # deceleration of each stop
    max_deviation_rad: float = 0.12  # between commanded and actual joints: something is in the way
    max_joint_speed_rad_s: float = 3.3  # a little above the arm's 180°/s
    unlock_after_s: float = 0.5  # of a protective stop; a real controller insists on 5 s


@dataclass
class Watchdog:
    """Stops the program when a client no longer writes an input variable."""

    variable: str
    period_s: float
    fed_s: float


@dataclass
class Thread:
    generator: Generator[None, None, Any]


@dataclass
class Machine:
    """One controller and its arm. :meth:`tick` is one control cycle; nothing here knows sockets or real time."""

    model: ControllerModel = CB3
    plant: JointPlant = field(default_factory=IdealPlant)
    q_start: tuple[float, ...] = HOME_Q
    safety_config: SafetyConfig = field(default_factory=SafetyConfig)

    def __post_init__(self) -> None:
        self.dt = 1.0 / self.model.frequency_hz
        self.time = 0.0
        self.q_target = np.array(self.q_start, dtype=np.float64)
        self.qd_target = np.zeros(6)
        self.q, self.qd = self.plant.step(self.q_target, self.dt)
        self.safety = SafetyMode.NORMAL
        self.remote_control = True
        self.speed_slider = 1.0
        self.tcp = [0.0] * 6
        self.payload_kg = 0.0
        self.int_in, self.int_out = [0] * 48, [0] * 48
        self.double_in, self.double_out = [0.0] * 48, [0.0] * 48
        self.messages: deque[str] = deque(maxlen=200)
        self.watchdog: Watchdog | None = None
        self.scripts_loaded = 0
        self.program_since_s, self.program_since_q = 0.0, self.q
        self._stopped_s = 0.0
        self._threads: list[Thread] = []
        self._main: Thread | None = None
        self._commanded = False

    # --- programs ---

    @property
    def running(self) -> bool:
        return self._main is not None

    def run_program(self, name: str, program: Program) -> None:
        """Replace the running program."""
        self.stop_program("replaced by another program")
        self.scripts_loaded += 1
        self.program_since_s, self.program_since_q = self.time, self.q.copy()
        self._main = self.start_thread(program)
        self.messages.append(f"program {name} started")

    def start_thread(self, program: Program) -> Thread:
        thread = Thread(program())
        self._threads.append(thread)
        return thread

    def kill_thread(self, thread: Thread) -> None:
        if thread in self._threads:
            self._threads.remove(thread)
            thread.generator.close()

    def stop_program(self, why: str) -> None:
        if self._main is None:
            return
        threads, self._threads, self._main = self._threads, [], None
        self.watchdog = None  # all watchdogs are removed when a program stops
        for thread in threads:
            if not thread.generator.gi_running:
                thread.generator.close()
        self.messages.append(f"program stopped: {why}")

    # --- safety ---

    def protective_stop(self, why: str) -> None:
        if self.safety is SafetyMode.NORMAL:
            self.safety = SafetyMode.PROTECTIVE_STOP
            self._stopped_s = self.time
            self.messages.append(f"protective stop: {why}")

    def emergency_stop(self) -> None:
        self.safety = SafetyMode.EMERGENCY_STOP
        self.messages.append("emergency stop")

    def release_protective_stop(self) -> bool:
        waited = self.time - self._stopped_s >= self.safety_config.unlock_after_s
        if self.safety is not SafetyMode.PROTECTIVE_STOP or not waited:
            return False
        self.safety = SafetyMode.NORMAL
        self.q_target, self.qd_target = self.q.copy(), np.zeros(6)
        return True

    def release_emergency_stop(self) -> None:
        """The button is turned back and the arm restarted at the pendant."""
        self.safety = SafetyMode.NORMAL
        self.q_target, self.qd_target = self.q.copy(), np.zeros(6)

    # --- motion ---

    def command_joints(self, q: Array) -> None:
        """Set this cycle's joint target; the joints' speed limit holds whatever a program asks."""
        limit = self.model.arm.max_joint_speed_rad_s
        qd = (q - self.q_target) / self.dt
        fastest = np.abs(qd).max()
        if not np.isfinite(fastest):
            raise ScriptError("a joint target is not a number")
        if fastest > limit:
            qd *= limit / fastest
        self.qd_target = qd
        self.q_target = self.q_target + qd * self.dt
        self._commanded = True

    def tick(self) -> None:
        """One control cycle: watchdog, safety, every thread of the program once, then the arm moves for dt."""
        self.time += self.dt
        self._commanded = False
        if self.watchdog and self.time - self.watchdog.fed_s > self.watchdog.period_s + 1.5 * self.dt:
            self.stop_program("the RTDE watchdog expired")
        if self.safety is not SafetyMode.NORMAL:
            self.stop_program(self.safety.name.lower().replace("_", " "))
        for thread in list(self._threads):
            if thread in self._threads:
                self._resume(thread)
        if not self._commanded:
            self._brake()
        self.q, self.qd = self.plant.step(self.q_target, self.dt)
        self._watch_arm()

    def feed_watchdog(self, variables: list[str]) -> None:
        """A client has written these input variables."""
        if self.watchdog and self.watchdog.variable in variables:
            self.watchdog.fed_s = self.time

    def _resume(self, thread: Thread) -> None:
        try:
            next(thread.generator)
        except StopIteration:
            self.kill_thread(thread)
            if thread is self._main:
                self.stop_program("it ended")
        except (ScriptError, ArithmeticError, LookupError, TypeError, ValueError, NameError) as error:
            self.stop_program(f"runtime error: {error}")

    def _brake(self) -> None:
        fastest = np.abs(self.qd_target).max()
        if fastest > 0:
            self.qd_target = self.qd_target * max(0.0, 1.0 - self.safety_config.brake_rad_s2 * self.dt / fastest)
            self.q_target = self.q_target + self.qd_target * self.dt

    def _watch_arm(self) -> None:
        arm, config = self.model.arm, self.safety_config
        if self.safety is not SafetyMode.NORMAL:
            return
        if np.abs(self.q_target - self.q).max() > config.max_deviation_rad:
            self.protective_stop("the arm is held back (collision)")
        elif np.abs(self.qd).max() > config.max_joint_speed_rad_s:
            self.protective_stop("a joint is too fast")
        elif not ((self.q >= arm.lower) & (self.q <= arm.upper)).all():
            self.protective_stop("a joint reached its limit")
