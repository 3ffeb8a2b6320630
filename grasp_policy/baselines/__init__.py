"""Policies to compare with."""

from grasp_policy.baselines.heuristic import Heuristic
from grasp_policy.baselines.random_policy import RandomPolicy
from grasp_policy.baselines.straight_down import StraightDown

__all__ = ["Heuristic", "RandomPolicy", "StraightDown"]
