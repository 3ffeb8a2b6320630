"""Drawing only what may be seen, from near to far, shows what drawing everything shows."""

import mujoco
import numpy as np
import pytest

from digital_twin.demonstrator.handheld import CAMERA, build_handheld_scene, place_hand
from digital_twin.demonstrator.simulate import SimulateConfig, take_config
from digital_twin.world.d415 import D415
from digital_twin.world.drawing_order import DrawingOrder
from digital_twin.world.homes import HOMES
from wildgrasp.geometry import pose, so3_exp


@pytest.mark.parametrize("take", range(len(HOMES)), ids=HOMES)
def test_the_picture_is_that_of_everything(take, monkeypatch):
    performance = take_config(SimulateConfig(), take).performance
    model = build_handheld_scene(performance.seed, performance.handheld).model
    data = mujoco.MjData(model)
    rng = np.random.default_rng(take)
    camera = D415(model, CAMERA, noise=False)
    try:
        for _ in range(3):
            down = so3_exp(np.array([np.pi, 0.0, 0.0])) @ so3_exp(rng.normal(0, 0.7, 3))
            place_hand(model, data, pose(down, np.array([0.0, -0.1, 1.1]) + rng.normal(0, 0.05, 3)), 0.08)
            mujoco.mj_forward(model, data)
            color, depth = camera.exact(data)
            with monkeypatch.context() as patch:
                patch.setattr(DrawingOrder, "_nearest_first", lambda self, data: np.flatnonzero(self._drawable))
                all_color, all_depth = camera.exact(data)
            np.testing.assert_array_equal(depth, all_depth)
            assert np.mean(color != all_color) < 1e-3  # where surfaces coincide, the one drawn last is seen
            assert np.ptp(color) > 50 and np.count_nonzero(depth) > 0.5 * depth.size  # there is something to see
    finally:
        camera.close()
