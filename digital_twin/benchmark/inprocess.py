"""Arm, gripper and camera of a simulated cell in virtual time: only the link is replaced, all above is the product.

Time passes only while somebody waits: in ``arm.wait``, ``gripper.wait`` and ``camera.read``. The arm follows what the
product's own streamer would send to a real controller, in cycles of 8 ms.
"""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from digital_twin.world.cell_reality import Reality
from digital_twin.world.d415 import D415, DEPTH_SCALE, camera_info
from digital_twin.world.robot_cell import CAMERA_NAME, RobotCell
from robot_runner.arm.base import ArmState, MotionLimits, Safety
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from robot_runner.arm.streamer import Mode, Streamer
from robot_runner.gripper.base import GripperState
from wildgrasp.cameras.base import CameraInfo, RGBDFrame
from wildgrasp.errors import RobotError
from wildgrasp.geometry import Array, interpolate

CYCLE_S = 0.008
CYCLE_NS = 8_000_000
_START_NS = 1_000_000_000  # so that no stamp is 0, which means "never" in places
_HISTORY = 250  # cycles: two seconds


class VirtualRobot:
    """The cell with its clock: whoever waits advances all of it."""

    def __init__(self, cell: RobotCell) -> None:
        self.cell = cell
        self.now_ns = _START_NS
        self.streamer = Streamer(UR5, CYCLE_S, cell.q)
        self.physics_s = self.render_s = 0.0  # of real time that went into them
        self.history: deque[tuple[int, Array]] = deque([(self.now_ns, cell.q)], maxlen=_HISTORY)
        lag = round(cell.settings.reality.motion_lag_s / CYCLE_S)
        self._underway = deque([cell.q] * lag)  # commands that the arm has not heard yet

    def advance(self) -> None:
        """One control cycle."""
        started = time.perf_counter()
        self._underway.append(self.streamer.next())
        q, _ = self.cell.step(self._underway.popleft(), CYCLE_S)
        self.physics_s += time.perf_counter() - started
        self.now_ns += CYCLE_NS
        self.history.append((self.now_ns, q))

    def advance_seconds(self, seconds: float) -> None:
        for _ in range(round(seconds / CYCLE_S)):
            self.advance()


class InProcessArm:
    """:class:`~robot_runner.arm.base.Arm` over a :class:`VirtualRobot`."""

    def __init__(self, robot: VirtualRobot) -> None:
        self._robot = robot
        self._goal = forward(UR5, robot.cell.q)

    def connect(self) -> None:
        pass

    def state(self) -> ArmState:
        cell = self._robot.cell
        q, qd = cell.q, cell.qd
        moving = not self._robot.streamer.settled or bool(np.abs(qd).max() > _STILL_RAD_S)
        return ArmState(self._robot.now_ns, q, qd, forward(UR5, q), moving, Safety.NORMAL)

    def tool_pose_at(self, t_ns: int) -> Array:
        times = [t for t, _ in self._robot.history]
        after = int(np.searchsorted(times, t_ns))
        if after == 0 or after == len(times):
            return forward(UR5, self._robot.history[min(after, len(times) - 1)][1])
        (t0, q0), (t1, q1) = self._robot.history[after - 1], self._robot.history[after]
        return interpolate(forward(UR5, q0), forward(UR5, q1), (t_ns - t0) / (t1 - t0))

    def move_to(self, T_base_tool: Array, limits: MotionLimits) -> None:
        _, reached = inverse_near(UR5, T_base_tool, self._robot.cell.q, 60)
        if not reached:
            raise RobotError("The pose is out of the arm's reach; the arm stays where it is.")
        self._goal = np.array(T_base_tool)
        self._robot.streamer.move_to(self._goal, limits)

    def move_joints(self, q: Array, limits: MotionLimits) -> None:
        self._goal = forward(UR5, np.asarray(q, dtype=np.float64))
        self._robot.streamer.move_joints(np.asarray(q, dtype=np.float64), limits)

    def wait(self, timeout_s: float, remaining_m: float = 0.0) -> bool:
        end_ns = self._robot.now_ns + round(timeout_s * 1e9)
        while not self._arrived(remaining_m):
            if self._robot.now_ns >= end_ns:
                return False
            self._robot.advance()
        return True

    def stop(self) -> None:
        self._robot.streamer.stop()

    def close(self) -> None:
        pass

    def _arrived(self, remaining_m: float) -> bool:
        """Raises RobotError when the motion had to be given up."""
        streamer, cell = self._robot.streamer, self._robot.cell
        if streamer.fault:
            raise RobotError(f"The arm stopped: {streamer.fault}")
        if remaining_m > 0 and streamer.mode is Mode.LINE:
            return _within(forward(UR5, cell.q), self._goal, remaining_m)
        return streamer.settled and bool(np.abs(cell.qd).max() < _STILL_RAD_S)


_STILL_RAD_S = 0.005


def _within(T: Array, T_goal: Array, distance_m: float) -> bool:
    """Near enough to the goal to look again; the turn is judged as ``UrArm.wait`` judges it."""
    error = np.abs(T - T_goal)
    return bool(np.linalg.norm(error[:3, 3]) <= distance_m and error[:3, :3].max() < 0.05)


class InProcessGripper:
    """:class:`~robot_runner.gripper.base.Gripper` over a :class:`VirtualRobot`."""

    def __init__(self, robot: VirtualRobot) -> None:
        self._robot = robot

    def connect(self) -> None:
        pass

    def state(self) -> GripperState:
        fingers = self._robot.cell.finger_state()
        return GripperState(self._robot.now_ns, fingers.width_m, fingers.busy, fingers.grip_detected)

    def move_to(self, width_m: float, force_n: float) -> None:
        self._robot.cell.command_fingers(width_m, force_n)

    def wait(self, timeout_s: float) -> GripperState:
        end_ns = self._robot.now_ns + round(timeout_s * 1e9)
        while self._robot.cell.finger_state().busy:
            if self._robot.now_ns >= end_ns:
                raise RobotError(f"The gripper was still moving after {timeout_s:.1f} s.")
            self._robot.advance()
        return self.state()

    def close(self) -> None:
        pass


class InProcessCamera:
    """:class:`~wildgrasp.cameras.base.Camera` over a :class:`VirtualRobot`: exposes now, delivers after the latency."""

    def __init__(self, robot: VirtualRobot, reality: Reality, seed: int) -> None:
        self._robot, self._reality = robot, reality
        self._sensor = D415(robot.cell.model, CAMERA_NAME, seed, noise=reality.noise)

    def open(self) -> CameraInfo:
        return camera_info()

    def read(self, timeout_s: float = 1.0) -> RGBDFrame:
        t_ns = self._robot.now_ns
        started = time.perf_counter()
        color, depth = self._sensor.render(self._robot.cell.data)
        self._robot.render_s += time.perf_counter() - started
        self._robot.advance_seconds(self._reality.camera_latency_s)
        return RGBDFrame(color, depth, DEPTH_SCALE, t_ns, t_ns)

    def close(self) -> None:
        self._sensor.close()
