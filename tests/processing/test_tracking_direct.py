"""Direct alignment and the rolling shutter on pictures whose geometry is known exactly."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from processing.tracking.alignment import StereoCamera
from processing.tracking.direct import DirectConfig, Expected, Rolled, align, pick_points, picture
from processing.tracking.keyframes import Measurement
from processing.tracking.rolling import agreed_motions, velocities
from wildgrasp.geometry import se3_exp, se3_log

CONFIG = DirectConfig()
TWIST = np.array([0.002, -0.003, 0.001, 0.004, -0.006, 0.003])  # during a readout


def views(clip, *frames):
    for n in frames:
        f = clip.frames[n]
        yield cv2.cvtColor(f.color, cv2.COLOR_RGB2GRAY), f.depth


@pytest.fixture(scope="module")
def scene(clip):
    camera = StereoCamera(clip.camera)
    (gray_a, depth_a), (gray_b, depth_b) = views(clip, 20, 22)
    T = np.linalg.inv(clip.T_world_camera[22]) @ clip.T_world_camera[20]
    points = pick_points(picture(gray_a, depth_a, camera, CONFIG), camera, CONFIG)
    return camera, points, gray_b, depth_b, T


def test_the_pose_is_found_from_some_pixels_away(scene):
    camera, points, gray, depth, T = scene
    start = se3_exp(np.array([0.003, -0.002, 0.002, 0.003, -0.003, 0.002])) @ T
    fit = align(points, picture(gray, depth, camera, CONFIG), camera, [start], CONFIG)
    error = se3_log(fit.T_camera_reference @ np.linalg.inv(T))
    assert np.linalg.norm(error[:3]) < 3e-4
    assert np.linalg.norm(error[3:]) < 8e-4


def test_exposure_does_not_move_the_pose(scene):
    camera, points, gray, depth, T = scene
    lighter = np.clip(gray * 1.1 + 8, 0, 255).astype(np.uint8)
    fits = [align(points, picture(g, depth, camera, CONFIG), camera, [T], CONFIG) for g in (gray, lighter)]
    between = se3_log(fits[0].T_camera_reference @ np.linalg.inv(fits[1].T_camera_reference))
    assert np.linalg.norm(between[:3]) < 1e-4


def test_nothing_seen_is_no_pose(scene):
    camera, points, gray, depth, T = scene
    covered = picture(np.full_like(gray, 30), np.zeros_like(depth), camera, CONFIG)
    ignored = picture(gray, np.full_like(depth, -1), camera, CONFIG)
    for seen in (covered, ignored):
        assert align(points, seen, camera, [T], CONFIG) is None


def test_where_no_depth_is_measured_colour_suffices(scene):
    """The guess is off; depth is measured in the left fifth of the picture only, as near the grasp."""
    camera, points, gray, depth, T = scene
    little = depth.copy()
    little[:, depth.shape[1] // 5 :] = 0
    start = se3_exp(np.array([0.002, -0.001, 0.001, 0.002, -0.002, 0.001])) @ T
    fit = align(points, picture(gray, little, camera, CONFIG), camera, [start], CONFIG)
    error = se3_log(fit.T_camera_reference @ np.linalg.inv(T))
    assert np.linalg.norm(error[:3]) < 5e-4
    assert fit.seen > 0.8 * len(points)


def test_what_must_not_be_looked_at_has_no_say(scene):
    """Half of the picture shows something else; where that is ignored, it is as if it were not there."""
    camera, points, gray, depth, T = scene
    half = (slice(None), slice(depth.shape[1] // 2, None))
    wrong, ignored = gray.copy(), depth.copy()
    wrong[half], ignored[half] = 255 - gray[half], -1
    fits = [align(points, picture(g, ignored, camera, CONFIG), camera, [T], CONFIG) for g in (gray, wrong)]
    between = se3_log(fits[0].T_camera_reference @ np.linalg.inv(fits[1].T_camera_reference))
    assert np.linalg.norm(between[:3]) < 1e-4  # the blur reaches over the border
    assert fits[0].seen == fits[1].seen < 0.6 * len(points)


def test_the_right_one_of_several_guesses_is_found(scene):
    camera, points, gray, depth, T = scene
    far = [se3_exp(np.array([0.1, 0, 0, 0, sign * 0.3, 0])) @ T for sign in (-1, 1)]
    fit = align(points, picture(gray, depth, camera, CONFIG), camera, [*far, T], CONFIG)
    assert np.linalg.norm(se3_log(fit.T_camera_reference @ np.linalg.inv(T))[:3]) < 3e-4


def test_another_place_is_no_pose(scene):
    camera, points, gray, depth, T = scene
    elsewhere = picture(gray[::-1, ::-1].copy(), np.full_like(depth, 1.5), camera, CONFIG)
    assert align(points, elsewhere, camera, [T], CONFIG) is None


def test_what_a_rolling_shutter_shifts_is_told_from_a_pose(scene):
    """Points that moved on during the readout, seen late: the camera's pose at the middle row is found all the same."""
    camera, points, gray, depth, T = scene
    late = points.late[:, None]
    rolled = points.points + late * (TWIST[:3] + np.cross(TWIST[3:], points.points))  # seen by a rolling reference
    seen_rolled = replace(points, points=rolled)
    at_rest = seen_rolled.at_rest(-TWIST)
    assert np.abs(at_rest.points - points.points).max() < 1e-4
    seen = picture(gray, depth, camera, CONFIG)
    right = align(at_rest, seen, camera, [T], CONFIG)
    wrong = align(seen_rolled, seen, camera, [T], CONFIG)
    errors = [np.linalg.norm(se3_log(f.T_camera_reference @ np.linalg.inv(T))[:3]) for f in (right, wrong)]
    assert errors[0] < 4e-4
    assert errors[1] > 2 * errors[0]


def test_velocities_of_a_steady_motion():
    times = np.arange(6) * 0.1
    v = np.array([0.1, 0.0, -0.2, 0.0, 0.3, 0.1])
    T = np.array([se3_exp(v * t) for t in times])
    found, seconds = velocities(T, times, np.array([True, True, True, True, True, False]))
    np.testing.assert_allclose(found[:4], np.tile(v, (4, 1)), atol=1e-9)
    np.testing.assert_allclose(seconds, [0.05, 0.1, 0.1, 0.1, 0, 0])
    np.testing.assert_array_equal(found[4:], 0)  # beside a frame that is not known


def test_a_wrong_motion_of_the_first_keyframe_is_not_passed_on():
    """Pictures show differences exactly, from keyframes whose motions were all taken for the same wrong one; the frames
    around are right on the mean only. Both together tell the truth."""
    rng = np.random.default_rng(0)
    truth, wrong, sure = rng.normal(0, 0.01, (7, 6)), np.full(6, 0.02), 1e8 * np.eye(6)
    keyframes = [SimpleNamespace(frame=n, motion=Expected(truth[n] + wrong, np.ones(6))) for n in (0, 3)]
    against = [0, 0, 0, 0, 1, 1, 1]
    measurements = [
        Measurement(
            k, np.eye(4), sure, 1.0, Rolled(truth[n] + wrong, np.zeros((6, 6)), sure, sure @ (truth[n] + wrong))
        )
        for n, k in enumerate(against)
    ]
    noise = rng.normal(0, 0.01, (7, 6))
    around = [Expected(t, np.full(6, 0.01)) for t in truth + noise - noise.mean(axis=0)]
    found = np.array([m.twist for m in agreed_motions(keyframes, measurements, around)])
    np.testing.assert_allclose(found, truth, atol=1e-4)
