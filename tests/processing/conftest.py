"""Rendered once, used by many tests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from picked_session import Pick, render_pick
from rendered_clip import Clip, handheld_path, render, tabletop

from wildgrasp.geometry import PinholeCamera

SMALL = PinholeCamera.from_hfov(320, 240, np.deg2rad(65.0))


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def camera() -> PinholeCamera:
    return SMALL


@pytest.fixture(scope="session")
def clip() -> Clip:
    """Two thirds of a handheld visit to a table, with a D415's noise: 60 frames, every second one of 30 fps."""
    rng = np.random.default_rng(5)
    return render(rng, tabletop(rng), handheld_path(rng, 120)[::2], SMALL)


@pytest.fixture(scope="session")
def pick() -> Pick:
    return render_pick(1, SMALL, frames=90)
