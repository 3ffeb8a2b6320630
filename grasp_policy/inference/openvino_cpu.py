"""The Q-network in OpenVINO on the CPU, where that package is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.checkpoint import Checkpoint
from grasp_policy.features import CHANNELS, features
from grasp_policy.network import QNetwork
from grasp_policy.precision import Precision, use_bfloat16
from grasp_policy.scene.views import Views
from wildgrasp.errors import CheckpointError


class OpenVinoEvaluator:
    """See :class:`grasp_policy.inference.evaluator.Evaluator`. Compiled once for each number of candidates."""

    def __init__(self, checkpoint: Checkpoint, precision: Precision = "auto", thread_count: int = 1) -> None:
        try:
            import openvino
        except ModuleNotFoundError:
            raise CheckpointError(
                "The package openvino is not installed. Run `pip install openvino`, or use the backend torch."
            ) from None
        self._openvino = openvino
        self.actions: str = checkpoint.actions
        self.card: dict[str, Any] = checkpoint.card
        self._values = _Values(checkpoint.build())
        self._options = {
            "INFERENCE_NUM_THREADS": thread_count,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if use_bfloat16(precision) else "f32",
        }
        self._compiled: dict[int, Any] = {}
        self.name = f"OpenVINO CPU {self._options['INFERENCE_PRECISION_HINT']}"

    def __call__(self, state: Views, views: Views) -> NDArray[np.float32]:
        count = len(views)
        if count == 0:
            return np.zeros(0, np.float32)
        if count not in self._compiled:
            self._compiled[count] = self._compile(count)
        inputs = [np.ascontiguousarray(features(state)), np.ascontiguousarray(features(views))[None]]
        return np.array(self._compiled[count].infer(inputs)[0][0], np.float32)

    def _compile(self, count: int) -> Any:
        image = (CHANNELS, VIEW_CAMERA.height, VIEW_CAMERA.width)
        example = (torch.zeros(1, *image), torch.zeros(1, count, *image))
        model = self._openvino.convert_model(self._values, example_input=example, input=[e.shape for e in example])
        return self._openvino.Core().compile_model(model, "CPU", self._options).create_infer_request()


class _Values(nn.Module):
    def __init__(self, network: QNetwork) -> None:
        super().__init__()
        self._network = network
        self.eval()

    def forward(self, state: Tensor, views: Tensor) -> Tensor:
        return self._network.values(state, views)
