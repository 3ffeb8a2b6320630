"""The electric side of the virtual servo, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MotorModel:
    """Heat and overload: first-order heating by load², and a shutdown after a long hard stall."""

    ambient_c: float = 25.0
    full_load_rise_c: float = 80.0  # steady rise at stall torque
    time_constant_s: float = 300.0
    overload_fraction: float = 0.4
    overload_s: float = 1.5
    voltage_v: float = 11.1
