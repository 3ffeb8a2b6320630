"""Weights of the learned baselines from a file: our own, or published ones, as they are.

Two kinds of files are read: safetensors, and PyTorch state dictionaries (``.pt``, ``.pth``), the form in which weights
of these networks are published. The latter are pickles; PyTorch's ``weights_only`` reader is used, which builds tensors
and containers and calls nothing else. A pickled *model* is code, and is refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from wildgrasp.errors import CheckpointError

KIND = "baseline-weights"
_LARGEST = 64 << 20  # bytes; these networks have 0.3 and 1.3 MB


def load_weights(network: nn.Module, path: Path) -> None:
    """Put a file's weights into a network, for evaluation. Raises CheckpointError when they are missing or do not fit.

    Names and shapes must be exactly the network's.
    """
    tensors, wanted = _read(path), network.state_dict()
    for name in (*wanted, *tensors):
        there = f"{name} {tuple(tensors[name].shape)}" if name in tensors else f"no {name}"
        expected = f"{name} {tuple(wanted[name].shape)}" if name in wanted else f"no {name}"
        if there != expected:
            raise CheckpointError(
                f"{path} does not fit {type(network).__name__}: it has {there}, the network has {expected}. "
                "Give the weights of this network; docs/baselines.md lists their names."
            )
    if not all(t.is_floating_point() and bool(torch.isfinite(t).all()) for t in tensors.values()):
        raise CheckpointError(f"{path} holds weights that are not finite numbers. Get the file anew.")
    network.load_state_dict(tensors)
    network.eval()


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"There are no weights {path}. Give a .safetensors file or a PyTorch state dictionary.")
    if path.stat().st_size > _LARGEST:
        raise CheckpointError(f"{path} is too large for weights of a baseline ({path.stat().st_size >> 20} MB).")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors, and is not opened. Give the network's state dictionary (published "
            "beside the model, often with “statedict” in its name), not the pickled model."
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} cannot be read as weights ({text}). Copy it again.") from error
    if not isinstance(content, dict) or not all(isinstance(t, Tensor) for t in content.values()):
        raise CheckpointError(f"{path} is no state dictionary: it must map names to tensors, and nothing else.")
    return content
