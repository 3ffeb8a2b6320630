"""A picture of the whole cell from outside, for filmstrips and reports; no product code sees it."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from wildgrasp.geometry import Array

WIDTH, HEIGHT = 480, 360


class OutsideView:
    """Renders the robot and its table from the operator's side. Belongs to the thread that made it."""

    def __init__(
        self, model: mujoco.MjModel, width: int = WIDTH, height: int = HEIGHT, azimuth_deg: float = 135.0
    ) -> None:
        self._renderer = mujoco.Renderer(model, height, width)
        self._camera, self._near = mujoco.MjvCamera(), mujoco.MjvCamera()
        self._camera.lookat[:] = [-0.1, 0.0, 0.27]
        self._camera.distance, self._camera.azimuth, self._camera.elevation = 1.75, azimuth_deg, -22.0
        self._near.distance, self._near.elevation = 0.45, -20.0

    def render(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """Picture [H, W, 3] RGB of a state whose positions are up to date."""
        self._renderer.update_scene(data, self._camera)
        return self._renderer.render().copy()

    def render_near(self, data: mujoco.MjData, at: Array, along: Array) -> NDArray[np.uint8]:
        """The same, of what is around a point [3], looking along a direction [3] as far as that is level."""
        self._near.lookat[:] = at
        self._near.azimuth = np.rad2deg(np.arctan2(along[1], along[0]))
        self._renderer.update_scene(data, self._near)
        return self._renderer.render().copy()

    def close(self) -> None:
        self._renderer.close()
