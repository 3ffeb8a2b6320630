"""Many takes: different homes, objects and hands, over several processes; interrupted, it goes on where it stopped."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from digital_twin.demonstrator.handheld import HandheldConfig
from digital_twin.demonstrator.performance import PerformanceConfig
from digital_twin.demonstrator.person import PersonConfig
from digital_twin.demonstrator.take import TakeConfig, TakeSummary, record_take, truth_path
from digital_twin.demonstrator.truth import load_truth
from digital_twin.world.d415 import PictureConfig
from digital_twin.world.gripper_model import GripperModelConfig
from digital_twin.world.homes import HOMES, HomeName, HomeSettings
from digital_twin.world.objects import Family
from digital_twin.world.shutter import ShutterConfig
from processing.scale.local_pool import LocalPool
from processing.scale.pool import Task, news_of
from processing.scale.scheduler import reports_of
from wildgrasp.one_core import ONE_THREAD


@dataclass(frozen=True)
class SimulateConfig:
    """What to record. Take k of a seed is the same take however many are recorded."""

    attempts: int = 8  # in all
    picks: int = 8  # attempts per take: somebody picks up so much in one place
    scenes: tuple[HomeName, ...] = HOMES  # where; one take after the other
    seed: int = 0
    family: Family = "train"
    objects: Path | None = None  # a folder of meshes (.obj, .stl, .ply) whose objects replace the family
    scale: float = 1.0  # metres per unit of the meshes
    fps: float = 30.0
    place: Literal["aside", "back"] = "back"  # where objects are put down
    clumsiness: float = 0.15  # share of attempts that miss or drop
    moving_shutter: bool = False  # motion blur and rolling shutter: pictures cost about five times as much
    plain_every: int = 0  # every so many takes, if on a table, have one without a pattern; 0: none


def take_folder(out: Path, seed: int, take: int) -> Path:
    return out / f"take_{seed:04d}_{take:06d}"


def take_config(config: SimulateConfig, take: int) -> TakeConfig:
    """Configuration of one take: the scene, the device and the person vary from take to take."""
    rng = np.random.default_rng([config.seed, take])
    scene_seed = int(rng.integers(2**31))
    plain = config.plain_every and take % config.plain_every == config.plain_every - 1
    handheld = HandheldConfig(
        n_objects=int(rng.integers(4, 9)),
        family=config.family,
        home=config.scenes[take % len(config.scenes)],
        settings=HomeSettings(
            arrangement="pile" if rng.random() < 0.25 else "scattered",
            table_height_m=float(rng.uniform(0.68, 0.82)),
            table="plain" if plain else "patterned",
        ),
        meshes=config.objects,
        mesh_scale=config.scale,
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


def record_attempts(out: Path, config: SimulateConfig, workers: int = 1) -> Iterator[TakeSummary]:
    """Record takes into ``out`` until they hold the attempts asked for, yielding each when it is done.

    Takes that are there count, so an interrupted call goes on. Where little can be grasped a take holds fewer attempts
    than asked for: then there are more takes. Ends early when a whole round of takes brings no attempt. Raises whatever
    a take raises; takes that are done are kept.
    """
    done = attempts_there(out, config.seed)
    take = 0
    while done < config.attempts:
        numbers = []
        while len(numbers) < -(-(config.attempts - done) // config.picks):
            if not take_folder(out, config.seed, take).is_dir():
                numbers.append(take)
            take += 1
        before = done
        for summary in record_takes(out, config, numbers, workers):
            done += summary.attempts
            yield summary
        if done == before:
            return


def record_takes(out: Path, config: SimulateConfig, takes: Sequence[int], workers: int = 1) -> Iterator[TakeSummary]:
    """Record what is missing of numbered takes into ``out``, yielding each when it is done.

    With several workers, a take whose process dies is begun anew. Raises UserError when one could not be recorded in
    several tries.
    """
    out.mkdir(parents=True, exist_ok=True)
    missing = [_Take(out, config, k) for k in takes if not take_folder(out, config.seed, k).is_dir()]
    # llvmpipe draws on the caller's thread: a thread of its own costs a twentieth of a picture and gains nothing here.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if workers <= 1 or len(missing) <= 1:
        return map(_record, missing)
    variables = ONE_THREAD | {"LP_NUM_THREADS": os.environ["LP_NUM_THREADS"]}
    return reports_of(missing, LocalPool(workers, news_of, _record, variables=variables))


def attempts_there(out: Path, seed: int) -> int:
    """How many attempts the takes of a seed in a folder hold already."""
    takes = [path for path in out.glob(f"take_{seed:04d}_??????") if path.is_dir()]
    return sum(len(load_truth(truth_path(take))["attempt_outcome"]) for take in takes)


@dataclass(frozen=True)
class _Take(Task):
    """A take to be recorded, by any process."""

    out: Path
    config: SimulateConfig
    number: int

    def __str__(self) -> str:
        return take_folder(self.out, self.config.seed, self.number).name


def _record(take: _Take) -> TakeSummary:
    gc.freeze()  # what is there by now stays: else the collector walks through every library again and again
    return record_take(take_folder(take.out, take.config.seed, take.number), take_config(take.config, take.number))
