"""Masks on a rendered pick whose gripper and object are known to the pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processing.fingers import gripper_depth, visible_gripper
from processing.masks import (
    ClipImages,
    MaskConfig,
    carry_to,
    fixed_in_camera_score,
    median_depth,
    object_mask,
    static_mask,
    visible_at,
)
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

CONFIG = replace(MaskConfig(), close_px=9, min_area_px=60, reach_px=30)  # the pixels of 320 × 240


def iou(a, b):
    return np.sum(a & b) / max(np.sum(a | b), 1)


def images(pick, frames) -> ClipImages:
    return ClipImages(
        [pick.clip.frames[i].color for i in frames],
        [pick.clip.frames[i].depth for i in frames],
        pick.clip.T_world_camera[list(frames)],
        np.array(frames) / 30.0,
    )


@pytest.fixture(scope="module")
def hold(pick):
    return images(pick, range(pick.frame_grasp, pick.frame_release, 3))


def test_the_held_object_is_found(pick, hold):
    camera, width = pick.clip.camera, pick.openings[pick.frame_grasp] * MAX_OPENING_M
    gripper = visible_gripper(camera, NOMINAL_T_CAMERA_FINGERTIP, width, median_depth(hold.depths), 1)
    tip = camera.project(NOMINAL_T_CAMERA_FINGERTIP[:3, 3])
    found = object_mask(hold, camera, gripper, tip, CONFIG)
    assert found.reason == "ok"
    assert iou(found.mask, pick.object_masks[pick.frame_grasp]) > 0.9


def test_what_stands_before_the_object_is_not_the_object(pick, hold):
    """Something passes between camera and object in one frame."""
    frame = pick.clip.frames[pick.frame_grasp]
    whole = pick.object_masks[pick.frame_grasp]
    v, _ = np.nonzero(whole)
    covered = np.zeros_like(whole)
    covered[: int(np.median(v))] = True
    depth = np.where(covered, np.float32(0.16), frame.depth)
    np.testing.assert_array_less(0.95, iou(visible_at(whole, hold, frame.depth, CONFIG), whole))
    shown = visible_at(whole, hold, depth, CONFIG)
    assert iou(shown, whole & ~covered) > 0.9


def test_nothing_is_held_in_the_approach(pick):
    """The same question asked of a time in which the box still stands on the table."""
    camera = pick.clip.camera
    gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    tip = camera.project(NOMINAL_T_CAMERA_FINGERTIP[:3, 3])
    found = object_mask(images(pick, range(0, 33, 3)), camera, gripper, tip, CONFIG)
    assert not found.mask.any()
    assert "nothing" in found.reason


def test_a_camera_that_stands_still_cannot_tell(pick):
    still = ClipImages(
        [pick.clip.frames[0].color] * 8,
        [pick.clip.frames[0].depth] * 8,
        np.tile(np.eye(4), (8, 1, 1)),
        np.arange(8) / 4,
    )
    assert not fixed_in_camera_score(still, pick.clip.camera, CONFIG).any()
    found = object_mask(still, pick.clip.camera, np.zeros((240, 320), bool), np.array([160.0, 180.0]), CONFIG)
    assert not found.mask.any()
    assert "hardly moved" in found.reason


def test_the_gripper_is_learned_from_the_pictures(pick):
    seen = static_mask(images(pick, range(0, 36, 3)), pick.clip.camera, None, CONFIG)
    truth = pick.clip.in_camera[0]
    assert np.sum(seen & truth) > 0.8 * truth.sum()
    assert np.sum(seen & ~truth) < 0.02 * truth.size


def test_a_learned_mask_that_would_cover_everything_is_refused(pick):
    wrong = replace(images(pick, range(0, 36, 3)), T_world_camera=pick.clip.T_world_camera[50:86:3])
    assert static_mask(wrong, pick.clip.camera, None, replace(CONFIG, max_gripper_fraction=0.05)).sum() == 0


def test_an_object_is_found_again_in_the_approach(pick):
    frame = pick.frame_press - 6
    carried = carry_to(
        pick.object_masks[pick.frame_grasp],
        pick.clip.T_world_camera[pick.frame_grasp],
        pick.clip.frames[frame].depth,
        pick.clip.T_world_camera[frame],
        pick.clip.camera,
        pick.clip.frames[pick.frame_grasp].depth,
        CONFIG,
    )
    truth = pick.object_masks[frame]
    assert np.sum(carried & truth) > 0.6 * truth.sum()
    assert np.sum(carried & ~truth) < 0.15 * truth.sum()


def test_gripper_depth_covers_its_outline(camera):
    for opening in (0.0, 0.05, MAX_OPENING_M):
        depth = gripper_depth(camera, NOMINAL_T_CAMERA_FINGERTIP, opening)
        outline = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, opening, margin_px=0)
        assert iou(np.isfinite(depth), outline) > 0.97
        assert depth.min() > 0.01


def test_what_is_in_front_of_the_fingers_is_not_the_gripper(camera):
    depth = gripper_depth(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05)
    measured = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    whole = visible_gripper(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05, measured, 0)
    measured[:, :160] -= np.float32(0.02)
    half = visible_gripper(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05, np.maximum(measured, 0), 0)
    np.testing.assert_array_equal(half[:, 160:], whole[:, 160:])
    hidden = whole[:, :160] & (measured[:, :160] > 0)
    assert not half[:, :160][hidden].any()


def test_median_depth_needs_half_of_the_frames():
    a = np.array([[1.0, 0.0, 0.0]], np.float32)
    b = np.array([[2.0, 2.0, 0.0]], np.float32)
    c = np.array([[3.0, 4.0, 5.0]], np.float32)
    np.testing.assert_array_equal(median_depth([a, b, c]), [[2.0, 4.0, 0.0]])
