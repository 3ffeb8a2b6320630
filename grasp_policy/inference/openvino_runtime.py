"""The Q-network in OpenVINO on the CPU: float32, bfloat16, or int8."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.checkpoint import Checkpoint
from grasp_policy.features import CHANNELS, features
from grasp_policy.network import QNetwork
from grasp_policy.precision import prefers_bfloat16
from grasp_policy.scene.views import Views

OpenVinoPrecision = Literal["float32", "bfloat16", "int8"]


class OpenVinoEvaluator:
    """See :class:`grasp_policy.inference.evaluator.Evaluator`. Compiled when first called, for each number of views.

    int8 takes the ranges of its activations from the views of that first call. Not for calls from several threads at
    once.
    """

    def __init__(self, checkpoint: Checkpoint, precision: OpenVinoPrecision = "float32", thread_count: int = 1) -> None:
        self.actions: str = checkpoint.actions
        self.card: dict[str, Any] = checkpoint.card
        self.name = f"OpenVINO cpu {precision}"
        self._values = _Values(checkpoint.build())
        self._int8 = precision == "int8"
        bfloat16 = precision == "bfloat16" or (self._int8 and prefers_bfloat16())  # of what is not quantised
        self._options = {
            "INFERENCE_NUM_THREADS": thread_count,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        }
        self._compiled: dict[int, Any] = {}

    def __call__(self, state: Views, views: Views) -> NDArray[np.float32]:
        count = len(views)
        if count == 0:
            return np.zeros(0, np.float32)
        inputs = [np.ascontiguousarray(features(state)), np.ascontiguousarray(features(views))[None]]
        if count not in self._compiled:
            self._compiled[count] = self._compile(inputs)
        return np.array(self._compiled[count].infer(inputs)[0][0], np.float32)

    def _compile(self, inputs: list[NDArray[np.float32]]) -> Any:
        openvino = _import_openvino()
        image = (CHANNELS, VIEW_CAMERA.height, VIEW_CAMERA.width)
        example = (torch.zeros(1, *image), torch.zeros(1, inputs[1].shape[1], *image))
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # sizes become constants, as is meant
            warnings.simplefilter("ignore", DeprecationWarning)  # tracing is what OpenVINO reads best
            traced = torch.jit.trace(self._values, example, check_trace=False)
        model = openvino.convert_model(traced, input=[e.shape for e in example])
        if self._int8:
            model = _quantized(model, inputs)
        return openvino.Core().compile_model(model, "CPU", self._options).create_infer_request()


class _Values(nn.Module):
    def __init__(self, network: QNetwork) -> None:
        super().__init__()
        self._network = network
        self.eval()

    def forward(self, state: Tensor, views: Tensor) -> Tensor:
        return self._network.values(state, views)


def _import_openvino() -> Any:
    """OpenVINO reports its use to its makers when imported, unless it does not find this package."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def _quantized(model: Any, inputs: list[NDArray[np.float32]]) -> Any:
    """Weights and activations in int8, with ranges that suit the inputs."""
    with contextlib.redirect_stdout(io.StringIO()):  # it shows progress bars of its own
        import nncf

        nncf.set_log_level(logging.ERROR)
        return nncf.quantize(model, nncf.Dataset([inputs]), subset_size=1)
