"""The paper's tracker: right on an easy clip, and honest where it cannot measure."""

from __future__ import annotations

import numpy as np

from processing.accuracy import compare
from processing.tracking.keyframe_tracker import KeyframeTracker, TrackerConfig
from processing.tracking.methods import make_tracker
from processing.tracking.paper_tracker import PaperTracker
from processing.tracking.trajectory import View


def test_it_follows_a_handheld_clip_to_centimetres(clip):
    frames = [View(f.color, f.depth) for f in clip.frames[:12]]
    result = PaperTracker(clip.camera).track(frames)
    assert result.verdict == "ok"
    assert compare(result.T_world_camera, clip.T_world_camera[:12]).ate_mm < 30


def test_a_covered_lens_is_lost(clip):
    frames = [View(f.color, f.depth) for f in clip.frames[:2]]
    covered = View(np.zeros_like(frames[0].color), np.zeros_like(frames[0].depth))
    result = PaperTracker(clip.camera).track([frames[0], covered, frames[1]])
    assert result.status == ["ok", "lost", "lost"]
    assert np.isinf(result.sigma_m[1])


def test_trackers_go_by_name(clip):
    assert isinstance(make_tracker(clip.camera, TrackerConfig(method="paper")), PaperTracker)
    assert isinstance(make_tracker(clip.camera, TrackerConfig()), KeyframeTracker)
