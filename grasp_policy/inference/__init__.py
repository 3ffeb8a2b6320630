"""Running a trained policy network."""

from grasp_policy.inference.evaluator import Evaluator
from grasp_policy.inference.loading import load_evaluator, make_evaluator
from grasp_policy.inference.runtimes import RUNTIMES, Runtime

__all__ = ["RUNTIMES", "Evaluator", "Runtime", "load_evaluator", "make_evaluator"]
