"""Keyframe poses that agree best with all motions measured between them.

Gauss–Newton over SE(3), one motion with its information per edge. Measured motions are wrong by more than their pixels'
noise says (resampling, light, things that move): each carries a floor of error, and those that contradict the rest
lose their weight (Cauchy).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from wildgrasp.geometry import inverse, se3_exp, se3_log

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PoseGraphConfig:
    floor_m: float = 1e-4  # error of a measured motion that its information does not know of
    floor_rad: float = 2e-4
    cauchy: float = 3.0  # deviations beyond this many standard deviations count ever less
    iterations: int = 15


@dataclass(frozen=True)
class Edge:
    """The motion from keyframe i to keyframe j."""

    i: int
    j: int
    T_j_i: Array  # [4, 4]
    information: Array  # [6, 6] of a left perturbation


@dataclass(frozen=True)
class PoseGraph:
    T_world_camera: Array  # [K, 4, 4]
    sigma_m: Array  # [K] standard deviation of each position, relative to the first of its part
    variance: float  # of the deviations: 1 when the information tells the truth
    weights: Array  # [E] trust in each edge, 0 … 1


def with_floor(information: Array, config: PoseGraphConfig) -> Array:
    """Information [6, 6] of a motion that is also wrong by the floor."""
    floor = np.diag([config.floor_m**2] * 3 + [config.floor_rad**2] * 3)
    return np.linalg.inv(np.linalg.inv(information) + floor)


def optimize(T_world_camera: Array, edges: Sequence[Edge], config: PoseGraphConfig) -> PoseGraph:
    """Adjust poses [K, 4, 4]; the first one of every part that edges connect stays where it is."""
    T, count = T_world_camera.copy(), len(T_world_camera)
    if not edges:
        return PoseGraph(T, np.zeros(count), 1.0, np.zeros(0))
    i, j = np.array([(e.i, e.j) for e in edges]).T
    Z_inverse = inverse(np.array([e.T_j_i for e in edges]))
    information = np.array([with_floor(e.information, config) for e in edges])
    parts = connected_components(coo_matrix((np.ones(len(i)), (i, j)), (count, count)), directed=False)[1]
    fixed = np.unique(parts, return_index=True)[1]
    for _ in range(config.iterations):
        P = inverse(T[j]) @ T[i]
        e = se3_log(P @ Z_inverse)
        squared = np.einsum("ni,nij,nj->n", e, information, e) / 6
        variance = float(
            max(np.median(squared) / 0.89, 1e-12)
        )  # 0.89: median of chi² with 6 degrees of freedom, over 6
        weights = 1 / (1 + squared / variance / config.cauchy**2)
        A = _adjoint(P)  # ∂e/∂(T_i); ∂e/∂(T_j) = −1
        W = weights[:, None, None] * information
        H, g = _assemble(i, j, A, W, e, count, fixed)
        step = -splu(H).solve(g).reshape(-1, 6)
        T = T @ se3_exp(step)
        if np.abs(step).max() < 1e-7:
            break
    return PoseGraph(T, _position_sigma(H, count, fixed) * np.sqrt(variance), variance, weights)


def _assemble(i, j, A: Array, W: Array, e: Array, count: int, fixed: NDArray) -> tuple[csc_matrix, Array]:
    At = np.swapaxes(A, 1, 2)
    WA, We = W @ A, (W @ e[..., None])[..., 0]
    blocks = np.concatenate([At @ WA, W, -At @ W, -WA, np.broadcast_to(1e12 * np.eye(6), (len(fixed), 6, 6))])
    rows, columns = np.concatenate([i, j, i, j, fixed]), np.concatenate([i, j, j, i, fixed])
    r, c = np.mgrid[:6, :6]
    r, c = 6 * rows[:, None, None] + r, 6 * columns[:, None, None] + c
    H = coo_matrix((blocks.ravel(), (r.ravel(), c.ravel())), (6 * count, 6 * count)).tocsc()
    g = np.zeros((count, 6))
    np.add.at(g, i, (At @ We[..., None])[..., 0])
    np.add.at(g, j, -We)
    return H, g.ravel()


def _position_sigma(H: csc_matrix, count: int, fixed: NDArray) -> Array:
    factor, sigma = splu(H), np.zeros(count)
    for k in np.setdiff1d(np.arange(count), fixed):
        unit = np.zeros((6 * count, 3))
        unit[6 * k + np.arange(3), np.arange(3)] = 1.0
        sigma[k] = np.sqrt(np.trace(factor.solve(unit)[6 * k : 6 * k + 3]))
    return sigma


def _adjoint(T: Array) -> Array:
    """Adjoints [N, 6, 6] of poses [N, 4, 4], for twists (v, ω)."""
    R, t = T[:, :3, :3], T[:, :3, 3]
    A = np.zeros((len(T), 6, 6))
    A[:, :3, :3] = A[:, 3:, 3:] = R
    A[:, :3, 3:] = np.cross(t[:, None, :], np.swapaxes(R, 1, 2)).swapaxes(1, 2)  # [t]× R, column by column
    return A
