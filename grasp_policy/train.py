"""Training the Q-network on states from demonstrations, within a budget of minutes or steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from grasp_policy.augmentation import AugmentationConfig
from grasp_policy.batches import Batch, StatePool, training_batch, validation_batches
from grasp_policy.checkpoint import Checkpoint, save_checkpoint
from grasp_policy.network import NetworkConfig, Preset, QNetwork
from grasp_policy.objectives import Objective, Temperature, Validation, paper_loss, softmax_loss, validate
from grasp_policy.precision import Precision, threads, use_bfloat16
from grasp_policy.run_state import RunState, load_run_state, save_run_state
from grasp_policy.training_log import Row, TrainingLog
from wildgrasp.errors import UserError


@dataclass(frozen=True)
class TrainConfig:
    """How to train. A budget in steps makes a run repeatable to the bit; one in minutes adapts to the machine."""

    minutes: float = 20.0
    steps: int | None = None  # if given, instead of minutes
    preset: Preset = "compact"
    channels: int = 32  # width of compact
    objective: Objective = "softmax"
    states_per_batch: int = 16
    views_per_state: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    temperature: Temperature = field(default_factory=Temperature)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    held_out: float = 0.1  # share of sessions kept for validation
    threads: int = 1
    precision: Precision = "auto"
    seed: int = 0
    validate_every_s: float = 60.0
    save_every_s: float = 120.0


@dataclass(frozen=True)
class Progress:
    """Shown while training."""

    fraction: float
    step: int
    loss: float  # smoothed
    views_per_s: float
    validation: Validation | None  # the latest


@dataclass(frozen=True)
class TrainReport:
    """What a finished run reached."""

    checkpoint: Path
    steps: int
    minutes: float
    views_per_s: float
    train_loss: float
    validation: Validation | None


class TrainingError(UserError):
    """Training cannot start or go on."""


def train(
    training: StatePool,
    held_out: StatePool,
    config: TrainConfig,
    out: Path,
    actions: str = "fine",
    progress: Callable[[Progress], None] = lambda progress: None,
) -> TrainReport:
    """Train and write the checkpoint ``out``; beside it the curves (.csv, .png) and, until finished, the run's state.

    Interrupted (Ctrl-C, power cut), the same call goes on from the last save. Raises TrainingError when there is too
    little to train on, the loss is no longer a number, or ``out`` belongs to a run with another configuration or
    other data.
    """
    if len(training) < config.states_per_batch:
        raise TrainingError(
            f"There are {len(training)} training states, fewer than one batch ({config.states_per_batch}). Record "
            "or simulate more sessions, or check why they gave so few (see the list above)."
        )
    with threads(config.threads):
        return _Run(training, held_out, config, out, actions, progress).finish()


class _Run:
    def __init__(
        self,
        training: StatePool,
        held_out: StatePool,
        config: TrainConfig,
        out: Path,
        actions: str,
        progress: Callable[[Progress], None],
    ) -> None:
        self.training, self.held_out, self.config = training, held_out, config
        self.out, self.actions, self.progress = out, actions, progress
        torch.manual_seed(config.seed)
        reading = "max" if config.objective == "paper" else "window"
        self.network = QNetwork(NetworkConfig(config.preset, config.channels, reading))
        self.network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.state_path = out.with_suffix(".unfinished.safetensors")
        self.log = TrainingLog(out.with_suffix(".csv"))
        self.step, self.seconds, self.views, self.loss = 0, 0.0, 0, math.nan
        self.validation: Validation | None = None
        self._resume()

    # --- the loop ---

    def finish(self) -> TrainReport:
        started = time.monotonic() - self.seconds
        next_save = self.seconds + self.config.save_every_s
        next_validation = self.seconds + self.config.validate_every_s
        self.network.train()
        try:
            with self._batches() as next_batch:
                while self._fraction() < 1.0:
                    self._learn(next_batch())
                    self.seconds = time.monotonic() - started
                    if self.seconds >= next_validation:
                        self._validate()
                        self.seconds = time.monotonic() - started
                        next_validation = self.seconds + self.config.validate_every_s
                    if self.seconds >= next_save:
                        self._save()
                        next_save = self.seconds + self.config.save_every_s
                    self.progress(self._progress())
        except KeyboardInterrupt:
            self._save()
            raise
        self._validate()
        save_checkpoint(self.out, self._checkpoint())
        self.log.plot(self.out.with_suffix(".png"))
        self.state_path.unlink(missing_ok=True)
        return TrainReport(self.out, self.step, self.seconds / 60, self._views_per_s(), self.loss, self.validation)

    def _learn(self, batch: Batch) -> None:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(self._fraction(), self.step, config.warmup_steps)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_bfloat16(config.precision)):
            maps = self.network(batch.state, batch.views)
        maps = maps._replace(maps=maps.maps.float())
        if config.objective == "paper":
            loss = paper_loss(maps, batch)
        else:
            loss = softmax_loss(maps, self.network.config, batch, config.temperature)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss is no longer a number at step {self.step}. The last save is kept; train with a lower "
                "--learning-rate, under another --out."
            )
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        self.step += 1
        self.views += batch.views.shape[0] * batch.views.shape[1]

    @contextmanager
    def _batches(self) -> Iterator[Callable[[], Batch]]:
        """Batches in order; the next one is read while the network works on this one."""
        config = self.config

        def make(step: int) -> Batch:
            return training_batch(
                self.training,
                step,
                config.seed,
                config.states_per_batch,
                config.views_per_state,
                config.objective == "paper",
                config.augmentation,
            )

        with ThreadPoolExecutor(1, thread_name_prefix="batches") as executor:
            coming: list[Future[Batch]] = [executor.submit(make, self.step)]

            def next_batch() -> Batch:
                batch = coming.pop().result()
                coming.append(executor.submit(make, self.step + 1))
                return batch

            yield next_batch

    def _fraction(self) -> float:
        if self.config.steps is not None:
            return self.step / max(1, self.config.steps)
        return self.seconds / max(1e-9, 60 * self.config.minutes)

    def _views_per_s(self) -> float:
        return self.views / max(self.seconds, 1e-9)

    def _progress(self) -> Progress:
        return Progress(min(1.0, self._fraction()), self.step, self.loss, self._views_per_s(), self.validation)

    def _validate(self) -> None:
        batches = validation_batches(self.held_out, self.config.states_per_batch)
        self.validation = validate(self.network, batches, self.config.temperature)
        self.network.train()
        rate = self.optimizer.param_groups[0]["lr"]
        self.log.add(Row(self.step, self.seconds / 60, rate, self._views_per_s(), self.loss, self.validation))

    # --- what is kept ---

    def _checkpoint(self) -> Checkpoint:
        card = {
            "objective": self.config.objective,
            "training_states": len(self.training),
            "training_sessions": self.training.sessions,
            "held_out_sessions": self.held_out.sessions,
            "steps": self.step,
            "views": self.views,
            "minutes": round(self.seconds / 60, 2),
            "train_loss": self.loss,
            "validation": None if self.validation is None else asdict(self.validation),
            "config": asdict(self.config),
        }
        return Checkpoint(self.network.config, self.network.state_dict(), self.actions, card)

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must share; the budget may be changed."""
        settings = asdict(replace(self.config, minutes=0.0, steps=None, threads=1))
        return {"config": settings, "actions": self.actions, "data": [self.training.digest, self.held_out.digest]}

    def _save(self) -> None:
        """A checkpoint that can be used as it is, and the state to go on from."""
        save_checkpoint(self.out, self._checkpoint())
        state = RunState(self._identity(), self.step, self.seconds, self.views, self.loss)
        save_run_state(self.state_path, state, self.network, self.optimizer)

    def _resume(self) -> None:
        if not self.state_path.exists():
            self.log.start()
            return
        state = load_run_state(self.state_path, self.network, self.optimizer)
        if state.identity != self._identity():
            raise TrainingError(
                f"{self.state_path} is an unfinished run with another configuration or other data. Give the same ones "
                "to go on, choose another --out, or delete that file to start anew."
            )
        self.step, self.seconds, self.views, self.loss = state.step, state.seconds, state.views, state.loss
        self.log.resume(state.step)


def _schedule(fraction: float, step: int, warmup_steps: int) -> float:
    """Learning rate as a share of its peak: linear warm-up, then a cosine down to 1 %."""
    return min(1.0, (step + 1) / max(1, warmup_steps)) * (0.505 + 0.495 * math.cos(math.pi * min(1.0, fraction)))
