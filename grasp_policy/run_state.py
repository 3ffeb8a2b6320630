"""An unfinished run on disk: weights, optimiser and counters, so that it goes on exactly where it was saved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from grasp_policy.tensorfile import load_tensors, save_tensors
from wildgrasp.errors import CheckpointError

KIND = "grasp-policy-run"


@dataclass(frozen=True)
class RunState:
    """Counters of a run; ``identity`` says which configuration and data it belongs to (JSON)."""

    identity: dict[str, Any]
    step: int
    seconds: float
    views: int
    loss: float


def save_run_state(path: Path, state: RunState, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write everything that the next step depends on."""
    tensors: dict[str, Tensor] = {f"network.{name}": value for name, value in network.state_dict().items()}
    for index, entries in optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{index}.{name}": value for name, value in entries.items()})
    save_tensors(path, tensors, {"kind": KIND, **asdict(state)})


def load_run_state(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> RunState:
    """Put a saved run into a network and an optimiser built alike. Raises CheckpointError when they do not fit."""
    tensors, header = load_tensors(path)
    try:
        if header.pop("kind") != KIND:
            raise ValueError("it is something else")
        state = RunState(**header)
        weights = {n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")}
        network.load_state_dict(weights)
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, _, rest = key.partition(".")
            if part == "optimizer":
                index, _, name = rest.partition(".")
                entries.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no unfinished run that fits this configuration ({str(error).splitlines()[0]}). Choose another "
            "--out, or delete that file to start anew."
        ) from error
    return state
