"""Choosing what runs a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from grasp_policy.checkpoint import load_checkpoint
from grasp_policy.inference.evaluator import Evaluator
from grasp_policy.inference.torch_cpu import TorchEvaluator
from grasp_policy.precision import Precision

Backend = Literal["auto", "torch", "openvino"]


def load_evaluator(
    path: Path, backend: Backend = "auto", precision: Precision = "auto", thread_count: int = 1
) -> Evaluator:
    """The checkpoint, ready to score views.

    ``auto`` takes torch: on CPUs with native bfloat16 it is as fast as OpenVINO at one thread, and needs nothing more
    to be installed. Raises CheckpointError when the file is missing, damaged or does not fit, and when OpenVINO is
    asked for and not installed.
    """
    checkpoint = load_checkpoint(path)
    if backend == "openvino":
        from grasp_policy.inference.openvino_cpu import OpenVinoEvaluator

        return OpenVinoEvaluator(checkpoint, precision, thread_count)
    return TorchEvaluator(checkpoint, precision, thread_count)
