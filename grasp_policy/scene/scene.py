"""The seam of the fused scene: the same promises on a CPU and on a CUDA device."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grasp_policy.scene.surface import Mesh, SurfacePoints
from grasp_policy.scene.tsdf import TsdfScene, Volume
from grasp_policy.scene.views import Views
from wildgrasp.geometry import PinholeCamera


class Scene(Protocol):
    """What has been seen during one episode; :class:`grasp_policy.scene.tsdf.TsdfScene` says what each call does."""

    volume: Volume

    def reset(self) -> None: ...

    def integrate(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_world_camera: NDArray[np.float64],
        ignore: NDArray[np.bool_] | None = None,
    ) -> int: ...

    def render(self, camera: PinholeCamera, T_world_camera: NDArray[np.float64]) -> Views: ...

    def surface_points(self) -> SurfacePoints: ...

    def mesh(self) -> Mesh: ...


def make_scene(volume: Volume, device: str = "cpu") -> Scene:
    """An empty scene on the CPU, in kernels made for it, or on a device of torch's, such as ``cuda``."""
    if device == "cpu":
        return TsdfScene(volume)
    from grasp_policy.scene.torch_scene import TorchScene

    return TorchScene(volume, device=device)
