"""Weights from files: published names and shapes, nothing executed, and a sentence for whatever is wrong."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from grasp_policy.baselines.ggcnn_network import GgCnn
from grasp_policy.baselines.vgn_network import Vgn
from grasp_policy.baselines.weights import load_weights
from grasp_policy.registry import make_policy
from wildgrasp.cli import main
from wildgrasp.errors import CheckpointError

# As the authors' PyTorch files have them.
GGCNN = {
    "conv1": (32, 1, 9, 9),
    "conv2": (16, 32, 5, 5),
    "conv3": (8, 16, 3, 3),
    "convt1": (8, 8, 3, 3),
    "convt2": (8, 16, 5, 5),
    "convt3": (16, 32, 9, 9),
    **{f"{head}_output": (1, 32, 2, 2) for head in ("pos", "cos", "sin", "width")},
}
VGN = {
    "encoder.conv1": (16, 1, 5, 5, 5),
    "encoder.conv2": (32, 16, 3, 3, 3),
    "encoder.conv3": (64, 32, 3, 3, 3),
    "decoder.conv1": (64, 64, 3, 3, 3),
    "decoder.conv2": (32, 64, 3, 3, 3),
    "decoder.conv3": (16, 32, 5, 5, 5),
    "conv_qual": (1, 16, 5, 5, 5),
    "conv_rot": (4, 16, 5, 5, 5),
    "conv_width": (1, 16, 5, 5, 5),
}


def published(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in shapes.items():
        outputs = shape[1] if name.startswith("convt") else shape[0]  # a transposed convolution's come second
        tensors[f"{name}.weight"] = 0.1 * torch.randn(shape, generator=generator)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    return tensors


def save(kind: str, tensors, folder):
    path = folder / f"weights.{'safetensors' if kind == 'safetensors' else 'pt'}"
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    return path


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize(("network", "shapes"), [(GgCnn, GGCNN), (Vgn, VGN)])
def test_published_names_and_shapes_fit(network, shapes, kind, tmp_path):
    tensors, built = published(shapes), network()
    load_weights(built, save(kind, tensors, tmp_path))
    for name, value in built.state_dict().items():
        assert torch.equal(value, tensors[name])
    assert not built.training


def test_outputs_have_the_documented_shapes():
    assert GgCnn()(torch.zeros(1, 1, 300, 300)).shape == (1, 4, 300, 300)
    quality, rotation, width = Vgn()(torch.rand(1, 1, 40, 40, 40))
    assert quality.shape == width.shape == (1, 1, 40, 40, 40)
    assert rotation.shape == (1, 4, 40, 40, 40)
    assert ((quality > 0) & (quality < 1)).all()
    torch.testing.assert_close(rotation.norm(dim=1), torch.ones(1, 40, 40, 40))


def without_one(t):
    del t["conv2.bias"]


def one_more(t):
    t["conv9.bias"] = torch.zeros(1)


def other_shape(t):
    t["conv1.weight"] = torch.zeros(32, 4, 9, 9)


def not_numbers(t):
    t["conv3.bias"][2] = float("nan")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(without_one, "no conv2.bias"), (one_more, "conv9.bias"), (other_shape, "(32, 4, 9, 9)"), (not_numbers, "finite")],
)
@pytest.mark.parametrize("kind", ["safetensors", "zip"])
def test_what_does_not_fit_is_said(spoil, says, kind, tmp_path):
    tensors = published(GGCNN)
    spoil(tensors)
    network = GgCnn()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(CheckpointError) as told:
        load_weights(network, save(kind, tensors, tmp_path))
    assert says in str(told.value)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class Evil:
    def __init__(self, mark) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("save_as", ["torch", "pickle"])
def test_a_file_with_code_in_it_is_refused_and_nothing_runs(save_as, tmp_path):
    path, mark = tmp_path / "model.pt", tmp_path / "ran"
    content = {"conv1.weight": torch.zeros(1), "x": Evil(mark)}
    if save_as == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError):
        load_weights(GgCnn(), path)
    assert not mark.exists()


def test_a_whole_pickled_model_is_refused_with_advice(tmp_path):
    path = tmp_path / "ggcnn_epoch_23_cornell"
    torch.save(GgCnn(), path)
    with pytest.raises(CheckpointError, match="state dictionary"):
        load_weights(GgCnn(), path)


def test_unreadable_files_are_one_sentence(tmp_path):
    for name in ("noise.pt", "noise.safetensors"):
        path = tmp_path / name
        path.write_bytes(b"\x07\x00garbage" * 100)
        with pytest.raises(CheckpointError):
            load_weights(GgCnn(), path)
    with pytest.raises(CheckpointError, match="no weights"):
        load_weights(GgCnn(), tmp_path / "missing.pt")
    whole = save("zip", published(GGCNN), tmp_path)
    whole.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(CheckpointError):
        load_weights(GgCnn(), whole)
    listed = tmp_path / "list.pt"
    torch.save([torch.zeros(1)], listed)
    with pytest.raises(CheckpointError, match="state dictionary"):
        load_weights(GgCnn(), listed)


def test_a_giant_file_is_not_even_read(tmp_path):
    path = tmp_path / "giant.pt"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # sparse
    with pytest.raises(CheckpointError, match="too large"):
        load_weights(GgCnn(), path)


def test_weights_are_for_learned_baselines_only(tmp_path, capsys):
    path = save("zip", published(GGCNN), tmp_path)
    assert make_policy("ggcnn", weights=path) is not None
    for arguments in (["--policy", "heuristic", "--weights", str(path)], ["--policy", "vgn", "--weights", str(path)]):
        assert main(["evaluate", "--episodes", "1", "--workers", "1", *arguments]) == 2
        assert "weights" in capsys.readouterr().err
