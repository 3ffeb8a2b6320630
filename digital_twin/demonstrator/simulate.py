"""Many takes: different kitchens, objects and hands, over several processes; interrupted, it goes on where it
stopped.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.person import PersonConfig
from digital_twin.demonstrator.take import TakeConfig, TakeSummary, record_take
from digital_twin.world.d415 import PictureConfig
from digital_twin.world.gripper_model import GripperModelConfig
from digital_twin.world.objects import Family
from digital_twin.world.shutter import ShutterConfig


@dataclass(frozen=True)
class SimulateConfig:
    """What to record. Take k of a seed is the same take whatever the other settings of the run are."""

    takes: int = 1
    picks: int = 3  # attempts per take
    seed: int = 0
    family: Family = "train"
    fps: float = 30.0
    place: Literal["aside", "back"] = "back"  # where objects are put down
    clumsiness: float = 0.0  # share of attempts that miss or drop
    moving_shutter: bool = False  # motion blur and rolling shutter: pictures cost about five times as much
    plain_every: int = 0  # every so many takes stand on a table without a pattern; 0: none does


def take_folder(out: Path, seed: int, take: int) -> Path:
    return out / f"take_{seed:04d}_{take:06d}"


def take_config(config: SimulateConfig, take: int) -> TakeConfig:
    """Configuration of one take: the scene, the device and the person vary from take to take."""
    rng = np.random.default_rng([config.seed, take])
    scene_seed = int(rng.integers(2**31))
    handheld = HandheldConfig(
        n_objects=int(rng.integers(4, 9)),
        family=config.family,
        arrangement="pile" if rng.random() < 0.25 else "scattered",
        table_height_m=float(rng.uniform(0.68, 0.82)),
        table="plain" if config.plain_every and take % config.plain_every == config.plain_every - 1 else "patterned",
        gripper=GripperModelConfig(pad_friction=float(rng.uniform(0.6, 0.95)), force_n=float(rng.uniform(15.0, 30.0))),
    )
    person = PersonConfig(
        place=config.place,
        miss_rate=config.clumsiness / 2,
        drop_rate=config.clumsiness / 2,
        hesitation_rate=float(rng.uniform(0.0, 0.3)),
    )
    picture = PictureConfig(shutter=ShutterConfig() if config.moving_shutter else None)
    return TakeConfig(PerformanceConfig(scene_seed, config.picks, handheld, person), picture, config.fps)


def record_takes(out: Path, config: SimulateConfig, workers: int = 1) -> Iterator[TakeSummary]:
    """Record what is missing of the takes into ``out``, yielding each when it is done.

    Raises whatever a take raises; takes that are done are kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = missing_takes(out, config)
    if workers <= 1 or len(missing) <= 1:
        for take in missing:
            yield _record((out, config, take))
        return
    # Fresh processes: an OpenGL context does not survive a fork. Interrupts are the parent's to handle.
    with multiprocessing.get_context("spawn").Pool(min(workers, len(missing)), _ignore_interrupts) as pool:
        yield from pool.imap_unordered(_record, [(out, config, take) for take in missing])


def missing_takes(out: Path, config: SimulateConfig) -> list[int]:
    """Numbers of the takes that are not there yet."""
    return [k for k in range(config.takes) if not take_folder(out, config.seed, k).is_dir()]


def _record(job: tuple[Path, SimulateConfig, int]) -> TakeSummary:
    out, config, take = job
    return record_take(take_folder(out, config.seed, take), take_config(config, take))


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
