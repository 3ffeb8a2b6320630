"""Inference: what runs a checkpoint returns the network's values, for any number of candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from grasp_policy.checkpoint import Checkpoint, save_checkpoint
from grasp_policy.features import features
from grasp_policy.inference import load_evaluator
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.scene.views import Views
from wildgrasp.errors import CheckpointError

CONFIG = NetworkConfig("compact", channels=8)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inference") / "a.safetensors"
    save_checkpoint(path, Checkpoint(CONFIG, QNetwork(CONFIG).state_dict(), "fine", {"steps": 3}))
    return path


def some_views(count: int, seed: int = 0) -> Views:
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(count, 45, 80, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Views(
        rng.integers(0, 256, (count, 45, 80, 3)).astype(np.uint8),
        rng.uniform(0.1, 0.6, (count, 45, 80)).astype(np.float32),
        normal.astype(np.float32),
        np.ones((count, 45, 80), bool),
    )


def backends() -> list[str]:
    return ["auto", "torch", "openvino"]


def load(path: Path, backend: str, precision: str):
    if backend == "openvino":
        pytest.importorskip("openvino")
    return load_evaluator(path, backend, precision)


@pytest.mark.parametrize("backend", backends())
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_values_equal_the_networks_within_the_tolerance(
    path: Path, backend: str, precision: str, tolerance: float
) -> None:
    evaluator = load(path, backend, precision)
    state, views = some_views(1), some_views(5, seed=1)
    torch.manual_seed(0)
    network = QNetwork(CONFIG).eval()
    with torch.inference_mode():
        expected = network.values(torch.from_numpy(features(state)), torch.from_numpy(features(views))[None])[0].numpy()
    values = evaluator(state, views)
    assert values.shape == (5,) and values.dtype == np.float32
    assert np.abs(values - expected).max() <= tolerance * max(expected.std(), 0.02)
    np.testing.assert_array_equal(values, evaluator(state, views))
    np.testing.assert_array_equal(evaluator(state, views[np.array([3])]).shape, (1,))


def test_no_candidates_have_no_values(path: Path) -> None:
    assert load_evaluator(path)(some_views(1), some_views(0)).shape == (0,)


def test_views_that_show_nothing_have_finite_values(path: Path) -> None:
    dark = Views(*(np.zeros_like(a) for a in (lambda v: (v.color, v.depth, v.normal, v.valid))(some_views(2))))
    assert np.isfinite(load_evaluator(path)(dark[:1], dark)).all()


def test_an_evaluator_says_what_it_is_and_where_it_comes_from(path: Path) -> None:
    evaluator = load_evaluator(path)
    assert evaluator.name.startswith("torch CPU") and evaluator.actions == "fine" and evaluator.card == {"steps": 3}


def test_torchs_threads_are_given_back(path: Path) -> None:
    before = torch.get_num_threads()
    load_evaluator(path, thread_count=before + 1)(some_views(1), some_views(1))
    assert torch.get_num_threads() == before


def test_asking_for_openvino_without_it_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(CheckpointError, match="pip install openvino"):
        load_evaluator(path, "openvino")
