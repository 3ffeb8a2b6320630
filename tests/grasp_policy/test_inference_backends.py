"""Inference: what runs a checkpoint returns the network's values, for any number of candidates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from analytic_scene import TABLE, look_at

from grasp_policy import checkpoints
from grasp_policy.actions import FINE, SENSOR_CAMERA, VIEW_CAMERA, candidates
from grasp_policy.checkpoint import Checkpoint, save_checkpoint
from grasp_policy.features import features
from grasp_policy.inference import RUNTIMES, load_evaluator, runtimes
from grasp_policy.inference.runtimes import choose, obstacles
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.q_policy import QPolicy
from grasp_policy.registry import make_policy
from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.views import Views
from wildgrasp.errors import CheckpointError
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP, NOMINAL_T_FINGERTIP_CAMERA

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


# By how much values may differ from float32's, in parts of their spread over the candidates: (largest, mean).
TOLERANCES = {
    "torch": (1e-4, 1e-5),
    "openvino": (1e-4, 1e-5),
    "torch-cuda": (0.05, 0.02),  # convolutions may use TF32
    "torch-bf16": (0.1, 0.03),
    "openvino-bf16": (0.1, 0.03),
    "openvino-int8": (3.0, 0.6),
}


def needs(runtime: str) -> None:
    obstacle = obstacles()[runtime]
    if obstacle is not None:
        pytest.skip(obstacle)


def evaluator_of(path: Path, runtime: str):
    needs(runtime)
    return load_evaluator(path, runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_values_equal_the_networks_within_the_tolerance(path: Path, runtime: str) -> None:
    evaluator = evaluator_of(path, runtime)
    state, views = some_views(1), some_views(5, seed=1)
    torch.manual_seed(0)
    network = QNetwork(CONFIG).eval()
    with torch.inference_mode():
        expected = network.values(torch.from_numpy(features(state)), torch.from_numpy(features(views))[None])[0].numpy()
    values = evaluator(state, views)
    assert values.shape == (5,) and values.dtype == np.float32
    difference = np.abs(values - expected) / max(expected.std(), 0.02)
    assert difference.max() <= TOLERANCES[runtime][0]
    assert difference.mean() <= TOLERANCES[runtime][1]
    np.testing.assert_array_equal(values, evaluator(state, views))
    assert runtime == "openvino-int8" or evaluator(state, views[np.array([3])]).shape == (1,)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_shipped_checkpoint_ranks_real_views_alike_everywhere(runtime: str) -> None:
    """On views of a fused scene: within the tolerance, and what it takes for the best is nearly the best."""
    shipped = Path(checkpoints.__file__).with_name("first.safetensors")
    scene = TsdfScene(Volume((-0.2, -0.2, -0.03), (80, 80, 60)))
    T = look_at((0.1, -0.1, 0.4), (0.02, 0.0, 0.03))
    scene.integrate(*TABLE.render(SENSOR_CAMERA, T)[:2], SENSOR_CAMERA, T)
    moves = T @ NOMINAL_T_CAMERA_FINGERTIP @ candidates(0.4, FINE) @ NOMINAL_T_FINGERTIP_CAMERA
    state, views = scene.render(VIEW_CAMERA, T[None]), scene.render(VIEW_CAMERA, moves)
    exact = load_evaluator(shipped, "torch")(state, views)
    values = evaluator_of(shipped, runtime)(state, views)
    difference = np.abs(values - exact) / exact.std()
    assert difference.max() <= TOLERANCES[runtime][0]
    assert difference.mean() <= TOLERANCES[runtime][1]
    assert exact.max() - exact[values.argmax()] <= 2 * TOLERANCES[runtime][1] * exact.std()


def test_no_candidates_have_no_values(path: Path) -> None:
    assert load_evaluator(path)(some_views(1), some_views(0)).shape == (0,)


def test_views_that_show_nothing_have_finite_values(path: Path) -> None:
    dark = Views(*(np.zeros_like(a) for a in (lambda v: (v.color, v.depth, v.normal, v.valid))(some_views(2))))
    assert np.isfinite(load_evaluator(path)(dark[:1], dark)).all()


def test_an_evaluator_says_what_it_is_and_where_it_comes_from(path: Path) -> None:
    evaluator = load_evaluator(path)
    assert evaluator.name.startswith(("torch ", "OpenVINO ")) and evaluator.actions == "fine"
    assert evaluator.card == {"steps": 3}


def test_torchs_threads_are_given_back(path: Path) -> None:
    before = torch.get_num_threads()
    load_evaluator(path, "torch", thread_count=before + 1)(some_views(1), some_views(1))
    assert torch.get_num_threads() == before


def test_the_fastest_runtime_that_works_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose() == "torch-cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtimes, "prefers_bfloat16", lambda: True)
    monkeypatch.setattr(runtimes, "_installed", lambda package: True)
    assert choose() == "openvino-bf16"
    monkeypatch.setattr(runtimes, "prefers_bfloat16", lambda: False)
    assert choose() == "openvino"
    monkeypatch.setattr(runtimes, "_installed", lambda package: False)
    assert choose() == "torch"
    for wanted, reason in (
        ("torch-cuda", "no CUDA device"),
        ("openvino", "pip install openvino"),
        ("gpu", "no runtime"),
    ):
        with pytest.raises(CheckpointError, match=rf"{reason}.*torch"):
            choose(wanted)


def test_openvino_does_not_report_its_use(path: Path) -> None:
    needs("openvino")
    import sys

    load_evaluator(path, "openvino")(some_views(1), some_views(1))
    assert sys.modules["openvino_telemetry"] is None


def test_a_policy_is_named_by_its_checkpoint_and_what_shall_run_it(path: Path) -> None:
    assert isinstance(make_policy(f"{path}@torch"), QPolicy)
    with pytest.raises(CheckpointError, match="no runtime 'abacus'"):
        make_policy(f"{path}@abacus")
    with pytest.raises(CheckpointError, match="no policy"):
        make_policy(f"{path.with_name('none.safetensors')}@torch")
    odd = path.with_name("a@home.safetensors")
    odd.write_bytes(path.read_bytes())
    assert isinstance(make_policy(str(odd)), QPolicy)
