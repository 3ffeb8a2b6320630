"""An arm, a gripper, a camera and a policy in virtual time, for tests of what drives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grasp_policy.policy import Decision
from robot_runner.arm.base import ArmState, MotionLimits, Safety
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from robot_runner.gripper.base import GripperState
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.clocks import VirtualClock
from wildgrasp.errors import RobotError
from wildgrasp.geometry import PinholeCamera, interpolate

INTRINSICS = PinholeCamera(16, 12, 14.0, 14.0, 7.5, 5.5)
INFO = CameraInfo("virtual", "0", "0", INTRINSICS, 0.001, 30.0)


class VirtualArm:
    """Moves at the commanded speed while somebody waits for it."""

    def __init__(self, clock: VirtualClock, q: np.ndarray) -> None:
        self.clock, self.q = clock, np.array(q, dtype=float)
        self.stops = 0
        self.commands: list[np.ndarray] = []
        self.speeds: list[float] = []  # m/s that each line was commanded with
        self.fails_at: Callable[[VirtualArm], str | None] = lambda arm: None
        self._path: list[np.ndarray] = []
        self.joint_moves = 0
        self._past: list[tuple[int, np.ndarray]] = [(0, self.q)]

    def connect(self) -> None:
        pass

    def state(self) -> ArmState:
        T = forward(UR5, self.q)
        return ArmState(self.clock.now_ns(), self.q.copy(), np.zeros(6), T, bool(self._path), Safety.NORMAL)

    def tool_pose_at(self, t_ns: int) -> np.ndarray:
        return forward(UR5, next(q for t, q in reversed(self._past) if t <= t_ns))

    def move_to(self, T_base_tool: np.ndarray, limits: MotionLimits) -> None:
        self.commands.append(T_base_tool)
        self.speeds.append(limits.speed_m_s)
        start, q = forward(UR5, self.q), self.q
        steps = max(1, int(np.linalg.norm(T_base_tool[:3, 3] - start[:3, 3]) / limits.speed_m_s / 0.02))
        self._path = []
        for u in np.arange(1, steps + 1) / steps:
            q, ok = inverse_near(UR5, interpolate(start, T_base_tool, u), q)
            assert ok
            self._path.append(q)

    def move_joints(self, q: np.ndarray, limits: MotionLimits) -> None:
        self.joint_moves += 1
        self._path = [self.q + u * (q - self.q) for u in np.linspace(0.1, 1, 10)]

    def wait(self, timeout_s: float, remaining_m: float = 0.0) -> bool:
        deadline = self.clock.now_ns() + round(timeout_s * 1e9)
        problem = self.fails_at(self)
        if problem:
            self._path = []
            raise RobotError(problem)
        while self._path and self.clock.now_ns() < deadline:
            problem = self.fails_at(self)
            if problem:
                self._path = []
                raise RobotError(problem)
            self.clock.sleep_until_ns(self.clock.now_ns() + 20_000_000)
            self.q = self._path.pop(0)
            self._past.append((self.clock.now_ns(), self.q))
        return not self._path

    def stop(self) -> None:
        self.stops += 1
        self._path = []

    def close(self) -> None:
        pass


class VirtualGripper:
    """Closes on an object of a given width; ``slips`` makes it lose the object as soon as it has it."""

    def __init__(self, clock: VirtualClock, object_width_m: float = 0.03) -> None:
        self.clock, self.object_width_m, self.width_m = clock, object_width_m, 0.11
        self.silent = self.slips = False
        self.commands: list[float] = []

    def connect(self) -> None:
        pass

    def state(self) -> GripperState:
        if self.silent:
            raise RobotError("The gripper does not answer.")
        return GripperState(self.clock.now_ns(), self.width_m, False, self.width_m == self.object_width_m)

    def move_to(self, width_m: float, force_n: float) -> None:
        self.commands.append(width_m)
        self.width_m = max(width_m, self.object_width_m)

    def wait(self, timeout_s: float) -> GripperState:
        self.clock.sleep_until_ns(self.clock.now_ns() + 500_000_000)
        reading = self.state()
        if self.slips and self.width_m == self.object_width_m:
            self.width_m = 0.0
        return reading

    def close(self) -> None:
        pass


class VirtualCamera:
    """A grey wall 0.3 m away, in pictures exposed when they are asked for."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.color_level, self.depth_level = 90, 300
        self.frozen = False
        self._last: RGBDFrame | None = None

    def open(self) -> CameraInfo:
        return INFO

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        if self.frozen and self._last is not None:
            return self._last
        self.clock.sleep_until_ns(self.clock.now_ns() + 33_000_000)
        shape = (INTRINSICS.height, INTRINSICS.width)
        color = np.full((*shape, 3), self.color_level, np.uint8)
        self._last = RGBDFrame(color, np.full(shape, self.depth_level, np.uint16), 0.001, self.clock.now_ns())
        return self._last

    def close(self) -> None:
        pass


class DownwardPolicy:
    """Goes straight down in steps and closes after the given number of them."""

    def __init__(self, steps: int = 3, step_m: float = 0.03) -> None:
        self.steps, self.step_m = steps, step_m
        self.observed: list[np.ndarray] = []
        self.decided = 0
        self.decision: Callable[[np.ndarray, int], Decision] | None = None

    def reset(self) -> None:
        self.observed, self.decided = [], 0

    def observe(self, color, depth, camera, T_base_camera) -> None:
        self.observed.append(T_base_camera)

    def decide(self, T_base_fingertip, allowed) -> Decision:
        self.decided += 1
        if self.decision is not None:
            return self.decision(T_base_fingertip, self.decided)
        goal = T_base_fingertip.copy()
        goal[2, 3] -= self.step_m
        candidates = np.stack([T_base_fingertip, goal])
        values = np.where(allowed(candidates), [0.1, 0.9], np.nan).astype(np.float32)
        kind = "close" if self.decided == self.steps else "move"
        timings = {"fuse": 1.0, "views": 2.0, "q": 3.0}
        return Decision(kind, goal, "scripted", 1, candidates, values, None, timings)
