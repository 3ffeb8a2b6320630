"""`wildgrasp card`: a checkpoint in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_policy import checkpoints
from grasp_policy.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from grasp_policy.model_card import card_rows, runtime_rows
from grasp_policy.network import NetworkConfig, QNetwork
from wildgrasp.cli import main

SHIPPED = Path(checkpoints.__file__).with_name("first.safetensors")


def test_a_card_says_everything_that_stands_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = NetworkConfig("paper", reading="max")
    parameters = sum(p.numel() for p in QNetwork(config).parameters())
    card = {"steps": 12, "sessions": list("abcdef"), "validation": {"top1": 1 / 3}, "note": "[red]größer[/red]"}
    path, out = tmp_path / "a.safetensors", tmp_path / "card.json"
    save_checkpoint(path, Checkpoint(config, QNetwork(config).state_dict(), "paper", card))
    assert main(["card", str(path), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    for text in (
        "paper",
        f"{parameters} parameters",
        "steps",
        "12",
        "6: a, b, c, d, …",
        "validation.top1",
        "0.3333",
        "[red]gr",
    ):
        assert text in printed
    assert json.loads(out.read_text()) == card
    assert dict(runtime_rows())["torch"].startswith("works")


def test_what_is_no_checkpoint_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    assert main(["card", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_shipped_checkpoint_still_gives_the_values_it_was_shipped_with() -> None:
    checkpoint = load_checkpoint(SHIPPED)
    assert dict(card_rows(checkpoint))["action preset"] == "fine"
    rng = np.random.default_rng(0)
    state, views = (torch.from_numpy(rng.normal(size=(1, *n, 7, 45, 80)).astype(np.float32)) for n in ((), (4,)))
    with torch.inference_mode():
        values = checkpoint.build().values(state, views)[0].numpy()
    np.testing.assert_allclose(values, SHIPPED_VALUES, atol=2e-3)


SHIPPED_VALUES = [-1.1190, 0.4219, -3.2623, 0.1185]
