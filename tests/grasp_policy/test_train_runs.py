"""Training: learns, repeats itself to the bit, goes on exactly after an interruption, refuses what cannot work."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from demonstration_factory import make_session

from grasp_policy.augmentation import AugmentationConfig, augment
from grasp_policy.batches import StatePool, load_pools, training_batch, validation_batches
from grasp_policy.checkpoint import load_checkpoint
from grasp_policy.dataset import build_dataset
from grasp_policy.network import QMaps
from grasp_policy.objectives import Temperature, paper_loss, validate
from grasp_policy.states import StatesConfig
from grasp_policy.train import TrainConfig, TrainingError, train
from wildgrasp.errors import CheckpointError

STATES = StatesConfig(views=8, beside=1, voxel_m=0.01, frame_stride=4)
CONFIG = TrainConfig(steps=6, channels=4, states_per_batch=4, views_per_state=4, precision="float32", warmup_steps=2)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("train")
    sessions = [make_session(folder / f"s{k}", picks=(k, 1 - k), frames=12, seed=k) for k in range(2)]
    return [report.shard for report in build_dataset(sessions, folder / "data", STATES)]


@pytest.fixture(scope="module")
def pools(shards: list[Path]) -> tuple[StatePool, StatePool]:
    return load_pools(shards, 0.1)


class Stop:
    """Ctrl-C at a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self, now: object) -> None:
        if now.step == self.at:
            raise KeyboardInterrupt


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).weights


def assert_equal_weights(a: Path, b: Path) -> None:
    for name, tensor in weights(a).items():
        assert torch.equal(tensor, weights(b)[name]), name


# --- batches


def test_batches_depend_on_seed_and_step_only_and_an_epoch_visits_every_state(pools) -> None:
    pool, none = pools[0], AugmentationConfig()
    a = training_batch(pool, 3, 0, 4, 4, False, none)
    training_batch(pool, 9, 5, 4, 4, False, none)
    b = training_batch(pool, 3, 0, 4, 4, False, none)
    assert torch.equal(a.views, b.views) and np.array_equal(a.cost_m, b.cost_m)
    assert not torch.equal(a.views, training_batch(pool, 4, 0, 4, 4, False, none).views)
    seen = np.concatenate([training_batch(pool, s, 0, 1, 2, False, none).cost_m.min(axis=1) for s in range(len(pool))])
    every = np.sort([shard.cost_m[row].min() for shard, row in map(pool.locate, range(len(pool)))])
    np.testing.assert_array_equal(np.sort(seen), every)


def test_held_out_sessions_stay_held_out_when_others_are_added(shards: list[Path]) -> None:
    training, held_out = load_pools(shards, 0.1)
    assert len(training.sessions) == len(held_out.sessions) == 1
    assert load_pools(shards[::-1], 0.1)[1].sessions == held_out.sessions
    assert len(load_pools(shards[:1], 0.1)[1]) == 0


def test_the_papers_batches_hold_the_positive_first_and_no_unlabelled_ranks(pools) -> None:
    batch = training_batch(pools[0], 0, 0, 8, 4, True, AugmentationConfig())
    assert batch.overlap_rank.shape == (8, 6)
    assert (batch.overlap_rank[:, 0] == 0).all() and (batch.overlap_rank[:, 1:] >= 4).all()


def test_mirroring_moves_the_pixel_with_the_picture(pools) -> None:
    shard, row = pools[0].locate(0)
    columns = np.arange(3)
    plain = shard.views(row, columns).features()
    mirrored = shard.views(row, columns).features()
    only = AugmentationConfig(mirror=1.0, no_color=0.0, color_gain=0.0, color_offset=0.0, depth_offset_m=0.0)
    assert augment(mirrored, only, np.random.default_rng(0))
    expected = plain[..., ::-1].copy()
    expected[:, 4] *= -1
    np.testing.assert_allclose(mirrored, expected, atol=1e-6)


def test_augmentation_leaves_pixels_without_surface_empty(pools) -> None:
    shard, row = pools[0].locate(0)
    views = shard.views(row, np.arange(3)).features()
    empty = ~views.any(axis=1)
    augment(views, AugmentationConfig(mirror=0.0), np.random.default_rng(0))
    assert empty.any() and not np.moveaxis(views, 1, -1)[empty].any()


# --- objectives


def test_paper_loss_is_least_at_its_targets_and_blind_views_teach_nothing(pools) -> None:
    batch = training_batch(pools[0], 0, 0, 4, 4, True, AugmentationConfig())
    batch = replace(batch, grasp_pixel=torch.full((4, 6, 2), 20.0), steps_to_go=np.zeros(4, np.int32))
    right, wrong = torch.full((4, 6, 12, 20), -9.0), torch.zeros(4, 6, 12, 20)
    right[:, 0] = 9.0
    assert paper_loss(QMaps(right, (45, 80)), batch) < 0.01 < paper_loss(QMaps(wrong, (45, 80)), batch)
    blind = replace(batch, grasp_pixel=torch.full((4, 6, 2), -1e3))
    assert paper_loss(QMaps(wrong, (45, 80)), blind) == 0


def test_validation_of_a_perfect_and_a_blind_ranking(pools) -> None:
    batches = list(validation_batches(pools[1], 4))

    class Oracle(torch.nn.Module):
        config = None

        def forward(self, state: torch.Tensor, views: torch.Tensor) -> object:
            batch = next(b for b in batches if b.views is views)

            class Maps:
                @staticmethod
                def values(config: object) -> torch.Tensor:
                    return torch.from_numpy(-batch.cost_m)

            return Maps()

    result = validate(Oracle(), batches, Temperature())
    assert result.top1 == 1.0 and result.regret_m == 0.0 and result.random_regret_m > 0.005
    assert result.states == len(pools[1])
    assert validate(Oracle(), [], Temperature()) is None


# --- runs


def test_training_learns_to_rank_what_it_saw(pools, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=150, channels=16, states_per_batch=8, views_per_state=8, learning_rate=5e-3)
    report = train(pools[0], pools[0], config, tmp_path / "a.safetensors")
    assert report.validation.regret_m < 0.5 * report.validation.random_regret_m
    checkpoint = load_checkpoint(report.checkpoint)
    assert checkpoint.card["steps"] == 150 and checkpoint.card["validation"]["top1"] == report.validation.top1
    assert checkpoint.network.reading == "window" and checkpoint.actions == "fine"
    assert (tmp_path / "a.png").stat().st_size > 1000
    with (tmp_path / "a.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["150"]


def test_the_papers_objective_runs_and_reads_the_maximum(pools, tmp_path: Path) -> None:
    report = train(*pools, replace(CONFIG, objective="paper"), tmp_path / "a.safetensors", actions="paper")
    checkpoint = load_checkpoint(report.checkpoint)
    assert (checkpoint.network.reading, checkpoint.actions) == ("max", "paper")


def test_runs_repeat_and_interrupted_runs_go_on_exactly(pools, tmp_path: Path) -> None:
    train(*pools, CONFIG, tmp_path / "whole.safetensors")
    out = tmp_path / "parts.safetensors"
    for stop in (2, 5):
        with pytest.raises(KeyboardInterrupt):
            train(*pools, CONFIG, out, progress=Stop(stop))
        assert load_checkpoint(out).card["steps"] == stop, "what was learned so far can be used"
    report = train(*pools, CONFIG, out)
    assert report.steps == 6
    assert_equal_weights(out, tmp_path / "whole.safetensors")
    assert not list(tmp_path.glob("*.unfinished*")) and not list(tmp_path.glob("*.partial"))


def test_an_unfinished_run_of_something_else_is_refused(pools, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(*pools, CONFIG, out, progress=Stop(1))
    with pytest.raises(TrainingError, match="another configuration"):
        train(*pools, replace(CONFIG, learning_rate=1e-4), out)
    with pytest.raises(TrainingError, match="other data"):
        train(pools[1], pools[0], CONFIG, out)
    with pytest.raises(CheckpointError, match="fits"):
        train(*pools, replace(CONFIG, channels=8), out)


def test_too_few_states_and_a_diverging_loss_are_errors(pools, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="fewer than one batch"):
        train(*pools, replace(CONFIG, states_per_batch=10_000), tmp_path / "a.safetensors")
    with pytest.raises(TrainingError, match="lower"):
        train(*pools, replace(CONFIG, learning_rate=1e30, steps=20), tmp_path / "b.safetensors")


def test_without_anything_held_out_training_still_works(shards: list[Path], tmp_path: Path) -> None:
    report = train(*load_pools(shards[:1], 0.1), CONFIG, tmp_path / "a.safetensors")
    assert report.validation is None
