"""URScript's built-in functions, as far as clients use them, bound to one machine.

Plain functions return at once; cyclic ones are generators that take control cycles (see ``motion``).
Semantics: Universal Robots, "The URScript Programming Language", versions 3.15 and 5.11.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from digital_twin.ur_controller import motion
from digital_twin.ur_controller.machine import Machine, SafetyMode, Watchdog
from digital_twin.ur_controller.poses import Pose, from_pose, solve, to_pose, tool_pose
from digital_twin.ur_controller.urscript import ScriptError
from robot_runner.arm.kinematics import within_limits
from wildgrasp.geometry import so3_log


def cyclic_functions(machine: Machine) -> dict[str, Callable]:
    """Built-ins that take control cycles."""
    names = ("movej", "movel", "servoj", "speedj", "speedl", "stopj", "stopl")
    bound = {name: _bind(getattr(motion, name), machine) for name in names}

    def sync():
        yield

    def sleep(seconds: float):
        for _ in range(max(1, round(seconds / machine.dt))):
            yield

    return {**bound, "sync": sync, "sleep": sleep}


def plain_functions(machine: Machine) -> dict[str, Any]:
    """Built-ins that return at once."""
    return {
        **_mathematics(),
        **_registers(machine),
        **_kinematics(machine),
        **_state(machine),
        **{name: _ignored(machine, name) for name in _WITHOUT_EFFECT},
        "_pose": Pose,
        "_run": machine.start_thread,
        "_kill": machine.kill_thread,
    }


def _bind(function: Callable, machine: Machine) -> Callable:
    return lambda *args, **kwargs: function(machine, *args, **kwargs)


def _mathematics() -> dict[str, Any]:
    return {
        "norm": lambda v: float(np.linalg.norm(v)),
        "length": len,
        "floor": lambda x: math.floor(x),
        "ceil": lambda x: math.ceil(x),
        "sqrt": math.sqrt,
        "pow": math.pow,
        "sin": math.sin,
        "cos": math.cos,
        "acos": math.acos,
        "atan2": math.atan2,
        "d2r": math.radians,
        "r2d": math.degrees,
        "str_cat": lambda a, b: f"{a}{b}",
        "to_str": str,
    }


def _registers(machine: Machine) -> dict[str, Any]:
    def write_integer(i: int, value: int) -> None:
        machine.int_out[i] = int(value)

    def write_float(i: int, value: float) -> None:
        machine.double_out[i] = float(value)

    return {
        "read_input_integer_register": lambda i: machine.int_in[i],
        "read_input_float_register": lambda i: machine.double_in[i],
        "write_output_integer_register": write_integer,
        "write_output_float_register": write_float,
    }


def _kinematics(machine: Machine) -> dict[str, Any]:
    def has_solution(x: Pose, q_near: list[float] | None = None, *_: Any) -> bool:
        try:
            solve(machine, x, q_near)
        except ScriptError:
            return False
        return True

    def within_safety_limits(x: Any) -> bool:
        try:
            q = solve(machine, x) if isinstance(x, Pose) else np.asarray(x, dtype=np.float64)
        except ScriptError:
            return False
        return bool(within_limits(machine.model.arm, q))

    def pose_sub(a: Pose, b: Pose) -> Pose:
        A, B = from_pose(a), from_pose(b)
        return Pose([*(A[:3, 3] - B[:3, 3]).tolist(), *so3_log(A[:3, :3] @ B[:3, :3].T).tolist()])

    def set_tcp(pose: Pose, *_: Any) -> None:
        machine.tcp = [float(v) for v in pose]

    return {
        "get_inverse_kin": lambda x, q_near=None, *_: solve(machine, x, q_near).tolist(),
        "get_inverse_kin_has_solution": has_solution,
        "get_forward_kin": lambda q=None, tcp=None: to_pose(tool_pose(machine, q, tcp)),
        "get_actual_tcp_pose": lambda: to_pose(tool_pose(machine, machine.q)),
        "get_actual_tool_flange_pose": lambda: to_pose(tool_pose(machine, machine.q, [0.0] * 6)),
        "get_target_tcp_pose": lambda: to_pose(tool_pose(machine)),
        "get_actual_joint_positions": lambda: machine.q.tolist(),
        "get_target_joint_positions": lambda: machine.q_target.tolist(),
        "get_target_joint_speeds": lambda: machine.qd_target.tolist(),
        "get_target_tcp_speed": lambda: motion.tool_speed(machine).tolist(),
        "pose_trans": lambda a, b: to_pose(from_pose(a) @ from_pose(b)),
        "pose_sub": pose_sub,
        "is_within_safety_limits": within_safety_limits,
        "set_tcp": set_tcp,
        "get_tcp_offset": lambda: Pose(machine.tcp),
    }


def _state(machine: Machine) -> dict[str, Any]:
    def set_watchdog(variable: str, min_frequency: float, action: str = "pause") -> None:
        machine.watchdog = Watchdog(variable, 1.0 / min_frequency, machine.time) if min_frequency > 0 else None

    def set_payload(mass: float, *_: Any) -> None:
        machine.payload_kg = float(mass)

    return {
        "rtde_set_watchdog": set_watchdog,
        "textmsg": lambda *parts: machine.messages.append(" ".join(map(str, parts))),
        "is_steady": lambda: bool(np.abs(machine.qd).max() < 1e-3),
        "protective_stop": lambda: machine.protective_stop("asked for by the program"),
        "get_steptime": lambda: machine.dt,
        "set_payload": set_payload,
        "set_target_payload": set_payload,
        "get_joint_torques": lambda: [0.0] * 6,
        "is_normal": lambda: machine.safety is SafetyMode.NORMAL,
    }


# Functions of force control, teaching and tools: clients' programs mention them, the simulated arm has no use for them.
_WITHOUT_EFFECT = (
    "force_mode_set_gain_scaling",
    "force_mode_set_damping",
    "set_gravity",
    "zero_ftsensor",
    "end_force_mode",
    "end_teach_mode",
    "end_freedrive_mode",
)


def _ignored(machine: Machine, name: str) -> Callable:
    return lambda *args, **kwargs: machine.messages.append(f"{name} has no effect here")
