"""Tensors with a JSON header in one safetensors file: reading it never runs code that the file brings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wildgrasp.errors import CheckpointError

_KEY = "wildgrasp"  # safetensors' metadata maps strings to strings; all of ours is one JSON text


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write the file whole or not at all; an earlier file of that name stays until the new one is complete."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, partial, metadata={_KEY: json.dumps(header)})
        os.replace(partial, path)  # noqa: PTH105
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be written ({error}). The file that stood there is unchanged; free "
            "some space or choose another folder."
        ) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and header. Raises CheckpointError when the file is missing, damaged, or of another origin."""
    if not Path(path).is_file():
        raise CheckpointError(f"There is no checkpoint {path}. Give the file that `wildgrasp train` wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no readable safetensors file ({error}). Copy it again, or give the file that "
            "`wildgrasp train` wrote."
        ) from error
    except KeyError:
        raise CheckpointError(
            f"{path} was not written by WildGrasp. Give the file that `wildgrasp train` wrote."
        ) from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header. Copy it again.")
    return tensors, header
