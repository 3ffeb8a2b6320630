"""An interrupted training goes on exactly where it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from digital_twin.baseline_training.loop import train
from grasp_policy.baselines.weights import load_weights
from grasp_policy.model_card import read_card
from wildgrasp.errors import CheckpointError


def line() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(3, 1)


def loss(network, rng):
    x = torch.from_numpy(rng.normal(size=(4, 3)).astype(np.float32))
    return ((network(x) - x.sum(1, keepdim=True)) ** 2).mean()


def test_a_run_in_two_pieces_gives_the_same_weights(tmp_path):
    whole, pieces = line(), line()
    train(whole, loss, 250, 1e-2, 0, tmp_path / "whole.safetensors", {})

    def stop(step, value):
        if step == 150:
            raise KeyboardInterrupt

    out = tmp_path / "pieces.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(pieces, loss, 250, 1e-2, 0, out, {}, stop)
    assert not out.exists()
    begun = []
    train(line(), loss, 250, 1e-2, 0, out, {}, lambda step, value: begun.append(step))
    assert begun[0] == 101  # what was saved last
    assert [p.name for p in tmp_path.glob("*unfinished*")] == []
    load_weights(pieces, out)
    assert torch.equal(pieces.weight, whole.weight)
    card, rows = read_card(out)
    assert card["steps"] == 250
    assert ("steps", "250") in rows


def test_another_run_is_not_continued(tmp_path):
    def stop_after(step, value):
        if step == 101:
            raise KeyboardInterrupt

    for settings in ({"scenes": 3}, {"scenes": 4}):
        with pytest.raises((KeyboardInterrupt, CheckpointError)) as ended:
            train(line(), loss, 250, 1e-2, 0, tmp_path / "out.safetensors", settings, stop_after)
    assert "other settings" in str(ended.value)
