"""The Q-network: interface of both presets, and what must hold whatever the weights."""

from __future__ import annotations

import pytest
import torch

from grasp_policy.network import JoinBlock, NetworkConfig, QMaps, QNetwork, ResBlock
from grasp_policy.reading import Window, tool_axis_window

CONFIGS = [NetworkConfig("compact", channels=8), NetworkConfig("paper")]


def network(config: NetworkConfig) -> QNetwork:
    torch.manual_seed(0)
    return QNetwork(config).eval()


def inputs(batch: int = 1, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(batch, 7, 45, 80, generator=generator),
        torch.randn(batch, count, 7, 45, 80, generator=generator),
    )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.preset)
@torch.inference_mode()
def test_shapes_determinism_and_order_of_candidates(config: NetworkConfig) -> None:
    state, views = inputs()
    maps = network(config)(state, views)
    assert maps.maps.shape == (1, 3, *((12, 20) if config.preset == "compact" else (23, 40)))
    values = maps.values(config)
    assert values.shape == (1, 3)
    assert torch.equal(values, network(config).values(state, views))
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(network(config).values(state, views[:, order]), values[:, order])


@torch.inference_mode()
def test_a_value_depends_on_the_state_but_not_on_the_other_candidates() -> None:
    state, views = inputs(batch=2)
    compact = network(CONFIGS[0])
    both = compact.values(state, views)
    alone = compact.values(state[1:], views[1:, 2:])
    torch.testing.assert_close(alone[0, 0], both[1, 2])
    assert not torch.allclose(compact.values(state.flip(0), views), both)


@torch.inference_mode()
def test_paper_preset_takes_the_full_state_image_and_has_the_papers_size() -> None:
    paper = network(CONFIGS[1])
    assert sum(p.numel() for p in paper.parameters()) == pytest.approx(2.54e6, rel=0.001)
    maps = paper(torch.randn(1, 7, 360, 640), inputs(count=1)[1])
    assert maps.maps.shape == (1, 1, 23, 40)


@torch.inference_mode()
def test_join_block_equals_a_residual_block_on_the_concatenation() -> None:
    torch.manual_seed(0)
    whole, join = ResBlock(10, 6).eval(), JoinBlock(4, 6, 6).eval()
    for norm in (whole.first.norm, whole.second.norm, whole.shortcut.norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    join.first_state.weight.copy_(whole.first.conv.weight[:, :4])
    join.first_view.weight.copy_(whole.first.conv.weight[:, 4:])
    join.shortcut_state.weight.copy_(whole.shortcut.conv.weight[:, :4])
    join.shortcut_view.weight.copy_(whole.shortcut.conv.weight[:, 4:])
    join.first_norm.load_state_dict(whole.first.norm.state_dict())
    join.shortcut_norm.load_state_dict(whole.shortcut.norm.state_dict())
    join.second.load_state_dict(whole.second.state_dict())
    state, views = torch.randn(2, 4, 5, 7), torch.randn(6, 6, 5, 7)
    together = torch.cat([state.repeat_interleave(3, 0), views], 1)
    torch.testing.assert_close(join(state, views), whole(together))


@pytest.mark.parametrize("preset", ["compact", "paper"])
def test_overfits_one_batch(preset: str) -> None:
    torch.manual_seed(0)
    state, views = inputs(batch=2, count=4)
    if preset == "paper":
        state, views = state[..., :16, :16], views[..., :16, :16]  # the layers are convolutions; small images are quick
    config = NetworkConfig(preset, channels=8, window=Window(4, 12, 4, 12))
    net = QNetwork(config)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    best = torch.tensor([1, 3])
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(net.values(state, views), best)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert torch.equal(net.values(state, views).argmax(1), best)


def test_reading_the_window_ignores_everything_outside_it_and_max_does_not() -> None:
    config = NetworkConfig("compact", window=Window(16, 35, 34, 46))
    maps = torch.zeros(1, 2, 45, 80)
    maps[0, 1, 0, 0] = 50.0  # a cell that nothing ever taught
    maps[0, 0, 20, 40] = 5.0
    assert QMaps(maps, (45, 80)).values(config).argmax() == 0
    assert QMaps(maps, (45, 80)).values(NetworkConfig("compact", reading="max")).argmax() == 1


def test_reading_a_pixel_takes_the_cell_that_holds_it() -> None:
    maps = torch.arange(12 * 20, dtype=torch.float32).reshape(1, 1, 12, 20)
    pixels = torch.tensor([[[0.0, 0.0], [79.0, 44.0], [4.0, 0.0], [-1.0, 5.0], [10.0, 45.0]]])
    values, inside = QMaps(maps.expand(1, 5, 12, 20), (45, 80)).at(pixels)
    assert values[0, :3].tolist() == [0.0, 12 * 20 - 1, 1.0]
    assert inside[0].tolist() == [True, True, True, False, False]


def test_the_window_holds_the_fingertips_and_what_lies_ahead() -> None:
    window = tool_axis_window()
    assert window.left < 39.5 < window.right
    assert window.top < 24 < 29 < window.bottom
    assert (window.right - window.left) * (window.bottom - window.top) < 0.1 * 45 * 80
