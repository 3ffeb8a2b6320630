"""The trackers by name."""

from __future__ import annotations

from processing.tracking.keyframe_tracker import KeyframeTracker, TrackerConfig
from processing.tracking.paper_tracker import PaperTracker
from wildgrasp.geometry import PinholeCamera


def make_tracker(
    camera: PinholeCamera, config: TrackerConfig, readout_s: float = 0.0
) -> KeyframeTracker | PaperTracker:
    """The tracker that a configuration names; ``readout_s`` of the camera's rolling shutter."""
    if config.method == "paper":
        return PaperTracker(camera, config.paper)
    return KeyframeTracker(camera, config, readout_s)
