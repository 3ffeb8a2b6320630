"""Checkpoints of the policy: weights, everything needed to run them, and a model card that says where they come
from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.features import FEATURE_VERSION
from grasp_policy.network import NetworkConfig, Preset, QNetwork, Reading
from grasp_policy.reading import Window
from grasp_policy.tensorfile import load_tensors, save_tensors
from wildgrasp.errors import CheckpointError

FORMAT = 1
KIND = "grasp-policy"
_WIDEST = 1024  # a checkpoint from elsewhere is untrusted: no network may ask for more channels than this


@dataclass(frozen=True)
class Checkpoint:
    """A trained policy.

    ``actions`` names the action preset whose candidates it was trained on. ``card`` is the model card: how, on how
    much and how well it was trained; for people and reports, nothing depends on it.
    """

    network: NetworkConfig
    weights: dict[str, Tensor]
    actions: str = "fine"
    card: dict[str, Any] = field(default_factory=dict)

    def build(self) -> QNetwork:
        """The network with these weights, ready to evaluate. Raises CheckpointError when they do not fit."""
        network = QNetwork(self.network)
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"The checkpoint's weights do not fit its configuration ({str(error).splitlines()[0]}). It is damaged "
                "or was written by another version; train again or get it anew."
            ) from error
        return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an interrupted write leaves the earlier file. Raises CheckpointError when the disk
    refuses.
    """
    header = {
        "kind": KIND,
        "format": FORMAT,
        "feature_version": FEATURE_VERSION,
        "actions": checkpoint.actions,
        "network": asdict(checkpoint.network),
        "card": checkpoint.card,
    }
    save_tensors(path, checkpoint.weights, header)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError when it is missing, damaged, not one, or of an unknown version."""
    weights, header = load_tensors(path)
    if header.get("kind") != KIND:
        raise CheckpointError(f"{path} is no policy checkpoint. Give the file that `wildgrasp train` wrote.")
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {header.get('format')}; this WildGrasp reads {FORMAT}. Update WildGrasp."
        )
    if header.get("feature_version") != FEATURE_VERSION:
        raise CheckpointError(
            f"{path} was trained on other image features (version {header.get('feature_version')}, now "
            f"{FEATURE_VERSION}). Train it again."
        )
    if not all(bool(torch.isfinite(w).all()) for w in weights.values()):
        raise CheckpointError(f"{path} holds weights that are not numbers. Its training diverged; train again.")
    card, actions = header.get("card", {}), header.get("actions")
    if not isinstance(card, dict) or not isinstance(actions, str):
        raise CheckpointError(f"{path} has a damaged header. Copy it again.")
    return Checkpoint(_network_config(path, header.get("network")), weights, actions, card)


def _network_config(path: Path, value: Any) -> NetworkConfig:
    try:
        config = NetworkConfig(**{**value, "window": Window(*map(int, value["window"]))})
        window = config.window
        if config.preset not in get_args(Preset) or config.reading not in get_args(Reading):
            raise ValueError(f"unknown preset {config.preset!r} or reading {config.reading!r}")
        if not isinstance(config.channels, int) or not 2 <= config.channels <= _WIDEST or config.channels % 2:
            raise ValueError(f"{config.channels!r} channels")
        rows, columns = VIEW_CAMERA.height, VIEW_CAMERA.width
        if not (0 <= window.top < window.bottom <= rows and 0 <= window.left < window.right <= columns):
            raise ValueError(f"reading window {window}")
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} describes a network that this WildGrasp cannot build ({error}).") from error
    return config
