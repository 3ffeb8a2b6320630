"""What can run the network on this machine, and what does it fastest."""

from __future__ import annotations

import importlib.util
from typing import Literal, get_args

import torch

from grasp_policy.precision import prefers_bfloat16
from wildgrasp.errors import CheckpointError

Runtime = Literal["torch-cuda", "openvino-bf16", "openvino", "torch-bf16", "torch", "openvino-int8"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)

# Fastest first (`python -m benchmarks.step`). int8 is faster still, but changes values by more: only when asked for.
_PREFERRED: tuple[Runtime, ...] = ("torch-cuda", "openvino-bf16", "openvino", "torch-bf16", "torch")


def obstacles() -> dict[Runtime, str | None]:
    """For each runtime what speaks against it on this machine, as a person can mend it; None where nothing does."""
    no_cuda = None if torch.cuda.is_available() else "torch sees no CUDA device"
    no_openvino = None if _installed("openvino") else "the package openvino is not installed (pip install openvino)"
    no_nncf = None if _installed("nncf") else "the package nncf is not installed (pip install nncf)"
    no_bf16 = None if prefers_bfloat16() else "this CPU only emulates bfloat16"
    return {
        "torch-cuda": no_cuda,
        "openvino-bf16": no_openvino or no_bf16,
        "openvino": no_openvino,
        "torch-bf16": no_bf16,
        "torch": None,
        "openvino-int8": no_openvino or no_nncf,
    }


def choose(wanted: str = "auto") -> Runtime:
    """The runtime that was asked for, or the fastest that works here.

    Raises CheckpointError, with the names that work, when the wanted one does not exist or does not work.
    """
    found = obstacles()
    working = [name for name in RUNTIMES if found[name] is None]
    if wanted == "auto":
        return next(name for name in _PREFERRED if name in working)
    if wanted not in RUNTIMES:
        raise CheckpointError(f"There is no runtime {wanted!r}. On this machine there are: {', '.join(working)}.")
    if found[wanted] is not None:
        raise CheckpointError(
            f"A checkpoint cannot run with {wanted!r} here: {found[wanted]}. What works: {', '.join(working)}; "
            "without a choice the fastest is taken."
        )
    return wanted


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it is being kept from being imported
        return False
