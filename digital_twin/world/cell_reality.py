"""How far the simulated robot cell is from its ideal: drawn per episode from a seed, each deviation with its own range.

``nominal`` is a well-kept rig. ``hard`` is a neglected one: a hand–eye calibration that is off by millimetres, slippery
pads and objects, a slow camera, an arm that follows late. Each aspect can be switched off, which changes no other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import mujoco
import numpy as np

from wildgrasp.geometry import Array, pose, so3_exp

Difficulty = Literal["ideal", "nominal", "hard"]
Aspect = Literal["hand-eye", "latency", "motion-lag", "friction", "mass", "force", "noise"]


@dataclass(frozen=True)
class RealityRanges:
    """Ranges that :func:`sample_reality` draws from, uniformly."""

    hand_eye_m: tuple[float, float] = (0.0, 0.0)
    hand_eye_rad: tuple[float, float] = (0.0, 0.0)
    camera_latency_s: tuple[float, float] = (0.0, 0.0)
    motion_lag_s: tuple[float, float] = (0.0, 0.0)
    pad_friction: tuple[float, float] = (0.8, 0.8)
    object_friction_scale: tuple[float, float] = (1.0, 1.0)
    mass_scale: tuple[float, float] = (1.0, 1.0)
    mass_shift_m: tuple[float, float] = (0.0, 0.0)
    force_scale: tuple[float, float] = (1.0, 1.0)
    noise: bool = False


RANGES: dict[Difficulty, RealityRanges] = {
    "ideal": RealityRanges(),
    "nominal": RealityRanges(
        hand_eye_m=(0.0, 0.002),
        hand_eye_rad=(0.0, float(np.deg2rad(0.5))),
        camera_latency_s=(0.03, 0.06),
        motion_lag_s=(0.0, 0.016),
        pad_friction=(0.5, 0.9),
        object_friction_scale=(0.8, 1.0),
        mass_scale=(0.8, 1.25),
        mass_shift_m=(0.0, 0.006),
        force_scale=(0.9, 1.1),
        noise=True,
    ),
    "hard": RealityRanges(
        hand_eye_m=(0.002, 0.004),
        hand_eye_rad=(float(np.deg2rad(0.5)), float(np.deg2rad(1.0))),
        camera_latency_s=(0.06, 0.1),
        motion_lag_s=(0.016, 0.04),
        pad_friction=(0.2, 0.6),
        object_friction_scale=(0.66, 0.8),
        mass_scale=(0.6, 1.7),
        mass_shift_m=(0.004, 0.012),
        force_scale=(0.7, 1.0),
        noise=True,
    ),
}


@dataclass(frozen=True)
class Reality:
    """What one cell deviates by. ``hand_eye`` is a twist (m, rad) of the true camera about its nominal place."""

    hand_eye: tuple[float, float, float, float, float, float] = (0.0,) * 6
    camera_latency_s: float = 0.0
    motion_lag_s: float = 0.0  # of the arm behind its commands
    pad_friction: float = 0.8
    object_friction_scale: float = 1.0  # objects have 0.3–0.8 of their own
    mass_scale: float = 1.0
    mass_shift_m: float = 0.0  # of every object's centre of mass, each in a direction of its own
    force_scale: float = 1.0  # of the grip, against what was commanded
    noise: bool = False  # of colour and depth

    @property
    def T_nominal_camera(self) -> Array:
        """Pose [4, 4] of the true camera in the camera frame that the rig believes in."""
        v = np.array(self.hand_eye)
        return pose(so3_exp(v[3:]), v[:3])


_FIELDS: dict[Aspect, tuple[str, ...]] = {
    "hand-eye": ("hand_eye",),
    "latency": ("camera_latency_s",),
    "motion-lag": ("motion_lag_s",),
    "friction": ("pad_friction", "object_friction_scale"),
    "mass": ("mass_scale", "mass_shift_m"),
    "force": ("force_scale",),
    "noise": ("noise",),
}


def sample_reality(rng: np.random.Generator, difficulty: Difficulty, without: Collection[Aspect] = ()) -> Reality:
    """Draw one cell's deviations; those of the aspects in ``without`` are ideal."""
    ranges = RANGES[difficulty]
    shift = _direction(rng) * rng.uniform(*ranges.hand_eye_m)
    turn = _direction(rng) * rng.uniform(*ranges.hand_eye_rad)
    drawn = Reality(
        hand_eye=tuple(float(v) for v in (*shift, *turn)),
        noise=ranges.noise,
        **{name: float(rng.uniform(*getattr(ranges, name))) for name in _UNIFORM},
    )
    ideal = Reality()
    return replace(drawn, **{name: getattr(ideal, name) for aspect in without for name in _FIELDS[aspect]})


_UNIFORM = (
    "camera_latency_s",
    "pad_friction",
    "motion_lag_s",
    "object_friction_scale",
    "mass_scale",
    "mass_shift_m",
    "force_scale",
)


def change_objects(model: mujoco.MjModel, bodies: Collection[int], reality: Reality, rng: np.random.Generator) -> None:
    """Give the objects of a compiled model the cell's mass, centres of mass and friction."""
    ids = np.array(sorted(bodies), dtype=np.int64)
    model.body_mass[ids] *= reality.mass_scale
    model.body_inertia[ids] *= reality.mass_scale
    for body in ids:
        model.body_ipos[body] += reality.mass_shift_m * _direction(rng)
    geoms = np.isin(model.geom_bodyid, ids)
    model.geom_friction[geoms, 0] *= reality.object_friction_scale
    mujoco.mj_setConst(model, mujoco.MjData(model))  # what follows from the masses


def _direction(rng: np.random.Generator) -> Array:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)
