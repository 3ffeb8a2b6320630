"""The controller's own behaviour, cycle by cycle: motion commands, watchdog, stops, limits."""

import numpy as np
import pytest

from digital_twin.ur_controller.interpreter import load
from digital_twin.ur_controller.machine import CB3, E_SERIES, Machine, SafetyMode
from digital_twin.ur_controller.plant import IdealFingers, IdealPlant
from digital_twin.ur_controller.poses import from_pose, to_pose, tool_pose
from digital_twin.ur_controller.rg2 import Rg2
from wildgrasp.clocks import VirtualClock

MODELS = pytest.mark.parametrize("model", [CB3, E_SERIES], ids=["cb3", "e-series"])


def ticks(machine, seconds):
    for _ in range(round(seconds / machine.dt)):
        machine.tick()


class BlockedPlant(IdealPlant):
    """Something stands in the way after a while."""

    def __init__(self):
        super().__init__()
        self.blocked_at = None

    def step(self, q_target, dt):
        return super().step(q_target if self.blocked_at is None else self.blocked_at, dt)


@MODELS
def test_movel_is_straight_and_exact(model):
    machine = Machine(model)
    start = tool_pose(machine)
    goal = to_pose(start)
    goal[2] -= 0.1
    load(machine, f"def main():\n  movel(p{list(goal)}, a=1.0, v=0.25)\nend\n")
    xs = []
    while machine.running:
        machine.tick()
        xs.append(tool_pose(machine, machine.q)[:2, 3])
    np.testing.assert_allclose(xs, np.tile(start[:2, 3], (len(xs), 1)), atol=3e-7)
    np.testing.assert_allclose(tool_pose(machine, machine.q), from_pose(goal), atol=3e-7)
    assert machine.time == pytest.approx(0.1 / 0.25 + 0.25 / 1.0, abs=0.03)


@MODELS
def test_speedl_runs_for_ever_without_a_watchdog_and_stops_with_one(model):
    source = "def main():\n  {}\n  while True:\n    speedl([0, 0, -0.03, 0, 0, 0], 0.5, 0.1)\n  end\nend\n"
    free, watched = Machine(model), Machine(model)
    load(free, source.format("sync()"))
    load(watched, source.format('rtde_set_watchdog("input_int_register_0", 20, "stop")'))
    for machine in (free, watched):
        ticks(machine, 0.5)
    assert free.running
    assert not watched.running
    assert "watchdog" in watched.messages[-1]
    assert np.abs(watched.qd).max() < 1e-9


def test_the_watchdog_is_fed_by_its_own_variable_only():
    machine = Machine()
    load(
        machine,
        'def main():\n  rtde_set_watchdog("input_int_register_0", 20, "stop")\n  while True:\n    sync()\n  end\nend\n',
    )
    for _ in range(50):
        machine.tick()
        machine.feed_watchdog(["input_int_register_0"])
    assert machine.running
    for _ in range(50):
        machine.tick()
        machine.feed_watchdog(["input_int_register_5"])
    assert not machine.running


@pytest.mark.parametrize("stop", [lambda m: m.protective_stop("test"), lambda m: m.emergency_stop()])
def test_stops_end_the_program_brake_and_refuse_others(stop):
    machine = Machine()
    load(machine, "def main():\n  movej([1, -1.57, 1.35, -1.35, -1.57, 0], a=2, v=1)\nend\n")
    ticks(machine, 0.6)
    speed, q = np.abs(machine.qd).max(), machine.q.copy()
    stop(machine)
    ticks(machine, 1.0)
    braking = speed**2 / (2 * machine.safety_config.brake_rad_s2)
    assert np.abs(machine.q - q).max() <= braking + 2 * speed * machine.dt
    rest = machine.q.copy()
    load(machine, "def main():\n  movej([0, -1.57, 1.35, -1.35, -1.57, 0])\nend\n")
    ticks(machine, 0.2)
    assert not machine.running
    np.testing.assert_array_equal(machine.q, rest)


def test_an_arm_that_is_held_back_stops_protectively_and_can_be_released():
    plant = BlockedPlant()
    machine = Machine(plant=plant)
    load(machine, "def main():\n  movej([1, -1.57, 1.35, -1.35, -1.57, 0], a=2, v=1)\nend\n")
    ticks(machine, 0.4)
    plant.blocked_at = machine.q.copy()
    ticks(machine, 1.0)
    assert machine.safety is SafetyMode.PROTECTIVE_STOP
    assert machine.release_protective_stop()
    ticks(machine, 0.1)
    assert machine.safety is SafetyMode.NORMAL
    np.testing.assert_allclose(machine.q_target, plant.blocked_at)


def test_joint_targets_never_exceed_the_speed_limit_and_nan_ends_the_program():
    machine = Machine()
    load(machine, "def main():\n  servoj([3, -1.57, 1.35, -1.35, -1.57, 0], t=0.1)\nend\n")
    fastest = 0.0
    while machine.running:
        machine.tick()
        fastest = max(fastest, np.abs(machine.qd_target).max())
    assert fastest <= machine.model.arm.max_joint_speed_rad_s + 1e-9
    load(machine, "def main():\n  servoj([pow(10, 308) * 10 - pow(10, 308) * 10, 0, 0, 0, 0, 0])\nend\n")
    ticks(machine, 0.1)
    assert not machine.running
    assert np.isfinite(machine.q).all()


def test_rg2_registers_move_fingers_hold_objects_and_ignore_what_a_busy_gripper_ignores():
    clock = VirtualClock()
    rg2 = Rg2(IdealFingers(clock, object_width_m=0.03))
    rg2.write(0, [200, 0, 16])
    assert rg2.read()[268] & 1
    rg2.write(0, [200, 1000, 16])  # ignored: busy
    clock.sleep_until_ns(2_000_000_000)
    assert rg2.read()[267] == 300
    assert rg2.read()[268] == 0b10
    rg2.write(0, [200, 1100, 16])
    clock.sleep_until_ns(4_000_000_000)
    assert rg2.read()[267] == 1100
    assert rg2.read()[268] == 0


class RunawayPlant(IdealPlant):
    """Joints that turn faster than they are told."""

    def step(self, q_target, dt):
        q, qd = super().step(q_target, dt)
        return q, qd + 3.5


def test_joints_that_are_too_fast_stop_protectively():
    machine = Machine(plant=RunawayPlant())
    ticks(machine, 0.1)
    assert machine.safety is SafetyMode.PROTECTIVE_STOP
    assert "too fast" in machine.messages[-1]


@MODELS
def test_a_straight_motion_through_a_singularity_stops_protectively(model):
    machine = Machine(model, q_start=(0.0, -1.57, 0.02, -1.57, -1.57, 0.0))  # nearly stretched
    load(machine, "def main():\n  while True:\n    speedl([0, 0, 0.5, 0, 0, 0], 5.0, 0.1)\n  end\nend\n")
    ticks(machine, 1.0)
    assert machine.safety is SafetyMode.PROTECTIVE_STOP
    assert not machine.running
    assert np.abs(machine.qd).max() < 1e-3


def test_a_protective_stop_is_not_released_at_once():
    machine = Machine()
    machine.protective_stop("test")
    machine.tick()
    assert not machine.release_protective_stop()
    ticks(machine, machine.safety_config.unlock_after_s)
    assert machine.release_protective_stop()


@MODELS
def test_stopl_brakes_the_tool_along_its_path_at_the_deceleration_asked_for(model):
    machine = Machine(model)
    load(machine, "def main():\n  speedl([0, 0, -0.25, 0, 0, 0], 5.0, 0.3)\n  stopl(10.0, 30.0)\nend\n")
    ticks(machine, 0.3)
    start = tool_pose(machine, machine.q)
    path = []
    while machine.running:
        machine.tick()
        path.append(tool_pose(machine, machine.q)[:3, 3] - start[:3, 3])
    travel = np.array(path)[-1]
    assert -travel[2] == pytest.approx(0.25**2 / 20, abs=0.25 * 2.5 * machine.dt)
    assert np.abs(travel[:2]).max() < 2e-4
