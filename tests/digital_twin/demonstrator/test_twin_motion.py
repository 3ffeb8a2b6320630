"""Reaches start and end at rest where they should; the last stretch to a grasp is straight; tremor is small and
smooth.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digital_twin.demonstrator.motion import Tremor, TremorConfig, approach, min_jerk, reach
from digital_twin.world.scene import TIMESTEP_S
from wildgrasp.geometry import pose, rotation_angle, so3_exp

vectors = st.tuples(*[st.floats(-0.5, 0.5)] * 3).map(np.array)
poses = st.tuples(vectors, vectors).map(lambda v: pose(so3_exp(2 * v[0]), v[1]))


@settings(max_examples=30, deadline=None)
@given(poses, poses, st.floats(0.3, 3.0))
def test_a_reach_ends_where_it_should_and_at_rest(start, end, seconds):
    path = reach(start, end, seconds)
    assert path[-1] == pytest.approx(end, abs=1e-6)
    assert len(path) == round(seconds / TIMESTEP_S)
    steps = np.linalg.norm(np.diff(np.concatenate([start[None], path])[:, :3, 3], axis=0), axis=1)
    distance = np.linalg.norm(end[:3, 3] - start[:3, 3])
    assert steps.max() <= 1.9 * distance / len(path) + 1e-9  # minimum jerk: 1.875 times the mean speed at most
    assert max(steps[0], steps[-1]) <= 0.02 * distance + 1e-9


@settings(max_examples=30, deadline=None)
@given(poses, poses, vectors)
def test_an_approach_comes_in_along_the_axis_of_the_grasp(start, grasp, bend):
    start[:3, 3] = grasp[:3, 3] - 0.4 * grasp[:3, 2] + 0.2 * bend
    path = approach(start, grasp, 0.09, 0.1 * bend, 2.0, turned_by=0.7)
    assert path[-1] == pytest.approx(grasp, abs=1e-6)
    offset = path[:, :3, 3] - grasp[:3, 3]
    back = -offset @ grasp[:3, 2]
    last = (np.linalg.norm(offset, axis=1) < 0.085) & (np.arange(len(path)) > len(path) // 2)
    sideways = np.linalg.norm(offset + back[:, None] * grasp[:3, 2], axis=1)
    assert sideways[last].max() < 1e-3
    turned = rotation_angle(np.swapaxes(path[last][:, :3, :3], -1, -2) @ grasp[:3, :3])
    assert turned.max() < 0.35


def test_minimum_jerk_is_monotone_from_0_to_1():
    s = min_jerk(np.linspace(0, 1, 101))
    assert s[0] == 0.0
    assert s[-1] == pytest.approx(1.0)
    assert (np.diff(s) >= 0).all()


def test_tremor_is_small_smooth_and_the_same_for_the_same_hand():
    config = TremorConfig()
    tremor, same = (Tremor(np.random.default_rng(4), config) for _ in range(2))
    T = np.array([tremor.at(k * TIMESTEP_S) for k in range(5000)])
    deviation = T[:, :3, 3]
    assert 0.5 * config.sway_m < deviation.std(axis=0).mean() < 2.0 * config.sway_m
    assert np.abs(np.diff(deviation, axis=0)).max() < 3e-4
    assert same.at(1.0) == pytest.approx(tremor.at(1.0))
    calm = np.array([tremor.at(k * TIMESTEP_S, share=0.1)[:3, 3] for k in range(5000)])
    assert calm.std() < 0.3 * deviation.std()
