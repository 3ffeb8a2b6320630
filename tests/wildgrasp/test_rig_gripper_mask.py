"""The gripper's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildgrasp.geometry import PinholeCamera, inverse, pose, so3_exp, transform
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_boxes, gripper_mask

CAMERA = PinholeCamera.from_hfov(160, 90, np.deg2rad(65.0))


def ray_traced(camera: PinholeCamera, T_camera_fingertip: np.ndarray, opening_m: float) -> np.ndarray:
    """Pixels whose ray meets a box in front of the near plane, by the slab method."""
    rays = camera.points(np.ones((camera.height, camera.width))).reshape(-1, 3)
    T = inverse(T_camera_fingertip)
    d, o = rays @ T[:3, :3].T, T[:3, 3]
    hit = np.zeros(len(rays), bool)
    for box in gripper_boxes(opening_m).values():
        with np.errstate(divide="ignore"):
            a, b = (box.center - box.half - o) / d, (box.center + box.half - o) / d
        enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
        hit |= (enter <= leave) & (leave > 0.011)
    return hit.reshape(camera.height, camera.width)


openings = st.floats(0.0, MAX_OPENING_M)
vectors = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)


@settings(max_examples=30, deadline=None)
@given(openings, vectors, vectors)
def test_covers_every_pixel_that_shows_the_gripper_and_few_more(opening, turn, shift):
    T = pose(so3_exp(0.3 * turn), np.array([0.0, 0.03, 0.25]) + 0.15 * shift)
    mask, truth = gripper_mask(CAMERA, T, opening, margin_px=0), ray_traced(CAMERA, T, opening)
    assert (truth & ~mask).sum() <= 3  # pixels that an outline just touches
    margin = gripper_mask(CAMERA, T, opening, margin_px=1)
    assert not ((mask | truth) & ~margin).any()
    extra = mask & ~truth
    assert extra.sum() <= 0.05 * mask.size
    rows, columns = np.nonzero(extra)
    if truth.any() and len(rows):  # an outline's breadth only
        r, c = np.nonzero(truth)
        gap = np.hypot(rows[:, None] - r, columns[:, None] - c).min(axis=1)
        assert gap.max() <= 5


def test_fingers_come_together_as_the_gripper_closes():
    wide = gripper_mask(CAMERA, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M, margin_px=0)
    shut = gripper_mask(CAMERA, NOMINAL_T_CAMERA_FINGERTIP, 0.0, margin_px=0)
    tip = CAMERA.project(NOMINAL_T_CAMERA_FINGERTIP[:3, 3]).round().astype(int)
    assert not wide[tip[1] : tip[1] + 10, tip[0] - 5 : tip[0] + 6].any()
    assert shut[tip[1] + 2, tip[0] - 2 : tip[0] + 3].all()


def test_the_mask_is_left_right_symmetric_like_the_gripper():
    mask = gripper_mask(CAMERA, NOMINAL_T_CAMERA_FINGERTIP, 0.06)
    assert np.mean(mask != mask[:, ::-1]) < 0.002


@pytest.mark.parametrize("z", [-1.0, -0.25])
def test_a_gripper_behind_the_camera_covers_nothing(z):
    assert not gripper_mask(CAMERA, pose(t=np.array([0.0, 0.0, z])), 0.1).any()


def test_a_gripper_around_the_camera_has_a_defined_mask():
    for corner in transform(pose(), np.array([box.center for box in gripper_boxes(0.1).values()])):
        mask = gripper_mask(CAMERA, pose(t=-corner), 0.1)
        assert mask.shape == (CAMERA.height, CAMERA.width)
