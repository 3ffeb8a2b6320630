"""The constants of the masks: one set for all recordings, found on simulated takes (see docs/processing.md)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class OutlineConfig:
    """How an outline follows the colours of one frame."""

    rounds: int = 4  # it moves by at most a pixel in each
    nearby_px: float = 4.0  # how far around a pixel the colours of both sides are averaged
    distinct: float = 15.0  # grey levels: sides that differ by less tell nothing


@dataclass(frozen=True)
class MaskConfig:
    """The threshold is frozen. Residuals are in units of noise, and truncated."""

    pair_s: float = 0.5  # time between the two frames of a pair
    every_s: float = 0.2  # a frame is judged this often
    color_noise: float = 12.0  # grey levels
    disparity_noise_px: float = 0.36  # three standard deviations of the depth camera's
    depth_floor_m: float = 0.009
    same_color: float = 1.0  # less is no difference
    truncate: float = 3.0  # beyond, a difference says no more
    coarse_threshold: float = 0.2  # of the mean score per pair on every fourth pixel
    coarse_suspect: float = 0.1  # above this it is not taken for the world
    threshold: float = 0.9  # of the score against the world behind
    sure: float = 2.0  # and above this a pixel surely belongs to it
    clearly: float = 3.0  # so many times as frequent a colour tells, where the world behind was never seen
    doubtful: float = 0.3  # and above this what an object encloses belongs to it
    unseen: float = 1.5  # how much what was never seen of the world would differ from what is there
    typical_share: float = 0.6  # of the frames, those that speak most for an object: it slips, or is hidden, in others
    changed_color: float = 14.0  # grey levels by which a thing that is covered looks other than in the rest of the hold
    covered_px: int = 15  # narrower than this nothing covers it
    beside_px: int = 25  # so far around an object the colours of what may cover it are looked for
    open_px: int = 5
    close_px: int = 3
    bridge_px: int = 15  # gaps of coarse masks
    min_area_px: int = 150  # smaller than this nothing is an object
    min_motion_m: float = 0.015  # pairs with less motion cannot tell the hypotheses apart
    min_rotation_rad: float = 0.06
    finger_margin_px: int = 1  # around the fingers, where only their shape tells them from what they hold
    finger_color: float = 14.0  # grey levels by which the gripper may look other than in the approach
    max_gripper_fraction: float = 0.45  # of the image
    reach_px: int = 60  # an object touches or nearly touches the fingertips
    settled_m: float = 0.03  # a thing that is set down settles by less, one that falls is gone by more
    fallen_share: float = 0.0  # less than this of its surface still there after the release: it fell. 0: not judged
    same_surface_m: float = 0.015  # carried back, an object's depth must agree this well
    outline: OutlineConfig = field(default_factory=OutlineConfig)
