"""The whole tracker on rendered clips with exact truth, and with what goes wrong in kitchens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rendered_clip import handheld_path, render, tabletop, texture

from processing.accuracy import compare
from processing.tracking.direct import UNKNOWN, DirectFit
from processing.tracking.keyframe_tracker import KeyframeTracker, TrackerConfig
from processing.tracking.trajectory import View, verdict_of
from wildgrasp.geometry import inverse, pose, rotation_angle, so3_exp

RAW = TrackerConfig(refinement=None)


def views(clip, stop=None):
    return [View(f.color, f.depth) for f in clip.frames[:stop]]


def blank(view: View) -> View:
    """A frame in which something covers the lens."""
    return View(np.full_like(view.color, 30), np.zeros_like(view.depth))


def errors_mm(trajectory, truth, frames=slice(None)):
    a = compare(trajectory.T_world_camera[frames], truth[frames])
    return a.ate_mm


@pytest.fixture(scope="module")
def raw(clip):
    return KeyframeTracker(clip.camera, RAW).track(views(clip))


@pytest.fixture(scope="module")
def refined(clip):
    return KeyframeTracker(clip.camera).track(views(clip))


def test_every_frame_is_measured(clip, refined):
    assert len(refined.status) == len(clip.frames)
    assert refined.verdict == "ok"


def test_the_path_is_right_to_a_fifth_of_a_millimetre(clip, refined):
    assert errors_mm(refined, clip.T_world_camera) < 0.2


def test_refinement_does_no_harm_where_there_is_hardly_any_drift(clip, raw, refined):
    assert errors_mm(refined, clip.T_world_camera) < 1.2 * errors_mm(raw, clip.T_world_camera)


def test_sigma_has_the_size_of_the_error(clip, refined):
    error = errors_mm(refined, clip.T_world_camera)
    assert 0.2 * error < 1e3 * np.median(refined.sigma_m) < 3 * error


def test_the_world_is_the_first_camera(refined):
    np.testing.assert_allclose(refined.T_world_camera[0], np.eye(4), atol=1e-12)


def test_tracking_is_deterministic(clip, raw):
    again = KeyframeTracker(clip.camera, RAW).track(views(clip))
    np.testing.assert_array_equal(again.T_world_camera, raw.T_world_camera)


def test_a_short_cover_is_bridged_and_said(clip):
    frames = views(clip, 40)
    frames[20:23] = [blank(v) for v in frames[20:23]]
    result = KeyframeTracker(clip.camera).track(frames)
    assert result.status[20:23] == ["predicted"] * 3
    assert set(result.status[:20] + result.status[23:]) == {"ok"}
    assert errors_mm(result, clip.T_world_camera[:40], [*range(20), *range(23, 40)]) < 1.0
    bridged = np.linalg.norm(result.T_world_camera[20:23, :3, 3] - _truth(clip)[20:23, :3, 3], axis=1)
    assert bridged.max() < 0.02


def test_a_long_cover_is_lost_and_the_place_is_found_again(clip):
    frames = views(clip, 30) + [blank(v) for v in views(clip, 12)] + views(clip, 30)[::-1]
    result = KeyframeTracker(clip.camera).track(frames)
    assert result.status[30:42] == ["lost"] * 12
    assert np.all(np.isinf(result.sigma_m[30:42]))
    known = [*range(30), *range(42, 72)]
    assert all(result.status[i] == "ok" for i in known)
    truth = np.concatenate([clip.T_world_camera[:30], clip.T_world_camera[:12], clip.T_world_camera[29::-1]])
    assert errors_mm(result, truth, known) < 1.0
    assert result.verdict == "partial: 12 of 72 frames lost, 0 predicted"


def test_places_that_never_met_do_not_share_a_world(clip):
    """After a cut to another kitchen only the longer part keeps its poses; the other says that it is lost."""
    rng = np.random.default_rng(77)
    other = render(rng, tabletop(rng, 6), handheld_path(rng, 40)[::4], clip.camera)
    frames = views(clip, 30) + [blank(v) for v in views(clip, 8)] + views(other)
    result = KeyframeTracker(clip.camera).track(frames)
    assert result.status == ["ok"] * 30 + ["lost"] * (8 + len(other.frames))


def test_darkness_is_lost_not_an_error(clip):
    result = KeyframeTracker(clip.camera).track([blank(v) for v in views(clip, 5)])
    assert result.status == ["lost"] * 5
    assert result.verdict.startswith("lost")


def test_no_frames_no_trajectory(clip):
    result = KeyframeTracker(clip.camera).track([])
    assert len(result.T_world_camera) == 0
    assert result.verdict == "lost: the clip has no frames"


def test_an_alignment_is_doubted_that_agrees_less_than_usual_or_moves_the_camera_as_it_hardly_can(clip):
    """A plain surface that was seen during a turn looks almost right where one turns back: the readout tells."""
    tracker = KeyframeTracker(clip.camera, RAW, readout_s=0.016)
    for view in views(clip, 4):
        tracker.register_frame(view)
    keyframe, T = tracker.keyframes[tracker._current], inverse(tracker._T_keyframe_camera)
    expected = tracker._expected_motion(keyframe, T)

    def fit(agreement, surprise):
        rolled = replace(UNKNOWN, twist=expected.twist + surprise * expected.sigma * np.array([0, 0, 0, 0, 0, 1]))
        return DirectFit(T, rolled, np.eye(6), 1000, agreement * tracker._agreement)

    assert tracker._is_doubtful(None, keyframe)
    assert not tracker._is_doubtful(fit(1.0, 0.0), keyframe)
    assert not tracker._is_doubtful(fit(0.95, -4.0), keyframe)
    assert tracker._is_doubtful(fit(0.85, 0.0), keyframe)
    assert tracker._is_doubtful(fit(1.0, -8.0), keyframe)


@pytest.mark.parametrize("turn_deg", [-2.5, 2.5])
def test_a_doubtful_alignment_is_tried_again_from_turns_about_the_prediction(clip, monkeypatch, turn_deg):
    """Where corners tell nothing and the prediction is worthless, the turned start that agrees most is taken."""
    tracker = KeyframeTracker(clip.camera, RAW)
    frames = views(clip, 3)
    tracker.register_frame(frames[0])
    tracker.register_frame(frames[1])
    right, tried = tracker._align, []

    def only_near_the_truth(keyframe, seen, starts):
        """As if valleys were narrow: a start more than a degree off finds nothing."""
        T = inverse(clip.T_world_camera[2]) @ clip.T_world_camera[keyframe.frame]
        near = [s for s in starts if rotation_angle((inverse(T) @ s)[:3, :3]) < np.deg2rad(1.0)]
        tried.append(len(starts))
        return right(keyframe, seen, near)

    monkeypatch.setattr(tracker, "_align", only_near_the_truth)
    monkeypatch.setattr(tracker, "_fit_corners", lambda *_: None)
    true_motion = inverse(clip.T_world_camera[0]) @ clip.T_world_camera[2]
    off = pose(so3_exp(np.deg2rad(turn_deg) * np.array([0.0, 1.0, 0.0])))
    tracker._T_keyframe_camera, tracker._velocity = true_motion @ off, np.zeros(6)
    measured = tracker.register_frame(frames[2])
    assert tried == [2, 6]
    error = inverse(true_motion) @ measured.T_keyframe_camera
    assert 1e3 * np.linalg.norm(error[:3, 3]) < 0.5


def test_what_moves_with_the_camera_must_be_masked_and_masking_it_suffices(clip):
    """Something textured that covers most of the view, fixed in the camera: the majority, and wrong."""
    covered = np.zeros(clip.frames[0].depth.shape, bool)
    covered[90:] = True
    skin = texture(np.random.default_rng(4), *covered.shape)
    unmasked = [
        View(np.where(covered[..., None], skin, v.color), np.where(covered, np.float32(0.4), v.depth))
        for v in views(clip, 30)
    ]
    masked = [replace(v, ignore=covered) for v in unmasked]
    truth = clip.T_world_camera[:30]
    assert errors_mm(KeyframeTracker(clip.camera).track(masked), truth) < 1.5
    assert errors_mm(KeyframeTracker(clip.camera).track(unmasked), truth) > 20


def test_what_is_too_near_is_ignored_without_a_mask(clip):
    covered = np.zeros(clip.frames[0].depth.shape, bool)
    covered[90:] = True
    skin = texture(np.random.default_rng(4), *covered.shape)
    near = [
        View(np.where(covered[..., None], skin, v.color), np.where(covered, np.float32(0.21), v.depth))
        for v in views(clip, 30)
    ]
    assert errors_mm(KeyframeTracker(clip.camera).track(near), clip.T_world_camera[:30]) < 1.5


def test_verdicts_count():
    assert verdict_of(["ok", "ok"]) == "ok"
    assert verdict_of(["ok", "lost", "predicted"]) == "partial: 1 of 3 frames lost, 1 predicted"


def _truth(clip):
    return np.linalg.inv(clip.T_world_camera[0]) @ clip.T_world_camera
