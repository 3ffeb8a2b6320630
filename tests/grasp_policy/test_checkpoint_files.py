"""Checkpoints: what is written is read; what is no checkpoint is refused with a sentence, never executed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grasp_policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.tensorfile import load_tensors, save_tensors
from wildgrasp.errors import CheckpointError

CONFIG = NetworkConfig("compact", channels=4, reading="max")


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(CONFIG, QNetwork(CONFIG).state_dict(), "paper", {"states": 12, "note": "größer"})


def rewrite(path: Path, **changes: object) -> None:
    tensors, header = load_tensors(path)
    save_tensors(path, tensors, {**header, **changes})


def test_round_trip(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "new" / "a.safetensors"
    save_checkpoint(path, checkpoint)
    again = load_checkpoint(path)
    assert (again.network, again.actions, again.card) == (CONFIG, "paper", checkpoint.card)
    state, views = torch.randn(1, 7, 45, 80), torch.randn(1, 2, 7, 45, 80)
    with torch.inference_mode():
        assert torch.equal(again.build().values(state, views), checkpoint.build().values(state, views))


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(path)
    for content in (b"", b"hello", b"\xff" * 200, pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not written by WildGrasp"):
        load_checkpoint(path)


def test_every_cut_is_noticed(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, checkpoint)
    data = path.read_bytes()
    for length in (4, 9, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "training"}, "no policy checkpoint"),
        ({"format": 99}, "format 99"),
        ({"feature_version": 0}, "features"),
        ({"network": None}, "cannot build"),
        ({"actions": 5}, "header"),
    ],
)
def test_headers_that_do_not_fit(tmp_path: Path, checkpoint: Checkpoint, changes: dict, message: str) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, checkpoint)
    rewrite(path, **changes)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        {"preset": "huge"},
        {"channels": 10**9},
        {"channels": "many"},
        {"reading": "mean"},
        {"window": [3, 1, 0, 2]},
        {"window": [0, 46, 0, 80]},
        {"window": [1]},
        {"layers": 3},
    ],
)
def test_networks_that_cannot_be_built(tmp_path: Path, checkpoint: Checkpoint, change: dict) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, checkpoint)
    network = load_tensors(path)[1]["network"]
    rewrite(path, network={**network, **change})
    with pytest.raises(CheckpointError, match="cannot build"):
        load_checkpoint(path)


def test_weights_that_do_not_fit_or_are_not_numbers(tmp_path: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="do not fit"):
        Checkpoint(NetworkConfig("compact", channels=8), checkpoint.weights).build()
    path = tmp_path / "a.safetensors"
    broken = {name: w * float("nan") if w.is_floating_point() else w for name, w in checkpoint.weights.items()}
    save_checkpoint(path, Checkpoint(CONFIG, broken))
    with pytest.raises(CheckpointError, match="diverged"):
        load_checkpoint(path)


def test_a_failed_write_keeps_the_earlier_file(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, checkpoint)
    (tmp_path / "a.safetensors.partial").mkdir()  # where the new file would be written first
    with pytest.raises(CheckpointError, match="unchanged"):
        save_checkpoint(path, Checkpoint(CONFIG, checkpoint.weights, "fine"))
    assert load_checkpoint(path).actions == "paper"


def test_the_header_is_plain_json(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "a.safetensors", checkpoint)
    json.dumps(load_tensors(tmp_path / "a.safetensors")[1])
