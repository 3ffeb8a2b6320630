"""From a checkpoint file to something that scores views."""

from __future__ import annotations

from pathlib import Path

from grasp_policy.checkpoint import Checkpoint, load_checkpoint
from grasp_policy.inference.evaluator import Evaluator
from grasp_policy.inference.runtimes import choose
from grasp_policy.inference.torch_runtime import TorchEvaluator


def load_evaluator(path: Path, runtime: str = "auto", thread_count: int = 1) -> Evaluator:
    """The checkpoint, ready to score views with one of ``runtimes.RUNTIMES``, by default the fastest that works here.

    Raises CheckpointError when the file is missing, damaged or does not fit, or the runtime does not work here.
    """
    return make_evaluator(load_checkpoint(path), runtime, thread_count)


def make_evaluator(checkpoint: Checkpoint, runtime: str = "auto", thread_count: int = 1) -> Evaluator:
    """As :func:`load_evaluator`, of a checkpoint in memory."""
    backend, _, kind = choose(runtime).partition("-")
    if backend == "openvino":
        from grasp_policy.inference.openvino_runtime import OpenVinoEvaluator

        return OpenVinoEvaluator(checkpoint, _OPENVINO_PRECISIONS[kind], thread_count)
    precision = "bfloat16" if kind == "bf16" else "float32"
    return TorchEvaluator(checkpoint, precision, thread_count, "cuda" if kind == "cuda" else "cpu")


_OPENVINO_PRECISIONS = {"": "float32", "bf16": "bfloat16", "int8": "int8"}
