"""The depth camera's errors follow from stereo: they grow with z², and they end at the search range."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.world.gripper_model import CAMERA
from digital_twin.world.stereo import StereoConfig, StereoNoise

SHAPE = (CAMERA.height, CAMERA.width)
F_B = CAMERA.fx * StereoConfig().baseline_m


def measured(z: float, seed: int = 0) -> np.ndarray:
    return StereoNoise(CAMERA, seed).apply(np.full(SHAPE, z, np.float32))


@pytest.mark.parametrize("z", [0.3, 0.5, 1.0, 2.0])
def test_error_of_a_wall_grows_with_the_square_of_its_distance(z):
    depth = measured(z)
    errors = depth[depth > 0] - z
    expected = StereoConfig().disparity_sigma_px * z * z / F_B
    assert errors.std() == pytest.approx(expected, rel=0.1)
    assert abs(errors.mean()) < 0.15 * expected + 1e-5


def test_depth_comes_in_steps_of_a_32nd_pixel_of_disparity():
    depth = measured(0.7).astype(np.float64)
    steps = F_B / depth[depth > 0] * 32
    assert np.abs(steps - np.round(steps)).max() < 0.02


def test_nothing_nearer_than_the_longest_disparity():
    nearest = F_B / 126
    assert nearest == pytest.approx(0.22, abs=0.005)
    assert not measured(nearest * 0.98).any()
    assert measured(nearest * 1.03).any()


def test_the_left_band_that_the_second_camera_misses_is_empty():
    z = 0.5
    band = int(F_B / z)
    depth = measured(z)
    assert not depth[:, : band - 1].any()
    assert (depth[:, band + 2 :] > 0).mean() > 0.99


def test_a_near_edge_hides_the_wall_beside_it():
    exact = np.full(SHAPE, 1.0, np.float32)
    exact[:, 300:400] = 0.4
    depth = StereoNoise(CAMERA, 1).apply(exact)
    shadow = int(F_B / 0.4 - F_B / 1.0)
    assert (depth[:, 300 - shadow + 4 : 296] > 0).mean() < 0.02
    assert (depth[:, 410:] > 0).mean() > 0.99


def test_no_depth_stays_no_depth_and_noise_follows_its_seed():
    assert not StereoNoise(CAMERA, 0).apply(np.zeros(SHAPE, np.float32)).any()
    assert np.array_equal(measured(0.6, 5), measured(0.6, 5))
    assert not np.array_equal(measured(0.6, 5), measured(0.6, 6))
