"""What a rolling shutter does to a trajectory: poses are re-read once the motion around each frame is known.

While tracking, the motion during a frame's readout can only be extrapolated. Afterwards it is known from the frames
before and after, and every measurement tells how its pose depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processing.tracking.keyframes import Keyframe, Measurement, assemble
from wildgrasp.geometry import inverse, se3_exp, se3_log

Array = NDArray[np.float64]

PASSES = 2  # corrected poses give a better motion once more


def correct_rolling(
    keyframes: Sequence[Keyframe],
    measurements: Sequence[Measurement | None],
    times_s: Sequence[float],
    readout_s: float,
    bridge_frames: int,
) -> tuple[list[Keyframe], list[Measurement | None]]:
    """Keyframes and measurements for the camera's true motion during each readout of ``readout_s`` seconds."""
    keyframes, measurements = list(keyframes), list(measurements)
    if readout_s <= 0:
        return keyframes, measurements
    for _ in range(PASSES):
        rough = assemble(keyframes, measurements, bridge_frames, np.zeros(len(measurements)))
        known = np.array([s != "lost" for s in rough.status])
        twists = readout_s * velocities(rough.T_world_camera, np.array(times_s), known)
        changes = [twists[k.frame] - k.twist for k in keyframes]
        measurements = [
            None if m is None else _corrected(m, twists[n], changes[m.keyframe]) for n, m in enumerate(measurements)
        ]
        keyframes = _rehung([replace(k, twist=twists[k.frame]) for k in keyframes], measurements)
    return keyframes, measurements


def velocities(T_world_camera: Array, times_s: Array, known: NDArray[np.bool_]) -> Array:
    """Velocity [N, 6] of poses [N, 4, 4] in their own frames, from those around each; 0 where these are unknown."""
    n = len(times_s)
    before, after = np.maximum(np.arange(n) - 1, 0), np.minimum(np.arange(n) + 1, n - 1)
    seconds = times_s[after] - times_s[before]
    good = known & known[before] & known[after] & (seconds > 0)
    found = np.zeros((n, 6))
    if good.any():
        moved = se3_log(inverse(T_world_camera[before[good]]) @ T_world_camera[after[good]])
        found[good] = moved / seconds[good, None]
    return found


def _corrected(m: Measurement, twist: Array, keyframe_change: Array) -> Measurement:
    """A measurement for other motions of its camera and of its keyframe's.

    Both pictures lean alike where both cameras move alike, so that the keyframe's change counts the other way.
    """
    own, other = se3_exp(m.per_twist @ (twist - m.twist)), se3_exp(-m.per_twist @ keyframe_change)
    T_camera_keyframe = own @ inverse(m.T_keyframe_camera) @ other
    return replace(m, T_keyframe_camera=inverse(T_camera_keyframe), twist=twist)


def _rehung(keyframes: list[Keyframe], measurements: Sequence[Measurement | None]) -> list[Keyframe]:
    """Keyframes at the poses that their corrected measurements give them."""
    for n, k in enumerate(keyframes):
        m = measurements[k.frame]
        if m is not None and m.keyframe != n:
            keyframes[n] = replace(k, T_world_camera=keyframes[m.keyframe].T_world_camera @ m.T_keyframe_camera)
    return keyframes
