"""Fingers, servo and contact: what is held is held by force and friction, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from digital_twin.demonstrator.grasps import GraspPlanner
from digital_twin.demonstrator.handheld import STEP_NS, HandheldConfig, HandheldWorld, state_size
from digital_twin.demonstrator.motion import reach
from digital_twin.world.gripper_model import GripperModelConfig
from wildgrasp import rig
from wildgrasp.geometry import pose

SEED = 3  # a scene with a can that stands free
STOPS = HandheldConfig().stops


class Drive:
    """The servo's side of a world."""

    def __init__(self, world: HandheldWorld) -> None:
        self.world, self.t_ns = world, 0

    def run(self, goal_ticks: float, seconds: float, torque: float = 0.6, enabled: bool = True):
        for _ in range(round(seconds * 1e9 / STEP_NS)):
            self.t_ns += STEP_NS
            state = self.world.update(self.t_ns, goal_ticks, 500.0, torque, enabled)
        return state

    def move(self, T, seconds: float, goal_ticks: float):
        for step in reach(self.world.T_world_fingertip, T, seconds):
            self.world.command_hand(step)
            self.run(goal_ticks, 0.002)


@pytest.fixture(scope="module")
def grasped():
    """A world seed and configuration with a verified grasp of one object, and the object's index."""
    world = HandheldWorld(SEED)
    planner = GraspPlanner(world, 0)
    for index in planner.within_reach():
        found = planner.find(index)
        if found and found[0].width_m > 0.03:
            return index, found[0]
    pytest.fail("no object of the scene can be grasped")


def pick_up(config: HandheldConfig, grasped) -> tuple[HandheldWorld, Drive, float]:
    """Reach, close and lift by 12 cm; how far the object rose."""
    index, grasp = grasped
    world = HandheldWorld(SEED, config)
    drive = Drive(world)
    T = world.object_poses()[index] @ grasp.T_object_fingertip
    drive.move(T @ pose(t=np.array([0, 0, -0.1])), 0.6, STOPS.open_ticks)
    drive.move(T, 0.6, STOPS.open_ticks)
    before = world.object_poses()[index][2, 3]
    drive.run(STOPS.closed_ticks, 0.5)
    up = T.copy()
    up[2, 3] += 0.12
    drive.move(up, 0.7, STOPS.closed_ticks)
    drive.run(STOPS.closed_ticks, 0.2)
    return world, drive, world.object_poses()[index][2, 3] - before


def test_empty_fingers_go_from_stop_to_stop():
    drive = Drive(HandheldWorld(SEED))
    closed = drive.run(STOPS.closed_ticks, 1.2)
    assert closed.position_ticks == pytest.approx(STOPS.closed_ticks, abs=1.5)
    assert drive.world.opening == pytest.approx(0.0, abs=1e-3)
    opened = drive.run(STOPS.open_ticks, 1.2)
    assert opened.position_ticks == pytest.approx(STOPS.open_ticks, abs=1.5)
    assert drive.world.opening == pytest.approx(rig.MAX_OPENING_M, abs=1e-3)


def test_fingers_obey_the_speed_and_rest_without_power():
    drive = Drive(HandheldWorld(SEED))
    assert drive.run(STOPS.closed_ticks, 0.2, enabled=False).position_ticks == pytest.approx(STOPS.open_ticks, abs=0.5)
    drive.run(STOPS.closed_ticks, 0.2)
    assert abs(drive.run(STOPS.closed_ticks, 0.1).speed_ticks_s) == pytest.approx(500.0, rel=0.05)


def test_an_object_blocks_the_fingers_and_is_lifted(grasped):
    world, drive, rise = pick_up(HandheldConfig(), grasped)
    assert rise > 0.1
    assert world.opening == pytest.approx(grasped[1].width_m, abs=0.006)
    state = drive.run(STOPS.closed_ticks, 0.05)
    assert 0.05 < state.load_fraction <= 0.6 + 1e-9
    assert 1.0 < world.grip_force <= world.config.gripper.force_n + 0.1


def test_the_gear_train_holds_without_torque(grasped):
    """The firmware moves the goal back to the present position after contact: the grip stays."""
    world, drive, _ = pick_up(HandheldConfig(), grasped)
    force, height = world.grip_force, world.object_poses()[grasped[0]][2, 3]
    here = drive.run(STOPS.closed_ticks, 0.002).position_ticks
    drive.run(here, 0.5)
    assert world.grip_force > 0.8 * force
    assert world.object_poses()[grasped[0]][2, 3] == pytest.approx(height, abs=0.01)
    drive.run(STOPS.open_ticks, 1.0)
    assert world.object_poses()[grasped[0]][2, 3] < height - 0.05


def test_pads_without_friction_lift_nothing(grasped):
    slippery = replace(HandheldConfig(), gripper=GripperModelConfig(pad_friction=1e-4))
    _, _, rise = pick_up(slippery, grasped)
    assert rise < 0.03


def test_a_verified_grasp_is_reproducible_and_the_world_is_untouched(grasped):
    index, grasp = grasped
    world = HandheldWorld(SEED)
    before = world.data.qpos.copy()
    planner = GraspPlanner(world, 0)
    T = world.object_poses()[index] @ grasp.T_object_fingertip
    assert planner.is_free(T)
    assert planner.holds(index, T)
    assert not planner.holds(index, pose(t=np.array([0, 0, 0.15])) @ T)  # above it: nothing between the fingers
    assert not planner.is_free(pose(t=np.array([0, 0, -0.2])) @ T)  # inside the table
    assert np.array_equal(world.data.qpos, before)
    assert -T[2, 2] > np.cos(np.deg2rad(70.1))


def test_the_state_has_the_size_that_the_camera_process_is_told():
    config = HandheldConfig(n_objects=2)
    assert HandheldWorld(0, config).model.nq == state_size(config)
