"""Looking at things: the camera sees them, from the open, the hand turned no more than it must be."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.demonstrator.gaze import HALF_TURN, gaze, nearest_turn
from digital_twin.world.gripper_model import CAMERA
from digital_twin.world.workplace import Workplace
from wildgrasp import rig
from wildgrasp.geometry import inverse, pose, rotation_angle, so3_exp, transform

SHELF = Workplace(inward=(0.0, 1.0, 0.0), camera_room=((-0.7, -1.3, 0.0), (0.7, -0.2, 1.0)))


@pytest.mark.parametrize("workplace", [Workplace(), SHELF], ids=["table", "shelf"])
def test_the_camera_sees_the_target_from_the_open(workplace):
    rng = np.random.default_rng(0)
    target = np.array([0.05, 0.05, 0.15])
    for _ in range(20):
        T_like = pose(workplace.R_looking @ so3_exp(rng.normal(size=3) * 0.5))
        T = gaze(workplace, rng, target, T_like, 0.5, 0.2)
        T_world_camera = T @ rig.NOMINAL_T_FINGERTIP_CAMERA
        assert workplace.in_the_open(T, T_world_camera)
        (seen,) = transform(inverse(T_world_camera), target[None])
        assert np.linalg.norm(seen) == pytest.approx(0.5)
        u, v = CAMERA.project(seen[None])[0]
        assert 0 < u < CAMERA.width and 0 < v < CAMERA.height


def test_the_fingers_change_places_when_that_is_less_of_a_turn():
    T = pose(so3_exp(np.array([0.1, 0.2, 0.0])), np.array([1.0, 2.0, 3.0]))
    assert nearest_turn(T @ HALF_TURN, T) == pytest.approx(T)
    assert nearest_turn(T, T) == pytest.approx(T)
    rng = np.random.default_rng(1)
    for _ in range(10):
        like = pose(so3_exp(rng.normal(size=3)))
        angles = [float(rotation_angle(like[:3, :3].T @ option[:3, :3])) for option in (T, T @ HALF_TURN)]
        chosen = float(rotation_angle(like[:3, :3].T @ nearest_turn(T, like)[:3, :3]))
        assert chosen == pytest.approx(min(angles))
