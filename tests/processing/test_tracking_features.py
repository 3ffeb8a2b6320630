"""Corners, optical flow and descriptors on images whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
from rendered_clip import texture

from processing.tracking.features import (
    Descriptors,
    FeatureConfig,
    find_corners,
    follow,
    sample_depth,
    usable_depth,
)

CONFIG = FeatureConfig()


def image(seed: int = 0) -> np.ndarray:
    return cv2.cvtColor(texture(np.random.default_rng(seed), 240, 320), cv2.COLOR_RGB2GRAY)


def test_corners_keep_off_edges_in_depth_and_off_what_is_ignored():
    depth = np.full((240, 320), 0.5, np.float32)
    depth[:, 160:] = 0.8
    depth[:60] = 0.0
    depth[200:] = 0.1  # nearer than the gate
    ignore = np.zeros((240, 320), bool)
    ignore[:, :80] = True
    corners = find_corners(image(), usable_depth(depth, ignore, CONFIG), CONFIG)
    assert len(corners) > 30
    u, v = corners.T
    assert np.all(np.abs(u - 159.5) > 2)
    assert np.all((v >= 60) & (v < 200))
    assert np.all(u >= 80)


def test_no_texture_no_corners():
    depth = np.full((240, 320), 0.5, np.float32)
    assert find_corners(np.zeros((240, 320), np.uint8), depth, CONFIG).shape == (0, 2)


def test_depth_is_the_median_of_what_was_measured():
    depth = np.zeros((10, 10), np.float32)
    depth[4:7, 4:7] = [[0.5, 0.0, 0.501], [0.0, 0.502, 0.503], [0.504, 0.0, 0.505]]
    depth[0:3, 0:3] = 0.5
    depth[2, 2] = 0.7
    at = sample_depth(depth, np.array([[5, 5], [1, 1], [8, 8]], np.float64))
    assert 0.501 <= at[0] <= 0.504  # in the middle of six
    assert at[1] == 0  # they disagree: an edge
    assert at[2] == 0  # nothing there


def test_flow_follows_a_shift_to_a_fraction_of_a_pixel():
    a = image()
    shift = np.array([6.3, -3.7])
    b = cv2.warpAffine(a, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (320, 240), flags=cv2.INTER_CUBIC)
    corners = find_corners(a, np.full((240, 320), 0.5, np.float32), CONFIG)
    found, ok = follow(a, b, corners, corners, CONFIG)
    assert ok.mean() > 0.8
    assert np.median(np.linalg.norm(found[ok] - corners[ok] - shift, axis=1)) < 0.1


def test_flow_into_another_picture_is_refused():
    corners = find_corners(image(0), np.full((240, 320), 0.5, np.float32), CONFIG)
    _, ok = follow(image(0), image(9), corners, corners, CONFIG)
    assert ok.mean() < 0.2


def test_flow_of_nothing_is_nothing():
    found, ok = follow(image(), image(), np.zeros((0, 2)), np.zeros((0, 2)), CONFIG)
    assert found.shape == (0, 2)
    assert ok.shape == (0,)


def test_descriptors_find_the_same_corners_after_a_turn():
    a = image()
    M = cv2.getRotationMatrix2D((159.5, 119.5), 20, 1.0)
    depth = np.full((240, 320), 0.5, np.float32)
    one, other = Descriptors(a, depth), Descriptors(cv2.warpAffine(a, M, (320, 240)), depth)
    pairs = one.match(other)
    expected = one.pixels[pairs[:, 0]] @ M[:, :2].T + M[:, 2]
    near = np.linalg.norm(other.pixels[pairs[:, 1]] - expected, axis=1) < 3
    assert near.sum() > 50


def test_descriptors_of_a_blank_image_match_nothing():
    blank = Descriptors(np.zeros((240, 320), np.uint8), np.ones((240, 320), np.float32))
    full = Descriptors(image(), np.ones((240, 320), np.float32))
    assert blank.match(full).shape == (0, 2)
