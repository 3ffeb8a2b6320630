"""The MuJoCo arm is the arm of the kinematics, and its servos follow as a UR's do."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digital_twin.world.robot_arm import LINK_MASS_KG, MAX_TORQUE_NM, JointServo, build_arm
from robot_runner.arm.kinematics import UR5, UR5E, forward

HOME = np.array([0.0, -1.2, 1.6, -1.97, -1.57, 0.0])
CYCLE_S = 0.008
joint_angles = st.lists(st.floats(-6.2, 6.2), min_size=6, max_size=6).map(np.array)


def compile_arm(model=UR5):
    spec = build_arm(model)
    spec.option.timestep = 0.002
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    data.qpos[:] = HOME
    mujoco.mj_forward(compiled, data)
    return compiled, data


COMPILED = {model.name: compile_arm(model) for model in (UR5, UR5E)}


@pytest.mark.parametrize("dh", [UR5, UR5E], ids=lambda dh: dh.name)
@settings(max_examples=50, deadline=None)
@given(q=joint_angles)
def test_flange_stands_where_the_kinematics_say(dh, q):
    model, data = COMPILED[dh.name]
    data.qpos[:] = q
    mujoco.mj_kinematics(model, data)
    flange = data.site("flange")
    T = forward(dh, q)
    assert np.allclose(flange.xpos, T[:3, 3], atol=1e-9)
    assert np.allclose(flange.xmat.reshape(3, 3), T[:3, :3], atol=1e-9)


def follow(model, data, targets):
    """Drive the servos through joint targets [N, 6], one per control cycle; joint errors [N, 6] after each."""
    servo = JointServo()
    errors = []
    previous = targets[0]
    for target in targets:
        data.ctrl[:] = servo.position_command(target, (target - previous) / CYCLE_S)
        previous = target
        mujoco.mj_step(model, data, nstep=4)
        errors.append(data.qpos - target)
    return np.array(errors)


def test_masses_are_those_of_the_data_sheet():
    model, _ = compile_arm()
    assert np.allclose([model.body(f"link_{i + 1}").mass[0] for i in range(6)], LINK_MASS_KG)


def test_holds_still_against_gravity():
    model, data = compile_arm()
    errors = follow(model, data, np.tile(HOME, (250, 1)))
    assert np.abs(errors).max() < 1e-6


def test_follows_a_moving_target_with_less_than_one_cycle_of_lag():
    model, data = compile_arm()
    t = CYCLE_S * np.arange(500)[:, None]
    targets = HOME + 0.25 * (1 - np.cos(2 * t)) * np.array([1, 0.5, -0.5, 1, 1, 1])  # up to 0.5 rad/s
    errors = follow(model, data, targets)
    assert np.abs(errors).max() < 0.5 * CYCLE_S


def test_a_jump_of_the_target_meets_the_torque_limit_and_settles():
    model, data = compile_arm()
    data.ctrl[:] = HOME + np.array([0.5, 0, 0, 0, 0, 0])
    torques = []
    for _ in range(1000):
        mujoco.mj_step(model, data)
        torques.append(np.abs(data.actuator_force))
    assert np.max(torques, axis=0)[0] == pytest.approx(MAX_TORQUE_NM[0])
    assert np.abs(data.qpos - data.ctrl).max() < 1e-3
