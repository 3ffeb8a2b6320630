"""What was held is set down, or falls: told by what is measured where it was let go."""

from __future__ import annotations

import numpy as np
from rendered_clip import box, draw

from processing.mask_config import MaskConfig
from processing.masks import share_still_there
from wildgrasp.geometry import pose

CONFIG = MaskConfig(fallen_share=0.3)


def let_go(camera, falls_by: float, hidden: bool = False):
    """Depth before and after, seen from two places, of a box that is let go half a metre before the camera."""
    rng = np.random.default_rng(0)
    table = box(rng, np.array([0.0, 0.0, 0.9]), np.array([1.0, 1.0, 0.1]), 0.0)
    thing = box(rng, np.array([0.0, 0.0, 0.5]), np.array([0.05, 0.05, 0.02]), 0.0)
    T_later = pose(t=np.array([0.01, 0.02, -0.05]))
    _, depth, _ = draw([*table, *thing], camera, pose())
    alone = draw(thing, camera, pose())[1] > 0
    later = [r.moved(pose(t=np.array([0.0, 0.0, falls_by]))) for r in thing]
    depth_later = draw([*table, *later], camera, T_later)[1]
    cover = np.full(depth.shape, hidden)
    return share_still_there(alone, depth, pose(), depth_later, T_later, cover, camera, CONFIG)


def test_what_is_set_down_is_still_there(camera):
    assert let_go(camera, falls_by=0.0) > 0.95
    assert let_go(camera, falls_by=0.01) > 0.95


def test_what_falls_is_gone(camera):
    assert let_go(camera, falls_by=0.2) < CONFIG.fallen_share


def test_what_cannot_be_seen_is_not_judged(camera):
    assert let_go(camera, falls_by=0.2, hidden=True) is None
