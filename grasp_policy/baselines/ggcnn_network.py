"""The network of GG-CNN (Morrison, Corke, Leitner 2018), with the names of its published PyTorch weights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from grasp_policy.baselines.ggcnn_images import SIDE, Maps, as_maps, normalize


class GgCnn(nn.Module):
    """Depth [B, 1, 300, 300] → quality, cos 2φ, sin 2φ, width [B, 4, 300, 300]; about 62 000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 9, stride=3, padding=3)
        self.conv2 = nn.Conv2d(32, 16, 5, stride=2, padding=2)
        self.conv3 = nn.Conv2d(16, 8, 3, stride=2, padding=1)
        self.convt1 = nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1)
        self.convt2 = nn.ConvTranspose2d(8, 16, 5, stride=2, padding=2, output_padding=1)
        self.convt3 = nn.ConvTranspose2d(16, 32, 9, stride=3, padding=3, output_padding=1)
        self.pos_output = nn.Conv2d(32, 1, 2)
        self.cos_output = nn.Conv2d(32, 1, 2)
        self.sin_output = nn.Conv2d(32, 1, 2)
        self.width_output = nn.Conv2d(32, 1, 2)

    def forward(self, depth: Tensor) -> Tensor:
        x = depth
        for layer in (self.conv1, self.conv2, self.conv3, self.convt1, self.convt2, self.convt3):
            x = functional.relu(layer(x))
        heads = (self.pos_output, self.cos_output, self.sin_output, self.width_output)
        return torch.cat([head(x) for head in heads], dim=1)


@torch.inference_mode()
def predict(network: GgCnn, depth: NDArray[np.float32]) -> Maps:
    """Maps of a window's filled depth [300, 300] in metres."""
    out = network(torch.from_numpy(normalize(depth)).reshape(1, 1, SIDE, SIDE))[0].numpy()
    return as_maps(*out)
