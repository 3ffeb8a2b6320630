"""The network of VGN (Breyer, Chung, Ott, Siegwart, Nieto 2020), with the names of its published weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from grasp_policy.baselines.vgn_grid import SIDE, Volumes


class Vgn(nn.Module):
    """Grids [B, 1, 40, 40, 40] → quality [B, 1, …], unit quaternions [B, 4, …], openings [B, 1, …]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Stack((1, 16, 32, 64), (5, 3, 3), stride=2)
        self.decoder = _Stack((64, 64, 32, 16), (3, 3, 5), stride=1)
        self.conv_qual = _conv(16, 1, 5)
        self.conv_rot = _conv(16, 4, 5)
        self.conv_width = _conv(16, 1, 5)

    def forward(self, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = grid
        for layer in self.encoder.layers():
            x = functional.relu(layer(x))
        for layer, side in zip(self.decoder.layers(), (10, 20, SIDE), strict=True):
            x = functional.interpolate(functional.relu(layer(x)), side)
        return torch.sigmoid(self.conv_qual(x)), functional.normalize(self.conv_rot(x), dim=1), self.conv_width(x)


class _Stack(nn.Module):
    """Three convolutions."""

    def __init__(self, channels: tuple[int, int, int, int], kernels: tuple[int, int, int], stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels[0], channels[1], kernels[0], stride)
        self.conv2 = _conv(channels[1], channels[2], kernels[1], stride)
        self.conv3 = _conv(channels[2], channels[3], kernels[2], stride)

    def layers(self) -> tuple[nn.Conv3d, nn.Conv3d, nn.Conv3d]:
        return self.conv1, self.conv2, self.conv3


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)


@torch.inference_mode()
def predict(network: Vgn, grid: NDArray[np.float32]) -> Volumes:
    """Volumes of one grid [40, 40, 40]."""
    quality, rotation, width = network(torch.from_numpy(grid)[None, None])
    return Volumes(quality[0, 0].numpy(), rotation[0].numpy(), width[0, 0].numpy())
