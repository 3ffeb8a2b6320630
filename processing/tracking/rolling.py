"""What a rolling shutter does to a trajectory: poses are re-read once the motion around each frame is known.

While tracking, the motion during a frame's readout is expected to be about that since the frame before. Afterwards it
is known better from the frames before and after. Both are means over longer times than a readout, so the picture itself
has a say: every measurement tells what it saw of the motion, and how its pose depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processing.tracking.direct import STILL, Expected
from processing.tracking.keyframes import Keyframe, Measurement, assemble
from wildgrasp.geometry import inverse, se3_exp, se3_log

Array = NDArray[np.float64]

PASSES = 2  # corrected poses give a better motion once more
# A hand's velocity in m/s and rad/s against its mean over a 30th of a second. It differs by more than twice that, but
# what a picture tells of it is surer of itself than it should be: its errors are not independent.
UNREST = np.array([0.01] * 3 + [0.02] * 3)
BOTH_SIDES = 0.4  # of that, where the mean is over the time before and after


def expected_motion(velocity: Array, seconds: float, readout_s: float) -> Expected:
    """Of a camera during a readout, given its mean velocity [6] over the seconds before."""
    if readout_s <= 0:
        return STILL
    return Expected(readout_s * velocity, readout_s * UNREST * np.sqrt(max(30 * seconds, 1.0)))


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
        found, seconds = velocities(rough.T_world_camera, np.array(times_s), known)
        around = [expected_motion(v, s, readout_s) for v, s in zip(found, seconds, strict=True)]
        around = [replace(e, sigma=BOTH_SIDES * e.sigma) for e in around]
        motions = [_motion(m, e) if s > 0 else None for m, e, s in zip(measurements, around, seconds, strict=True)]
        moved = [replace(k, motion=motions[k.frame] or k.motion) for k in keyframes]
        changes = [new.motion.twist - old.motion.twist for new, old in zip(moved, keyframes, strict=True)]
        measurements = [
            None if m is None else corrected(m, motions[n], changes[m.keyframe]) for n, m in enumerate(measurements)
        ]
        keyframes = _rehung(moved, measurements)
    return keyframes, measurements


def velocities(T_world_camera: Array, times_s: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Velocity [N, 6] of poses [N, 4, 4] in their own frames, from those around each, and half the time between these
    [N]; 0 and 0 where one of them is unknown."""
    n = len(times_s)
    before, after = np.maximum(np.arange(n) - 1, 0), np.minimum(np.arange(n) + 1, n - 1)
    seconds = times_s[after] - times_s[before]
    good = known & known[before] & known[after] & (seconds > 0)
    found = np.zeros((n, 6))
    if good.any():
        moved = se3_log(inverse(T_world_camera[before[good]]) @ T_world_camera[after[good]])
        found[good] = moved / seconds[good, None]
    return found, np.where(good, seconds / 2, 0.0)


def _motion(m: Measurement | None, around: Expected) -> Expected:
    """The motion that frames around and the picture itself let expect together."""
    if m is None:
        return around
    prior = np.diag(around.sigma**-2)
    information = m.rolled.information + prior
    twist = np.linalg.solve(information, m.rolled.seen + prior @ around.twist)
    return Expected(twist, np.sqrt(np.diag(np.linalg.inv(information))))


def corrected(m: Measurement, motion: Expected | None, keyframe_change: Array) -> Measurement:
    """A measurement for other motions of its camera and of its keyframe's.

    Both pictures lean alike where both cameras move alike, so that the keyframe's change counts the other way.
    """
    twist = m.rolled.twist if motion is None else motion.twist
    own = se3_exp(m.rolled.per_twist @ (twist - m.rolled.twist))
    other = se3_exp(-m.rolled.per_twist @ keyframe_change)
    T_camera_keyframe = own @ inverse(m.T_keyframe_camera) @ other
    seen = m.rolled.seen + m.rolled.information @ keyframe_change
    return replace(m, T_keyframe_camera=inverse(T_camera_keyframe), rolled=replace(m.rolled, twist=twist, seen=seen))


def _rehung(keyframes: list[Keyframe], measurements: Sequence[Measurement | None]) -> list[Keyframe]:
    """Keyframes at the poses that their corrected measurements give them."""
    for n, k in enumerate(keyframes):
        m = measurements[k.frame]
        if m is not None and m.keyframe != n:
            keyframes[n] = replace(k, T_world_camera=keyframes[m.keyframe].T_world_camera @ m.T_keyframe_camera)
    return keyframes
