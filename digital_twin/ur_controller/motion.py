"""URScript's motion commands as generators: each yields once per control cycle after commanding that cycle's joints."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.poses import Pose, from_pose, solve, to_pose, tool_pose
from robot_runner.arm.kinematics import jacobian
from wildgrasp.geometry import interpolate, rotation_angle, skew

Array = NDArray[np.float64]
Cycles = Generator[None, None, None]

_ROTATION_ARM_M = 0.3  # what a radian of rotation counts as, when a straight move is timed


def movej(m: Machine, q: list[float], a: float = 1.4, v: float = 1.05, t: float = 0, r: float = 0) -> Cycles:
    """Joint move with a trapezoidal profile of the leading joint. Blend radii do not blend: it stops at each goal."""
    goal = solve(m, q) if isinstance(q, Pose) else np.asarray(q, dtype=np.float64)
    start = m.q_target.copy()
    for u in _trapezoid(m, float(np.abs(goal - start).max()), v, a):
        m.command_joints(start + u * (goal - start))
        yield


def movel(m: Machine, pose: list[float], a: float = 1.2, v: float = 0.25, t: float = 0, r: float = 0) -> Cycles:
    """Straight move of the tool. A goal out of reach ends the program; a jump of a joint is a protective stop."""
    goal = from_pose(pose) if isinstance(pose, Pose) else tool_pose(m, pose)
    solve(m, to_pose(goal))
    start = tool_pose(m)
    length = max(
        float(np.linalg.norm(goal[:3, 3] - start[:3, 3])),
        float(rotation_angle(start[:3, :3].T @ goal[:3, :3])) * _ROTATION_ARM_M,
    )
    for u in _trapezoid(m, length, v, a):
        q = solve(m, to_pose(interpolate(start, goal, u)))
        if np.abs(q - m.q_target).max() > 0.5:
            m.protective_stop("a joint would have to jump")
            yield  # the program ends with the next cycle
            return
        m.command_joints(q)
        yield


def servoj(
    m: Machine,
    q: list[float],
    a: float = 0,
    v: float = 0,
    t: float = 0.002,
    lookahead_time: float = 0.1,
    gain: float = 300,
) -> Cycles:
    """Follow a streamed target: accelerate by gain times its distance from where the joints will be in lookahead_time.

    UR's manual describes it so. A target that moves steadily is followed lookahead_time behind; one that stays is
    reached.
    """
    goal = np.asarray(q, dtype=np.float64)
    for _ in range(max(1, round(t / m.dt))):
        acceleration = gain * (goal - m.q_target - lookahead_time * m.qd_target)
        # Implicit in the damping, so that high gains stay stable at 125 Hz.
        qd = m.qd_target + acceleration * m.dt / (1 + gain * lookahead_time * m.dt)
        m.command_joints(m.q_target + qd * m.dt)
        yield


def speedj(m: Machine, qd: list[float], a: float = 1.4, t: float = 0) -> Cycles:
    """Joint speed. Without t it returns at the speed; the joints keep moving only while commanded again."""
    goal = np.asarray(qd, dtype=np.float64)
    end = m.time + t
    while True:
        reached = _accelerate(m, goal, a)
        yield
        if (t > 0 and m.time >= end) or (t <= 0 and reached):
            return


def speedl(m: Machine, xd: list[float], a: float = 0.5, t: float = 0, aRot: float | None = None) -> Cycles:
    """Tool speed (m/s, rad/s). Too close to a singularity the joints would race: protective stop."""
    goal = np.asarray(xd, dtype=np.float64)
    end = m.time + t
    while True:
        twist = tool_speed(m)
        change = goal - twist
        largest = float(np.abs(change).max())
        twist = twist + change * min(1.0, a * m.dt / max(largest, 1e-9))
        J = _tool_jacobian(m)
        qd = np.linalg.solve(J.T @ J + 1e-6 * np.eye(6), J.T @ twist)
        if np.abs(qd).max() > m.model.arm.max_joint_speed_rad_s:
            m.protective_stop("a joint would be too fast")
            yield  # the program ends with the next cycle
            return
        m.command_joints(m.q_target + qd * m.dt)
        yield
        if (t > 0 and m.time >= end) or (t <= 0 and largest < 1e-6):
            return


def stopj(m: Machine, a: float = 2.0) -> Cycles:
    while np.abs(m.qd_target).max() > 1e-9:
        _accelerate(m, np.zeros(6), a)
        yield


def stopl(m: Machine, a: float = 10.0, aRot: float = 30.0) -> Cycles:
    """Brake along the path: the tool's speed falls by a (m/s²), its turning by aRot (rad/s²)."""
    while np.abs(m.qd_target).max() > 1e-9:
        twist = tool_speed(m)
        rest_s = max(float(np.linalg.norm(twist[:3])) / a, float(np.linalg.norm(twist[3:])) / aRot, m.dt)
        m.command_joints(m.q_target + m.qd_target * (1 - m.dt / rest_s) * m.dt)
        yield


def tool_speed(m: Machine) -> Array:
    """Commanded twist [6] of the tool centre point in the base."""
    return _tool_jacobian(m) @ m.qd_target


def _tool_jacobian(m: Machine) -> Array:
    J = jacobian(m.model.arm, m.q_target)
    arm = tool_pose(m)[:3, 3] - tool_pose(m, tcp=[0.0] * 6)[:3, 3]
    return np.concatenate([J[:3] - skew(arm) @ J[3:], J[3:]])


def _accelerate(m: Machine, qd_goal: Array, a: float) -> bool:
    """Bring the joint speeds one cycle closer to a goal; whether they are there."""
    change = qd_goal - m.qd_target
    largest = float(np.abs(change).max())
    qd = m.qd_target + change * min(1.0, a * m.dt / max(largest, 1e-9))
    m.command_joints(m.q_target + qd * m.dt)
    return largest < 1e-6


def _trapezoid(m: Machine, length: float, v: float, a: float) -> Generator[float, None, None]:
    """Fractions of a length after each cycle, up to 1, at most at speed v and acceleration a; slowed by the slider."""
    if length < 1e-9:
        return
    v = min(v, (length * a) ** 0.5)
    t_ramp = v / a
    t_total = length / v + t_ramp
    t = 0.0
    while t < t_total:
        t = min(t_total, t + m.dt * m.speed_slider)
        if t < t_ramp:
            s = 0.5 * a * t * t
        elif t < t_total - t_ramp:
            s = v * (t - t_ramp / 2)
        else:
            s = length - 0.5 * a * (t_total - t) ** 2
        yield s / length
