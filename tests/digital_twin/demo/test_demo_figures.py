"""Pictures of the report: they show what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.demo import figures
from wildgrasp.sessions.codecs import decode_color
from wildgrasp.sessions.events import GripperEvent, ServoSample

TILE = (90 + 2 * 5 + 20, 160 + 2 * 5)  # rows, columns of one view with its frame and caption


@pytest.mark.parametrize("chosen", [0, 17, 34])
def test_the_chosen_view_has_a_red_frame_and_refused_ones_a_grey_one(chosen):
    rng = np.random.default_rng(chosen)
    colors = rng.integers(0, 255, (35, 45, 80, 3), dtype=np.uint8)
    values = rng.normal(size=35).astype(np.float32)
    refused = (chosen + 5) % 35
    values[refused] = np.nan
    picture = decode_color(figures.action_views(colors, np.ones((35, 45, 80), bool), values, chosen))
    assert picture.shape == (5 * TILE[0], 7 * TILE[1], 3)

    def frame(index: int) -> np.ndarray:
        row, column = divmod(index, 7)
        left = column * TILE[1]
        return picture[row * TILE[0] + 2, left + 20 : left + 140].astype(float).mean(axis=0)

    reds = [frame(k)[0] - frame(k)[1] for k in range(35)]
    assert int(np.argmax(reds)) == chosen and reds[chosen] > 120
    assert np.ptp(frame(refused)) < 12


def test_a_strip_brings_pictures_of_different_sizes_to_one_height():
    images = [np.full((480, 640, 3), 80, np.uint8), np.full((360, 640, 3), 160, np.uint8)]
    picture = decode_color(figures.strip(images, ["a", "b"], width=240))
    assert picture.shape[1] == 240 + 6 + 240
    assert picture[40, 100, 0] == pytest.approx(80, abs=6)
    assert picture[40, 400, 0] == pytest.approx(160, abs=6)


def test_the_timeline_is_a_picture_even_of_a_recording_without_events():
    second = 1_000_000_000
    servo = [ServoSample(k * second, 1.0, 0.0, 0.0) for k in range(3)]
    events = [GripperEvent(second, "press")]
    assert figures.timeline(events, servo, [], 0).startswith(b"\x89PNG")
    assert figures.timeline([], servo, [], 0).startswith(b"\x89PNG")
