"""What policies share: the fused scene, seen through the wrist camera, without the gripper in the picture."""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.scene.scene import make_scene
from grasp_policy.scene.surface import SurfacePoints
from grasp_policy.scene.tsdf import Volume
from grasp_policy.scene.views import Views
from wildgrasp.geometry import PinholeCamera, inverse
from wildgrasp.rig import MAX_OPENING_M, NOMINAL_T_FINGERTIP_CAMERA, gripper_mask


class SceneObserver:
    """Fuses observations of one episode and answers what the camera would see.

    ``workspace`` is the volume to fuse in the base frame; without one, a volume is put around the middle of the first
    image that has depth. ``opening_m`` is the gripper's opening while it approaches: its pixels are left out.
    ``device``: ``cpu``, or where torch shall fuse and render, such as ``cuda``. One thread may observe while another
    renders.
    """

    def __init__(
        self,
        workspace: Volume | None = None,
        T_fingertip_camera: NDArray[np.float64] = NOMINAL_T_FINGERTIP_CAMERA,
        opening_m: float = MAX_OPENING_M,
        device: str = "cpu",
    ) -> None:
        self.T_fingertip_camera = np.array(T_fingertip_camera, np.float64)
        self.opening_m = opening_m
        self.fuse_ms = 0.0  # of the latest observation
        self._placed = workspace is not None
        self._device = device
        self._scene = make_scene(workspace, device) if workspace is not None else None
        self._mask: tuple[PinholeCamera, NDArray[np.bool_]] | None = None
        self._lock = threading.Lock()

    def reset(self) -> None:
        with self._lock:
            self.fuse_ms = 0.0
            if not self._placed:
                self._scene = None
            elif self._scene is not None:
                self._scene.reset()

    def observe(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        T_base_camera: NDArray[np.float64],
    ) -> None:
        """Fuse one image pair; see ``TsdfScene.integrate`` for what missing depth and odd poses do."""
        started = time.perf_counter()
        ignore = self._gripper_pixels(camera)
        with self._lock:
            if self._scene is None:
                volume = _volume_ahead(depth, camera, T_base_camera, ignore)
                if volume is None:
                    return
                self._scene = make_scene(volume, self._device)
            self._scene.integrate(color, depth, camera, T_base_camera, ignore)
        self.fuse_ms = 1e3 * (time.perf_counter() - started)

    def views(self, T_base_fingertip: NDArray[np.float64], camera: PinholeCamera = VIEW_CAMERA) -> Views:
        """What the camera would see with the fingertips at poses [N, 4, 4]."""
        poses = np.asarray(T_base_fingertip, np.float64).reshape(-1, 4, 4) @ self.T_fingertip_camera
        with self._lock:
            if self._scene is None:
                return Views.nothing(len(poses), camera.height, camera.width)
            return self._scene.render(camera, poses)

    def surface_points(self) -> SurfacePoints:
        """The fused surface in the base frame."""
        with self._lock:
            return SurfacePoints.none() if self._scene is None else self._scene.surface_points()

    def surface_from(self, T_base_fingertip: NDArray[np.float64]) -> NDArray[np.float64]:
        """Surface points [N, 3] in the fingertip frame."""
        T = inverse(T_base_fingertip)
        return self.surface_points().points @ T[:3, :3].T + T[:3, 3]

    def _gripper_pixels(self, camera: PinholeCamera) -> NDArray[np.bool_]:
        if self._mask is None or self._mask[0] != camera:
            self._mask = camera, gripper_mask(camera, inverse(self.T_fingertip_camera), self.opening_m)
        return self._mask[1]


def _volume_ahead(
    depth: NDArray[np.float32], camera: PinholeCamera, T_base_camera: NDArray[np.float64], ignore: NDArray[np.bool_]
) -> Volume | None:
    """The default volume around the point at median depth on the optical axis; None without depth."""
    measured = depth[np.isfinite(depth) & (depth > 0) & ~ignore]
    if not measured.size:
        return None
    return Volume.around(T_base_camera[:3, 3] + T_base_camera[:3, 2] * float(np.median(measured)))
