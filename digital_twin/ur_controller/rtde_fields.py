"""The variables of the Real-Time Data Exchange interface: their names, types, and how a machine fills them.

Source: Universal Robots, "Real-Time Data Exchange (RTDE) Guide".
"""

from __future__ import annotations

import struct
from typing import Any

from digital_twin.ur_controller.machine import Machine
from digital_twin.ur_controller.motion import tool_speed
from digital_twin.ur_controller.poses import to_pose, tool_pose

FORMATS = {
    "DOUBLE": "d",
    "VECTOR6D": "6d",
    "VECTOR3D": "3d",
    "INT32": "i",
    "UINT32": "I",
    "UINT64": "Q",
    "UINT8": "B",
    "VECTOR6INT32": "6i",
    "BOOL": "?",
}
LENGTHS = {"VECTOR6D": 6, "VECTOR3D": 3, "VECTOR6INT32": 6}

_VECTORS = (
    "target_q target_qd target_qdd target_current target_moment actual_q actual_qd actual_current joint_control_output "
    "actual_TCP_pose actual_TCP_speed actual_TCP_force target_TCP_pose target_TCP_speed joint_temperatures "
    "actual_joint_voltage ft_raw_wrench payload_inertia actual_current_as_torque"
)
_DOUBLES = (
    "timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum actual_main_voltage "
    "actual_robot_voltage actual_robot_current standard_analog_input0 standard_analog_input1 standard_analog_output0 "
    "standard_analog_output1 payload"
)
OUTPUTS: dict[str, str] = {
    **dict.fromkeys(_VECTORS.split(), "VECTOR6D"),
    **dict.fromkeys(_DOUBLES.split(), "DOUBLE"),
    "actual_digital_input_bits": "UINT64",
    "actual_digital_output_bits": "UINT64",
    "robot_mode": "INT32",
    "safety_mode": "INT32",
    "runtime_state": "UINT32",
    "robot_status_bits": "UINT32",
    "safety_status_bits": "UINT32",
    "joint_mode": "VECTOR6INT32",
    "actual_tool_accelerometer": "VECTOR3D",
    "payload_cog": "VECTOR3D",
}
_BYTES = (
    "standard_digital_output_mask standard_digital_output configurable_digital_output_mask configurable_digital_output "
    "tool_digital_output_mask tool_digital_output standard_analog_output_mask standard_analog_output_type"
)
INPUTS: dict[str, str] = {
    "speed_slider_mask": "UINT32",
    "speed_slider_fraction": "DOUBLE",
    "external_force_torque": "VECTOR6D",
    "standard_analog_output_0": "DOUBLE",
    "standard_analog_output_1": "DOUBLE",
    **dict.fromkeys(_BYTES.split(), "UINT8"),
}
for _i in range(48):
    OUTPUTS[f"output_int_register_{_i}"] = INPUTS[f"input_int_register_{_i}"] = "INT32"
    OUTPUTS[f"output_double_register_{_i}"] = INPUTS[f"input_double_register_{_i}"] = "DOUBLE"

_ROBOT_MODE_RUNNING = 7
_JOINT_MODE_RUNNING = 253
_RUNTIME_STOPPED, _RUNTIME_PLAYING = 1, 2


def layout(types: list[str]) -> struct.Struct:
    """Binary layout of a recipe's values."""
    return struct.Struct(">" + "".join(FORMATS[t] for t in types))


def snapshot(m: Machine) -> dict[str, Any]:
    """The machine's outputs now; what it does not simulate is reported as zero."""
    safety_mode, safety_bits = m.safety.value
    return {
        "timestamp": m.time,
        "actual_q": m.q.tolist(),
        "target_q": m.q_target.tolist(),
        "actual_qd": m.qd.tolist(),
        "target_qd": m.qd_target.tolist(),
        "actual_TCP_pose": to_pose(tool_pose(m, m.q)),
        "target_TCP_pose": to_pose(tool_pose(m)),
        "target_TCP_speed": tool_speed(m).tolist(),
        "robot_mode": _ROBOT_MODE_RUNNING,
        "safety_mode": safety_mode,
        "safety_status_bits": safety_bits,
        "speed_scaling": 1.0,
        "target_speed_fraction": m.speed_slider,
        "runtime_state": _RUNTIME_PLAYING if m.running else _RUNTIME_STOPPED,
        "robot_status_bits": 0b1 | (0b10 if m.running else 0),
        "joint_mode": [_JOINT_MODE_RUNNING] * 6,
        "payload": m.payload_kg,
    }


def flatten(m: Machine, outputs: dict[str, Any], names: list[str], types: list[str]) -> list[Any]:
    """Values of a recipe in the order of its layout."""
    values: list[Any] = []
    for name, kind in zip(names, types, strict=True):
        if name.startswith("output_int_register_"):
            values.append(m.int_out[int(name.rpartition("_")[2])])
        elif name.startswith("output_double_register_"):
            values.append(m.double_out[int(name.rpartition("_")[2])])
        elif kind in LENGTHS:
            values.extend(outputs.get(name, [0] * LENGTHS[kind]))
        else:
            values.append(outputs.get(name, 0))
    return values


def apply_input(m: Machine, names: list[str], types: list[str], values: tuple[Any, ...]) -> None:
    """Write the values of an input recipe into the machine."""
    position = 0
    for name, kind in zip(names, types, strict=True):
        value = values[position]
        position += LENGTHS.get(kind, 1)
        if name.startswith("input_int_register_"):
            m.int_in[int(name.rpartition("_")[2])] = value
        elif name.startswith("input_double_register_"):
            m.double_in[int(name.rpartition("_")[2])] = value
        elif name == "speed_slider_fraction":
            m.speed_slider = min(1.0, max(0.01, value))
    m.feed_watchdog(names)
