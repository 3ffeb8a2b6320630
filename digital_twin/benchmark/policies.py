"""Policies by name: what ``wildgrasp evaluate --policy`` accepts, and what each needs to be made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from digital_twin.benchmark.expert import make_expert
from digital_twin.benchmark.workspace import WORKSPACE_CENTER
from digital_twin.world.robot_cell import RobotCell
from grasp_policy.policy import Policy

PolicyMaker = Callable[[RobotCell, np.random.Generator], Policy]


def policy_maker(name: str) -> PolicyMaker:
    """``expert`` (privileged: knows verified grasps), or whatever :func:`grasp_policy.registry.make_policy` knows."""
    if name == "expert":
        return make_expert
    return lambda cell, rng: _product_policy(name, rng)


def _product_policy(name: str, rng: np.random.Generator) -> Policy:
    from grasp_policy.registry import make_policy

    return make_policy(name, WORKSPACE_CENTER, int(rng.integers(2**31)))
