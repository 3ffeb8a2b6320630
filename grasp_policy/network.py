"""The Q-network: how good is each view that an action would bring.

It scores *views*, not actions (section V-A of the paper): one branch encodes what the camera sees now (the state),
one what it would see after each candidate move, and a head turns the pair into a dense map of values over the view's
pixels. Two presets share the interface:

- ``paper``: Appendix B. As printed it does not fit together: a 640×360 state leaves its branch at 45×80, an 80×45
  view leaves its stride-2 stem at 23×40, and the two are to be concatenated. We keep every printed layer and bring
  the state's map to the view's grid by area pooling, so the value map has 23×40 cells. The last 1×1 convolution is
  printed with padding 1, which would only add a frame of constants: we leave it out. 2.5 M parameters; meant for a
  GPU.
- ``compact`` (default): the same layout with a stride-4 view branch (12×20 cells), few channels and coordinate
  channels, so that it trains in tens of minutes and scores 35 views at camera rate on a CPU.

The head's first layer is linear in the concatenation (state, view). Its state half is computed once per step and
shared by all candidates: :class:`JoinBlock`.

A view's value is *read* from its map either in a fixed window where the tool axis projects (``window``: the log of
the mean exponential) or as the maximum over all cells (``max``, the paper's). With only grasp pixels supervised, the
maximum picks cells that nothing ever taught; in a simulation study the window more than tripled the success.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from grasp_policy.features import CHANNELS
from grasp_policy.reading import Window, tool_axis_window

Preset = Literal["compact", "paper"]
Reading = Literal["window", "max"]


@dataclass(frozen=True)
class NetworkConfig:
    """Architecture of the Q-network.

    ``channels`` is the width of ``compact``; ``paper`` has the printed widths.
    """

    preset: Preset = "compact"
    channels: int = 32
    reading: Reading = "window"
    window: Window = field(default_factory=tool_axis_window)


class QMaps(NamedTuple):
    """Value maps [B, K, h, w] of K candidate views (logits; the sigmoid is a value in 0 … 1) and how to read them."""

    maps: Tensor
    image_size: tuple[int, int]  # rows, columns of the views

    def values(self, config: NetworkConfig) -> Tensor:
        """One value per view, [B, K]."""
        if config.reading == "max":
            return self.maps.flatten(2).amax(2)
        top, bottom, left, right = self._cells(config.window)
        cells = self.maps[:, :, top:bottom, left:right].flatten(2)
        return torch.logsumexp(cells, dim=2) - math.log(cells.shape[2])

    def at(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Values [B, K] in the cells of view pixels [B, K, 2] (u, v), and whether those lie in the image, [B, K]
        bool.
        """
        rows, columns = self.maps.shape[-2:]
        u = torch.floor((pixels[..., 0] + 0.5) * (columns / self.image_size[1])).long()
        v = torch.floor((pixels[..., 1] + 0.5) * (rows / self.image_size[0])).long()
        inside = (u >= 0) & (u < columns) & (v >= 0) & (v < rows)
        index = v.clamp(0, rows - 1) * columns + u.clamp(0, columns - 1)
        return self.maps.flatten(2).gather(2, index[..., None])[..., 0], inside

    def _cells(self, window: Window) -> tuple[int, int, int, int]:
        rows, columns = self.maps.shape[-2:]
        y, x = rows / self.image_size[0], columns / self.image_size[1]
        return (
            math.floor(window.top * y),
            math.ceil(window.bottom * y),
            math.floor(window.left * x),
            math.ceil(window.right * x),
        )


class ConvNorm(nn.Module):
    """Convolution without bias, then batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class ResBlock(nn.Module):
    """Basic residual block of ResNet-18 with a 1×1 shortcut where the width changes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3)
        self.second = ConvNorm(outputs, outputs, 3)
        self.shortcut = ConvNorm(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class JoinBlock(nn.Module):
    """A residual block on the concatenation (state, view), without ever concatenating.

    Both of its layers that see the input are linear in it: conv(cat(s, v)) = conv_s(s) + conv_v(v). The state's half
    is computed once per step, however many candidates there are.
    """

    def __init__(self, state: int, view: int, outputs: int) -> None:
        super().__init__()
        self.first_state = nn.Conv2d(state, outputs, 3, padding=1, bias=False)
        self.first_view = nn.Conv2d(view, outputs, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = ConvNorm(outputs, outputs, 3)
        self.shortcut_state = nn.Conv2d(state, outputs, 1, bias=False)
        self.shortcut_view = nn.Conv2d(view, outputs, 1, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, state: Tensor, views: Tensor) -> Tensor:
        """State [B, s, h, w] and views [B·K, v, h, w] to [B·K, outputs, h, w]."""
        first = self.first_norm(_add_state(self.first_state(state), self.first_view(views)))
        shortcut = self.shortcut_norm(_add_state(self.shortcut_state(state), self.shortcut_view(views)))
        return torch.relu(self.second(torch.relu(first)) + shortcut)


class CoordinateStem(nn.Module):
    """Stride-2 stem that also sees where in the image it is: equal to a convolution with two coordinate channels
    appended.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.position = nn.Conv2d(2, outputs, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        v = torch.linspace(-1, 1, rows, dtype=x.dtype, device=x.device)[:, None].expand(rows, columns)
        u = torch.linspace(-1, 1, columns, dtype=x.dtype, device=x.device).expand(rows, columns)
        return torch.relu(self.norm(self.conv(x) + self.position(torch.stack([u, v])[None])))


class QNetwork(nn.Module):
    """``forward(state [B, 7, H, W], views [B, K, 7, h, w]) -> QMaps``; features as in :mod:`grasp_policy.features`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        build = _paper_layers if config.preset == "paper" else _compact_layers
        self.state_encoder, self.view_encoder, self.join, self.head = build(config.channels)

    def forward(self, state: Tensor, views: Tensor) -> QMaps:
        batch, count = views.shape[:2]
        view_map = self.view_encoder(views.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        state_map = self.state_encoder(state.contiguous(memory_format=torch.channels_last))
        joined = self.join(_to_grid(state_map, view_map.shape[-2:]), view_map)
        maps = self.head(joined).view(batch, count, *view_map.shape[-2:])
        return QMaps(maps, (views.shape[-2], views.shape[-1]))

    def values(self, state: Tensor, views: Tensor) -> Tensor:
        """Value of each view, [B, K]."""
        return self(state, views).values(self.config)


def _add_state(state: Tensor, views: Tensor) -> Tensor:
    """Add each step's state map [B, …] to its candidates' maps [B·K, …]."""
    batch = state.shape[0]
    return (views.unflatten(0, (batch, -1)) + state[:, None]).flatten(0, 1)


def _to_grid(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[-2:] == size:
        return x
    if x.shape[-2] > size[0]:
        return functional.adaptive_avg_pool2d(x, size)
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)


def _stem(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(inputs, outputs, 3, stride=2), nn.ReLU())


def _paper_layers(_: int) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    state = nn.Sequential(
        _stem(CHANNELS, 64),
        ResBlock(64, 128),
        nn.MaxPool2d(3, 2, 1),
        ResBlock(128, 128),
        nn.MaxPool2d(3, 2, 1),
        ResBlock(128, 128),
    )
    view = nn.Sequential(_stem(CHANNELS, 64), ResBlock(64, 128), ResBlock(128, 128), ResBlock(128, 128))
    head = nn.Sequential(ResBlock(128, 128), ResBlock(128, 64), nn.Conv2d(64, 1, 1))
    return state, view, JoinBlock(128, 128, 128), head


def _compact_layers(channels: int) -> tuple[nn.Module, nn.Module, nn.Module, nn.Module]:
    def encoder() -> nn.Sequential:
        half = channels // 2
        return nn.Sequential(CoordinateStem(CHANNELS, half), _stem(half, channels), ResBlock(channels, channels))

    head = nn.Sequential(ResBlock(channels, channels), nn.Conv2d(channels, 1, 1))
    return encoder(), encoder(), JoinBlock(channels, channels, channels), head
