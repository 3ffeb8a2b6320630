"""Policies by name: what ``wildgrasp evaluate --policy`` accepts, and what each needs to be made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from digital_twin.benchmark.expert import Expert
from digital_twin.benchmark.workspace import scene_volume
from digital_twin.world.robot_cell import RobotCell
from grasp_policy.actions import PAPER
from grasp_policy.policy import Policy
from grasp_policy.registry import make_policy

PolicyMaker = Callable[[RobotCell, np.random.Generator], Policy]

# Privileged: they know verified grasps. Upper bounds, and what the paper's steps and the close rule cost.
EXPERTS: dict[str, PolicyMaker] = {
    "expert": Expert,
    "expert-paper": lambda cell, rng: Expert(cell, rng, PAPER),
    "expert-closes-itself": lambda cell, rng: Expert(cell, rng, closes_itself=True),
}


def policy_maker(name: str, weights: Path | None = None) -> PolicyMaker:
    """An expert, or whatever :func:`grasp_policy.registry.make_policy` knows: a baseline or a checkpoint."""
    if name in EXPERTS and weights is None:
        return EXPERTS[name]
    return lambda cell, rng: make_policy(name, scene_volume(cell.settings.scene), int(rng.integers(2**31)), weights)
