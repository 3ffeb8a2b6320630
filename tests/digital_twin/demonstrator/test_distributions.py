"""What the page says of simulated people is what the truth of their takes says."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.demonstrator.distributions import distributions, distributions_png
from wildgrasp.geometry import pose, so3_exp, to_vector


def truth():
    """Two attempts: straight down with 20 mm, sideways along x with nothing; a reach of 0.3 m in 1 s each."""
    down, along_x = so3_exp(np.array([np.pi, 0.0, 0.0])), so3_exp(np.array([0.0, np.pi / 2, 0.0]))
    t_ns = (np.arange(62) * 1e9 / 30).astype(np.int64)
    x = np.concatenate([np.linspace(0, 0.3, 31), np.linspace(0.3, 0.6, 31)])
    cameras = pose(t=np.stack([x, 0 * x, 0 * x], axis=1))
    phases = np.array((["approach"] * 31 + ["close"]) * 2)[: len(x)]
    phases[31], phases[-1] = "close", "approach"
    return {
        "attempt_T_world_fingertip": to_vector(np.stack([pose(down), pose(along_x)])),
        "attempt_outcome": np.array(["held", "empty"]),
        "attempt_width_m": np.array([0.02, 0.0]),
        "attempt_object": np.array([0, 1]),
        "object_kinds": np.array(["mug", "ball"]),
        "T_world_camera": to_vector(cameras),
        "t_ns": t_ns,
        "phases": phases,
    }


def test_directions_widths_speeds_and_outcomes():
    d = distributions([truth(), truth()])
    assert d.tilt_deg == pytest.approx([0, 90, 0, 90], abs=1e-4)
    assert d.heading_deg[1] == pytest.approx(0.0, abs=1e-6)
    assert d.width_m == pytest.approx([0.02, 0.02])
    assert d.speed_m_s == pytest.approx([0.3] * 4, rel=1e-2)
    assert d.outcomes == {"held": 2, "empty": 2}


def test_the_picture_is_a_picture():
    assert distributions_png([truth()]).startswith(b"\x89PNG")
