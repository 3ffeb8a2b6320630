"""The Q-network in torch, on the CPU or a CUDA device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_policy.checkpoint import Checkpoint
from grasp_policy.features import features
from grasp_policy.precision import Precision, threads, use_bfloat16
from grasp_policy.scene.views import Views


class TorchEvaluator:
    """See :class:`grasp_policy.inference.evaluator.Evaluator`.

    In bfloat16 values differ from float32's by 1 % of their spread over the candidates on average, by 5 % at most. One
    thread by default: fusion and rendering run beside it, and threads that wait for each other's cores cost more than
    they bring.
    """

    def __init__(
        self, checkpoint: Checkpoint, precision: Precision = "auto", thread_count: int = 1, device: str = "cpu"
    ) -> None:
        self.actions: str = checkpoint.actions
        self.card: dict[str, Any] = checkpoint.card
        self._device = torch.device(device)
        self._network = checkpoint.build().to(self._device, memory_format=torch.channels_last)
        self._bfloat16 = use_bfloat16(precision)
        self._threads = thread_count
        self.name = f"torch {device} {'bfloat16' if self._bfloat16 else 'float32'}"

    @torch.inference_mode()
    def __call__(self, state: Views, views: Views) -> NDArray[np.float32]:
        if len(views) == 0:
            return np.zeros(0, np.float32)
        inputs = [torch.from_numpy(array).to(self._device) for array in (features(state), features(views)[None])]
        with threads(self._threads), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bfloat16):
            maps = self._network(*inputs)
        return maps._replace(maps=maps.maps.float()).values(self._network.config)[0].cpu().numpy()
