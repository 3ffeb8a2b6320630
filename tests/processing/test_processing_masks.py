"""Masks on a rendered pick whose gripper and object are known to the pixel."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from processing.behind import object_evidence
from processing.ego_motion import ClipImages, coarse_score
from processing.fingers import GripperLook, gripper_surface, looks_like_gripper, visible_gripper
from processing.mask_config import MaskConfig, OutlineConfig
from processing.masks import carry_to, median_depth, object_mask, static_mask, visible_at
from processing.outline import follow_edges
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_CAMERA_FINGERTIP, gripper_mask

CONFIG = replace(MaskConfig(), bridge_px=9, min_area_px=60, reach_px=30)  # the pixels of 320 × 240


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


@pytest.fixture(scope="module")
def gripper(pick, hold):
    """Pixels of the gripper at the grasp, told by depth."""
    width = pick.openings[pick.frame_grasp] * MAX_OPENING_M
    return visible_gripper(pick.clip.camera, NOMINAL_T_CAMERA_FINGERTIP, width, median_depth(hold.depths), 1)


TIP = NOMINAL_T_CAMERA_FINGERTIP[:3, 3]


def test_the_held_object_is_found(pick, hold, gripper):
    camera = pick.clip.camera
    found = object_mask(hold, camera, gripper, gripper, camera.project(TIP), CONFIG)
    truth, frame = pick.object_masks[pick.frame_grasp], pick.clip.frames[pick.frame_grasp]
    assert found.reason == "ok"
    assert iou(found.mask, truth) > 0.9
    assert iou(visible_at(found.mask, hold, frame.color, frame.depth, gripper, CONFIG), truth) > 0.9


def test_the_object_is_found_without_any_depth_of_its_own(pick, hold, gripper):
    """Nearer than stereo measures, with its shadow: depth is only known well away from it."""
    camera, truth = pick.clip.camera, pick.object_masks[pick.frame_grasp]
    u = np.flatnonzero(truth.any(axis=0))
    unknown = np.zeros_like(truth)
    unknown[:, u.min() - 20 : u.max() + 3] = True
    blind = replace(hold, depths=[np.where(unknown, np.float32(0), d) for d in hold.depths])
    found = object_mask(blind, camera, gripper, gripper, camera.project(TIP), CONFIG)
    assert iou(found.mask, truth) > 0.8


def test_what_shows_the_world_behind_is_not_the_object(pick, hold, gripper):
    """The evidence is negative all around the object and positive on it."""
    camera, truth = pick.clip.camera, pick.object_masks[pick.frame_grasp]
    evidence, seen = object_evidence(hold, camera, gripper, camera.project(TIP), CONFIG)
    judged = seen & ~cv2.dilate(gripper.astype(np.uint8), np.ones((9, 9))).astype(bool)
    inside = cv2.erode(truth.astype(np.uint8), np.ones((5, 5))) > 0
    outside = judged & ~(cv2.dilate(truth.astype(np.uint8), np.ones((5, 5))) > 0)
    assert np.mean(evidence[inside & judged] > CONFIG.threshold) > 0.97
    assert np.mean(evidence[outside] < CONFIG.threshold) > 0.97


def test_what_stands_before_the_object_is_not_the_object(pick, hold, gripper):
    """Something passes between camera and object in one frame, measured in depth or nearer than that."""
    frame, whole = pick.clip.frames[pick.frame_grasp], pick.object_masks[pick.frame_grasp]
    shown = visible_at(whole, hold, frame.color, frame.depth, gripper, CONFIG)
    assert iou(shown, whole) > 0.97
    v, _ = np.nonzero(whole)
    covered = np.zeros_like(whole)
    covered[: int(np.percentile(v, 40))] = True
    color = np.where(covered[..., None], np.uint8([200, 40, 40]), frame.color)
    for depth in (0.16, 0.0):
        measured = np.where(covered, np.float32(depth), frame.depth)
        shown = visible_at(whole, hold, color, measured, gripper, CONFIG)
        assert iou(shown, whole & ~covered) > 0.93


def test_an_outline_moves_to_the_edge_that_a_frame_shows():
    """A disc found two pixels aside and too large is found exactly; where nothing is to be seen it stays."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:120, :160]
    disc = np.hypot(u - 80, v - 60) < 30
    color = np.where(disc[..., None], [150, 90, 60], [110, 120, 90]) + rng.normal(0, 4, (120, 160, 3))
    color = np.clip(color, 0, 255).astype(np.uint8)
    start = np.hypot(u - 82, v - 61) < 31.5
    everywhere, config = np.ones_like(disc), OutlineConfig(rounds=6)
    assert iou(start, disc) < 0.9
    assert iou(follow_edges(start, color, everywhere, config), disc) > 0.985
    blank = np.full_like(color, 120)
    np.testing.assert_array_equal(follow_edges(start, blank, everywhere, config), start)
    np.testing.assert_array_equal(follow_edges(start, color, np.zeros_like(disc), config), start)


def test_nothing_is_held_in_the_approach(pick):
    """The same question asked of a time in which the box still stands on the table."""
    camera = pick.clip.camera
    gripper = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, MAX_OPENING_M)
    tip = camera.project(NOMINAL_T_CAMERA_FINGERTIP[:3, 3])
    found = object_mask(images(pick, range(0, 33, 3)), camera, gripper, gripper, tip, CONFIG)
    assert not found.mask.any()
    assert "nothing" in found.reason


def test_a_camera_that_stands_still_cannot_tell(pick):
    still = ClipImages(
        [pick.clip.frames[0].color] * 8,
        [pick.clip.frames[0].depth] * 8,
        np.tile(np.eye(4), (8, 1, 1)),
        np.arange(8) / 4,
    )
    assert not coarse_score(still, pick.clip.camera, CONFIG).any()
    nothing = np.zeros((240, 320), bool)
    found = object_mask(still, pick.clip.camera, nothing, nothing, np.array([160.0, 180.0]), CONFIG)
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


def test_gripper_surface_covers_its_outline(camera):
    for opening in (0.0, 0.05, MAX_OPENING_M):
        depth, slides = gripper_surface(camera, NOMINAL_T_CAMERA_FINGERTIP, opening)
        outline = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, opening, margin_px=0)
        assert iou(np.isfinite(depth), outline) > 0.97
        assert depth.min() > 0.01
        assert np.all(np.isfinite(depth[slides != 0]))


def test_what_is_in_front_of_the_fingers_is_not_the_gripper(camera):
    depth, _ = gripper_surface(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05)
    measured = np.where(np.isfinite(depth), depth, 0).astype(np.float32)
    whole = visible_gripper(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05, measured, 0)
    measured[:, :160] -= np.float32(0.02)
    half = visible_gripper(camera, NOMINAL_T_CAMERA_FINGERTIP, 0.05, np.maximum(measured, 0), 0)
    np.testing.assert_array_equal(half[:, 160:], whole[:, 160:])
    hidden = whole[:, :160] & (measured[:, :160] > 0)
    assert not half[:, :160][hidden].any()


def test_the_gripper_is_known_again_with_its_fingers_elsewhere(pick):
    """By its colours alone: at the grasp its fingers have moved, and the object covers a part of them."""
    camera, grasp = pick.clip.camera, pick.frame_grasp
    look = GripperLook(np.median([f.color for f in pick.clip.frames[:30:3]], axis=0).astype(np.uint8), MAX_OPENING_M)
    width = pick.openings[grasp] * MAX_OPENING_M
    color = pick.clip.frames[grasp].color
    alike = looks_like_gripper([color], look, camera, NOMINAL_T_CAMERA_FINGERTIP, width, 20.0)
    truth = pick.clip.in_camera[grasp]
    outline = gripper_mask(camera, NOMINAL_T_CAMERA_FINGERTIP, width, 0)
    assert alike[truth & outline].mean() > 0.9
    before_it = np.zeros_like(truth)
    before_it[int(0.5 * camera.height) : int(0.7 * camera.height), : camera.width // 2] = True
    held_before_it = cv2.erode((outline & before_it).astype(np.uint8), np.ones((3, 3))) > 0
    assert held_before_it.sum() > 100
    painted = color.copy()
    painted[before_it] = [230, 200, 60]
    alike = looks_like_gripper([painted], look, camera, NOMINAL_T_CAMERA_FINGERTIP, width, 20.0)
    assert alike[held_before_it].mean() < 0.05


def test_median_depth_needs_half_of_the_frames():
    a = np.array([[1.0, 0.0, 0.0]], np.float32)
    b = np.array([[2.0, 2.0, 0.0]], np.float32)
    c = np.array([[3.0, 4.0, 5.0]], np.float32)
    np.testing.assert_array_equal(median_depth([a, b, c]), [[2.0, 4.0, 0.0]])
