"""Running a trained policy network."""

from grasp_policy.inference.evaluator import Evaluator
from grasp_policy.inference.loading import Backend, load_evaluator

__all__ = ["Backend", "Evaluator", "load_evaluator"]
