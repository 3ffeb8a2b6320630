"""What a rolling shutter does to a trajectory: poses are re-read once the motion around each frame is known.

While tracking, the motion during a frame's readout is expected to be about that since the frame before. Afterwards it
is known better from the frames before and after. Both are means over longer times than a readout, so the picture itself
has a say: every measurement tells how much more its camera moved than its keyframe's, and how its pose depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from processing.tracking.direct import STILL, Expected
from processing.tracking.keyframes import Keyframe, Measurement, assemble
from wildgrasp.geometry import inverse, se3_exp, se3_log

Array = NDArray[np.float64]

PASSES = 2  # corrected poses give a better motion once more
# A hand's velocity in m/s and rad/s against its mean over a 30th of a second. It differs by more than twice that, but
# what a picture tells of it is surer of itself than it should be: its errors are not independent.
UNREST = np.array([0.01] * 3 + [0.02] * 3)
# Where the mean is over as much time before and after, that shrinks with the time: by half at a thirtieth of a second.
BOTH_SIDES, BOTH_SIDES_MOST = 0.5, 1.0
UNKNOWN_SPEED = 1.0  # m/s and rad/s, where frames around tell nothing


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
    if readout_s <= 0 or not keyframes:
        return keyframes, measurements
    for _ in range(PASSES):
        rough = assemble(keyframes, measurements, bridge_frames, np.zeros(len(measurements)))
        known = np.array([s != "lost" for s in rough.status])
        found, seconds = velocities(rough.T_world_camera, np.array(times_s), known)
        around = [_around(v, s, readout_s) for v, s in zip(found, seconds, strict=True)]
        motions = agreed_motions(keyframes, measurements, around)
        moved = [replace(k, motion=motions[k.frame]) for k in keyframes]
        changes = [new.motion.twist - old.motion.twist for new, old in zip(moved, keyframes, strict=True)]
        measurements = [
            None if m is None else corrected(m, motions[n].twist, changes[m.keyframe])
            for n, m in enumerate(measurements)
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


def _around(velocity: Array, seconds: float, readout_s: float) -> Expected:
    """Of a camera during a readout, given its mean velocity over the seconds before and after."""
    if seconds == 0:
        return Expected(np.zeros(6), np.full(6, readout_s * UNKNOWN_SPEED))
    one_side = expected_motion(velocity, seconds, readout_s)
    return replace(one_side, sigma=min(BOTH_SIDES * 30 * seconds, BOTH_SIDES_MOST) * one_side.sigma)


def agreed_motions(
    keyframes: Sequence[Keyframe], measurements: Sequence[Measurement | None], around: Sequence[Expected]
) -> list[Expected]:
    """The motion during each frame's readout that all pictures and the frames around let expect together.

    A picture compared with a keyframe shows how much more its camera moved than the keyframe's did. A motion that all
    share leaves no trace in pictures, so that only the poses around tell of it: of all frames together, not one by one.
    """
    n = len(measurements)
    H = np.array([np.diag(e.sigma**-2) for e in around])
    g = np.array([e.twist / e.sigma**2 for e in around])
    rows, columns, blocks = [np.arange(n)], [np.arange(n)], [H]
    for frame, m in enumerate(measurements):
        if m is None or (other := keyframes[m.keyframe]).frame == frame:
            continue
        information = m.rolled.information
        more = m.rolled.seen - information @ other.motion.twist
        H[[frame, other.frame]] += information
        g[frame] += more
        g[other.frame] -= more
        rows.append(np.array([frame, other.frame]))
        columns.append(np.array([other.frame, frame]))
        blocks.append(-np.array([information, information]))
    at = np.concatenate(rows), np.concatenate(columns)
    r, c = np.mgrid[:6, :6]
    r, c = (6 * index[:, None, None] + offset for index, offset in zip(at, (r, c), strict=True))
    whole = coo_matrix((np.concatenate(blocks).ravel(), (r.ravel(), c.ravel())), (6 * n, 6 * n)).tocsc()
    twists = splu(whole).solve(g.ravel()).reshape(n, 6)
    sigmas = np.sqrt(np.diagonal(np.linalg.inv(H), axis1=1, axis2=2))
    return [Expected(t, s) for t, s in zip(twists, sigmas, strict=True)]


def corrected(m: Measurement, twist: Array, keyframe_change: Array) -> Measurement:
    """A measurement for another motion of its camera, and a change of its keyframe's.

    Both pictures lean alike where both cameras move alike, so that the keyframe's change counts the other way.
    """
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
