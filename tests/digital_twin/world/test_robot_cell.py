"""The robot cell holds still, grasps by friction alone, and says truly what it holds."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from digital_twin.world.cell_piles import CellScene
from digital_twin.world.cell_reality import RANGES, Reality, sample_reality
from digital_twin.world.cell_scene import T_WORLD_BASE
from digital_twin.world.objects import HouseholdObject, add_object, quaternion
from digital_twin.world.robot_cell import START_Q, CellSettings, RobotCell
from digital_twin.world.scene import build_scene
from digital_twin.world.shapes import Part, Shape
from robot_runner.arm.kinematics import UR5, forward, inverse_near
from wildgrasp.geometry import inverse, pose
from wildgrasp.rig import NOMINAL_T_FINGERTIP_CAMERA, T_TOOL_FINGERTIP

CYCLE_S = 0.008
DOWN = pose(np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]))
BLOCK = HouseholdObject(Shape("block", (Part("box", (0.015, 0.03, 0.02)),), 600.0, ("plain",)), 0.5, 7)


def cell_with_block(reality=None, lying_at=(0.0, 0.0, 0.021)):
    scene = build_scene(3, n_objects=0)
    T = pose(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array(lying_at))
    add_object(scene.spec, BLOCK, "block", T)
    return RobotCell(CellSettings(reality=reality or Reality()), CellScene(scene.spec, {"block": "block"}))


def joints_above_block(height_m, start):
    T = inverse(T_WORLD_BASE) @ pose(DOWN[:3, :3], np.array([0, 0, height_m])) @ inverse(T_TOOL_FINGERTIP)
    q, reached = inverse_near(UR5, T, start)
    assert reached
    return q


def travel(cell, q_goal, seconds):
    q_start = cell.q
    n = round(seconds / CYCLE_S)
    for k in range(n):
        u = 0.5 - 0.5 * np.cos(np.pi * (k + 1) / n)
        cell.step(q_start + u * (q_goal - q_start), CYCLE_S)
    hold(cell, q_goal, 0.1)


def hold(cell, q, seconds):
    for _ in range(round(seconds / CYCLE_S)):
        cell.step(q, CYCLE_S)


def squeeze(cell, force_n=25.0):
    """Close about the block where it stands; the joint angles above it."""
    above = joints_above_block(0.12, np.array(START_Q))
    at = joints_above_block(0.012, above)
    travel(cell, above, 1.5)
    travel(cell, at, 1.0)
    cell.command_fingers(0.0, force_n)
    hold(cell, at, 1.2)
    return above


def grasp_and_lift(cell, force_n=25.0):
    travel(cell, squeeze(cell, force_n), 1.0)


def test_holds_still_and_knows_its_pose():
    cell = cell_with_block()
    hold(cell, np.array(START_Q), 0.5)
    assert np.abs(cell.q - START_Q).max() < 1e-6
    expected = forward(UR5, cell.q) @ T_TOOL_FINGERTIP
    assert np.allclose(cell.T_base_fingertip(), expected, atol=1e-6)
    assert np.allclose(cell.T_base_camera(), expected @ NOMINAL_T_FINGERTIP_CAMERA, atol=1e-6)


def test_friction_lifts_a_block_and_the_judge_agrees():
    cell = cell_with_block()
    assert cell.lifted_objects() == []
    grasp_and_lift(cell)
    assert cell.lifted_objects() == ["block"]
    state = cell.finger_state()
    assert state.grip_detected and not state.busy
    assert state.width_m == pytest.approx(0.03, abs=0.002)


def test_frictionless_pads_lift_nothing():
    cell = cell_with_block(Reality(pad_friction=1e-5))
    grasp_and_lift(cell)
    assert cell.lifted_objects() == []


def test_a_block_squeezed_but_still_on_the_table_is_not_lifted():
    cell = cell_with_block()
    squeeze(cell)
    assert cell.finger_state().grip_detected
    assert cell.lifted_objects() == []


def test_who_grips_what_stands_fixed():
    """The same closing, on a block that is loose, and on one that is a part of the furniture."""
    gripped = []
    for fixed in (False, True):
        scene = build_scene(3, n_objects=0)
        T = pose(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([0.0, 0.0, 0.021]))
        if fixed:
            scene.spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.015, 0.03, 0.02], pos=T[:3, 3], quat=quaternion(T)
            )
        else:
            add_object(scene.spec, BLOCK, "block", T)
        cell = RobotCell(CellSettings(), CellScene(scene.spec, {} if fixed else {"block": "block"}))
        assert not cell.grips_fixed()
        squeeze(cell)
        assert cell.finger_state().grip_detected
        gripped.append(cell.grips_fixed())
    assert gripped == [False, True]


def test_a_block_let_go_is_not_lifted():
    cell = cell_with_block()
    grasp_and_lift(cell)
    cell.command_fingers(0.11, 25.0)
    hold(cell, cell.q, 1.0)
    assert cell.lifted_objects() == []  # it fell back


def test_fingers_close_on_nothing():
    cell = cell_with_block()
    cell.command_fingers(0.0, 25.0)
    assert cell.finger_state().busy
    hold(cell, np.array(START_Q), 1.5)
    state = cell.finger_state()
    assert not state.busy and not state.grip_detected
    assert state.width_m < 1e-3


def test_what_is_imagined_has_not_happened():
    cells = [cell_with_block() for _ in range(2)]
    for cell in cells:
        cell.command_fingers(0.05, 12.0)
        hold(cell, np.array(START_Q), 0.1)
    forces = cells[0].model.actuator_forcerange.copy()
    with cells[0].imagined():
        grasp_and_lift(cells[0])
        assert cells[0].lifted_objects() == ["block"]
    assert np.array_equal(cells[0].model.actuator_forcerange, forces)
    for cell in cells:
        hold(cell, np.array(START_Q), 1.0)
    assert np.array_equal(cells[0].data.qpos, cells[1].data.qpos)
    assert cells[0].finger_state() == cells[1].finger_state()
    assert cells[0].lifted_objects() == []


def test_the_speed_of_an_object_that_falls():
    cell = cell_with_block()
    assert cell.object_speed("block") < 1e-3
    cell.data.qpos[cell.model.joint("block").qposadr[0] + 2] += 0.2
    hold(cell, np.array(START_Q), 0.1)
    assert cell.object_speed("block") == pytest.approx(0.981, rel=0.05)


def test_reset_brings_everything_back():
    cell = cell_with_block()
    before = cell.objects()["block"]
    grasp_and_lift(cell)
    cell.remove_object("block")
    assert "block" not in cell.objects()
    cell.reset()
    assert np.array_equal(cell.objects()["block"], before)
    assert np.array_equal(cell.q, START_Q)


def test_same_seed_same_pile_to_the_bit():
    a, b = (RobotCell(CellSettings(seed=5)) for _ in range(2))
    assert a.object_kinds == b.object_kinds
    for cell in (a, b):
        hold(cell, np.array(START_Q) + 0.1, 0.2)
    assert np.array_equal(a.data.qpos, b.data.qpos)
    c = RobotCell(replace(a.settings, seed=6))
    assert not np.array_equal(a.data.qpos[: c.data.qpos.size], c.data.qpos[: a.data.qpos.size])


@pytest.mark.parametrize("difficulty", RANGES)
def test_reality_stays_within_its_ranges(difficulty):
    ranges = RANGES[difficulty]
    for seed in range(20):
        reality = sample_reality(np.random.default_rng(seed), difficulty)
        shift = np.linalg.norm(reality.hand_eye[:3])
        assert ranges.hand_eye_m[0] - 1e-9 <= shift <= ranges.hand_eye_m[1] + 1e-9
        for name in (
            "camera_latency_s",
            "motion_lag_s",
            "pad_friction",
            "object_friction_scale",
            "mass_scale",
            "force_scale",
        ):
            low, high = getattr(ranges, name)
            assert low <= getattr(reality, name) <= high


def test_an_aspect_that_is_switched_off_changes_no_other():
    drawn = sample_reality(np.random.default_rng(4), "hard")
    without = sample_reality(np.random.default_rng(4), "hard", ("mass", "latency"))
    ideal = Reality()
    assert without == replace(
        drawn,
        mass_scale=ideal.mass_scale,
        mass_shift_m=ideal.mass_shift_m,
        camera_latency_s=ideal.camera_latency_s,
    )


def test_mass_its_centre_friction_and_grip_force_are_what_was_drawn():
    plain = cell_with_block()
    other = cell_with_block(Reality(mass_scale=1.5, mass_shift_m=0.008, object_friction_scale=0.5, force_scale=0.8))
    body, geom = plain.model.body("block").id, plain.model.geom("block/0").id
    assert np.isclose(other.model.body_mass[body], 1.5 * plain.model.body_mass[body])
    assert np.isclose(np.linalg.norm(other.model.body_ipos[body] - plain.model.body_ipos[body]), 0.008)
    assert np.isclose(other.model.geom_friction[geom, 0], 0.5 * plain.model.geom_friction[geom, 0])
    other.command_fingers(0.0, 30.0)
    assert np.isclose(other.fingers.force_n, 24.0)


def test_hand_eye_error_moves_the_true_camera():
    reality = Reality(hand_eye=(0.002, 0, 0, 0, 0, 0))
    cell = cell_with_block(reality)
    believed = cell.T_base_fingertip() @ NOMINAL_T_FINGERTIP_CAMERA
    assert np.allclose(inverse(believed) @ cell.T_base_camera(), reality.T_nominal_camera, atol=1e-6)
