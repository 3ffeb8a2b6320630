"""What training minimises, and how well a network ranks candidates it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from grasp_policy.batches import Batch
from grasp_policy.labels import paper_target, soft_labels
from grasp_policy.network import NetworkConfig, QMaps, QNetwork

Objective = Literal["softmax", "paper"]


@dataclass(frozen=True)
class Temperature:
    """How sharply costs become labels: ``steps`` action steps, but at least ``least_m`` metres.

    Steps shrink from 5 cm to 8 mm on the way, and with them the differences between candidates.
    """

    steps: float = 0.4
    least_m: float = 0.004

    def of(self, step_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """Metres [B] for candidates that move step_m [B]."""
        return np.maximum(self.steps * step_m, self.least_m)


def softmax_loss(maps: QMaps, config: NetworkConfig, batch: Batch, temperature: Temperature) -> Tensor:
    """Cross-entropy between soft labels and the softmax of the values over each state's candidates."""
    labels = soft_labels(batch.cost_m, temperature.of(batch.step_m))
    target = torch.from_numpy(labels).float()
    return functional.cross_entropy(maps.values(config).float(), target)


def paper_loss(maps: QMaps, batch: Batch) -> Tensor:
    """The paper's supervision: one pixel per view, target λ^(steps to go) for the positive (column 0), 0 for
    negatives.

    Cross-entropy in place of the printed absolute error: the minimum is the same, and it does not stall where a value
    is confidently wrong. Views that do not show the grasp's position teach nothing.
    """
    value, visible = maps.at(batch.grasp_pixel)
    target = torch.zeros_like(value, dtype=torch.float32)
    target[:, 0] = torch.from_numpy(paper_target(batch.steps_to_go)).float()
    loss = functional.binary_cross_entropy_with_logits(value.float(), target, reduction="none")
    return (loss * visible).sum() / visible.sum().clamp(min=1)


@dataclass(frozen=True)
class Validation:
    """Ranking of the kept candidates of held-out states. Regret: cost of the chosen less cost of the best, metres."""

    loss: float
    top1: float  # share of states in which the best was chosen
    regret_m: float
    random_regret_m: float  # of choosing blindly
    states: int


@torch.inference_mode()
def validate(network: QNetwork, batches: Iterable[Batch], temperature: Temperature) -> Validation | None:
    """Rank candidates; None when there are no batches. Leaves the network in evaluation mode."""
    network.eval()
    losses, top1, regrets, blind = [], [], [], []
    for batch in batches:
        maps = network(batch.state, batch.views)
        chosen = maps.values(network.config).argmax(dim=1).numpy()
        best = batch.cost_m.min(axis=1)
        losses.append(float(softmax_loss(maps, network.config, batch, temperature)))
        top1.append(chosen == batch.cost_m.argmin(axis=1))
        regrets.append(np.take_along_axis(batch.cost_m, chosen[:, None], 1)[:, 0] - best)
        blind.append(batch.cost_m.mean(axis=1) - best)
    if not losses:
        return None
    right = np.concatenate(top1)
    return Validation(
        float(np.mean(losses)),
        float(right.mean()),
        float(np.concatenate(regrets).mean()),
        float(np.concatenate(blind).mean()),
        len(right),
    )
