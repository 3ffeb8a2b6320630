"""How far the arm is from what would stop it: joint limits, singularities, the sides of the workspace, the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robot_runner.arm.kinematics import forward, singularity_margin
from robot_runner.guard import GuardLimits


@dataclass(frozen=True)
class Margin:
    """One distance to a limit. ``share`` in 0 … 1 of what counts as ample, for a bar; below ``LOW`` it is tight."""

    name: str
    text: str
    share: float


LOW = 0.15
_AMPLE_RAD, _AMPLE_M, _AMPLE_SINGULAR = np.pi / 2, 0.25, 0.15
_JOINTS = ("base", "shoulder", "elbow", "wrist 1", "wrist 2", "wrist 3")


def joint_margins(q: NDArray[np.float64], limits: GuardLimits) -> tuple[Margin, ...]:
    """Seven: each joint's distance to its nearer limit, and that to a singularity."""
    model = limits.model
    left = np.minimum(q - model.lower, model.upper - q) - limits.joint_margin_rad
    margins = [_margin(name, f"{np.rad2deg(v):.0f}°", v / _AMPLE_RAD) for name, v in zip(_JOINTS, left, strict=True)]
    singular = float(singularity_margin(model, q)) - limits.min_singular_value
    return (*margins, _margin("singularity", f"{singular:.2f}", singular / _AMPLE_SINGULAR))


def workspace_margins(q: NDArray[np.float64], limits: GuardLimits) -> tuple[Margin, ...]:
    """Four: the fingertips' distance to the nearer side of the workspace in x, y, z, and to the table."""
    p = (forward(limits.model, q) @ limits.T_tool_fingertip)[:3, 3]
    sides = np.minimum(p - limits.workspace_lower, np.array(limits.workspace_upper) - p)
    above = p[2] - limits.table_height_m - limits.table_clearance_m
    names = ("x side", "y side", "height", "table")
    return tuple(
        _margin(name, f"{v * 1e3:.0f} mm", v / _AMPLE_M) for name, v in zip(names, (*sides, above), strict=True)
    )


def _margin(name: str, text: str, share: float) -> Margin:
    return Margin(name, text, float(np.clip(share, 0.0, 1.0)))
