"""The shutter that takes time, against motions whose picture is known."""

from __future__ import annotations

import numpy as np

from digital_twin.world.shutter import ShutterConfig, combine

CONFIG = ShutterConfig()
H, W = 60, 80


def moving_edge(speed_px_s: float):
    """Pictures at the instants of an edge that moves to the right, and a wall that comes nearer at 1 m/s."""
    u = np.arange(W)[None, :, None]
    times = CONFIG.instants()
    colors = [np.broadcast_to(np.where(u < 40 + speed_px_s * t, 200, 50), (H, W, 3)).astype(np.uint8) for t in times]
    return colors, [np.full((H, W), 1.0 - t, np.float32) for t in times]


def test_a_still_scene_is_as_it_is():
    colors, depths = moving_edge(0.0)
    color, depth = combine(colors, [depths[3]] * len(depths), CONFIG)
    np.testing.assert_array_equal(color, colors[0])
    np.testing.assert_allclose(depth, depths[3])


def test_rows_see_the_scene_when_they_are_read():
    """The edge leans by speed times readout, and the middle row shows it where it is at the picture's time."""
    colors, _ = moving_edge(1000.0)
    color, _ = combine(colors, [np.ones((H, W), np.float32)] * len(colors), CONFIG)
    edge = np.sum((color[..., 0].astype(float) - 50) / 150, axis=1)  # columns left of the edge
    assert abs((edge[-1] - edge[0]) - 1000 * CONFIG.readout_s) < 1.0
    assert abs((edge[H // 2] + edge[H // 2 - 1]) / 2 - 40) < 0.6


def test_motion_blurs_over_the_exposure():
    colors, _ = moving_edge(1000.0)
    color, _ = combine(colors, [np.ones((H, W), np.float32)] * len(colors), CONFIG)
    mixed = np.sum((color[H // 2, :, 0] > 50) & (color[H // 2, :, 0] < 200))
    assert 4 <= mixed <= 1000 * CONFIG.exposure_s + 1000 * 2 * CONFIG.spacing_s


def test_depth_is_that_of_the_rows_middle():
    _, depths = moving_edge(0.0)
    _, depth = combine([np.zeros((H, W, 3), np.uint8)] * len(depths), depths, CONFIG)
    rows = (np.arange(H) / (H - 1) - 0.5) * CONFIG.readout_s
    np.testing.assert_allclose(depth, np.broadcast_to((1.0 - rows)[:, None], (H, W)), atol=1e-6)
