"""The training loop of both baselines: steps of Adam, saved now and then, so that an interrupted run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grasp_policy.baselines.weights import KIND
from grasp_policy.run_state import RunState, load_run_state, save_run_state
from grasp_policy.tensorfile import save_tensors
from wildgrasp.errors import CheckpointError

Loss = Callable[[nn.Module, np.random.Generator], Tensor]  # of one batch, drawn with the generator

_SAVE_EVERY = 100  # steps


def train(
    network: nn.Module,
    loss_of: Loss,
    steps: int,
    rate: float,
    seed: int,
    out: Path,
    card: dict[str, Any],
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """Train and write the weights with their card; returns the mean loss of the last steps.

    The learning rate falls to zero along a cosine. The same settings, data and machine give the same weights. Raises
    CheckpointError when an unfinished run beside ``out`` is another one, or the disk refuses.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    unfinished = out.with_name(f"{out.stem}.unfinished.safetensors")
    identity = {"network": type(network).__name__, "steps": steps, "rate": rate, "seed": seed, **card}
    state = RunState(identity, step=0, seconds=0.0, views=0, loss=float("nan"))
    if unfinished.exists():
        state = load_run_state(unfinished, network, optimizer)
        if state.identity != identity:
            raise CheckpointError(
                f"{unfinished} belongs to a run with other settings or data. Give those again to go on with it, or "
                "delete it to start anew."
            )
    started, loss = time.monotonic() - state.seconds, state.loss
    for step in range(state.step, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 + np.cos(np.pi * step / steps)) / 2
        optimizer.zero_grad()
        batch_loss = loss_of(network, np.random.default_rng([seed, step]))
        batch_loss.backward()
        optimizer.step()
        value = float(batch_loss.detach())
        loss = value if np.isnan(loss) else 0.98 * loss + 0.02 * value
        on_step(step + 1, loss)
        if (step + 1) % _SAVE_EVERY == 0:
            now = RunState(identity, step + 1, time.monotonic() - started, 0, loss)
            save_run_state(unfinished, now, network, optimizer)
    save_tensors(out, network.state_dict(), {"kind": KIND, "card": {**identity, "training_loss": loss}})
    unfinished.unlink(missing_ok=True)
    return loss
