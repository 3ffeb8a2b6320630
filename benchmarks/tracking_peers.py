"""Other people's RGB-D odometry behind the tracker's interface, for comparison only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable

import cv2
import numpy as np

from processing.tracking.trajectory import Status, Tracker, Trajectory, View
from wildgrasp.geometry import PinholeCamera, pose

NEAR_M, FAR_M = 0.2, 4.0


def peers() -> dict[str, Callable[[PinholeCamera], Tracker]]:
    """The peers that are installed here, by name."""
    found: dict[str, Callable[[PinholeCamera], Tracker]] = {"opencv rgb-d odometry": OpenCVOdometry}
    if importlib.util.find_spec("open3d") is not None:
        found["open3d hybrid odometry"] = Open3DOdometry
    return found


class OpenCVOdometry:
    """cv2.Odometry, colour and depth, frame to frame (Steinbruecker et al. 2011)."""

    def __init__(self, camera: PinholeCamera) -> None:
        settings = cv2.OdometrySettings()
        settings.setCameraMatrix(camera.matrix.astype(np.float32))
        settings.setMinDepth(NEAR_M)
        settings.setMaxDepth(FAR_M)
        self._odometry = cv2.Odometry(cv2.OdometryType_RGB_DEPTH, settings, cv2.OdometryAlgoType_COMMON)

    def track(self, views: Iterable[View]) -> Trajectory:
        def step(before: View, after: View):
            ok, T = self._odometry.compute(_masked(after), after.color, _masked(before), before.color)
            return T if ok else None

        return _chain(views, step)


class Open3DOdometry:
    """Open3D's tensor odometry, hybrid of colour and depth (Park et al. 2017), frame to frame."""

    def __init__(self, camera: PinholeCamera) -> None:
        import open3d

        self._o3d = open3d
        self._intrinsics = open3d.core.Tensor(camera.matrix)

    def track(self, views: Iterable[View]) -> Trajectory:
        o3d = self._o3d

        def image(view: View):
            color = o3d.t.geometry.Image(o3d.core.Tensor(np.ascontiguousarray(view.color)))
            return o3d.t.geometry.RGBDImage(color, o3d.t.geometry.Image(o3d.core.Tensor(_masked(view))))

        def step(before: View, after: View):
            result = o3d.t.pipelines.odometry.rgbd_odometry_multi_scale(
                image(after),
                image(before),
                self._intrinsics,
                o3d.core.Tensor(np.eye(4)),
                1.0,
                FAR_M,
                [o3d.t.pipelines.odometry.OdometryConvergenceCriteria(n) for n in (10, 5, 3)],
                o3d.t.pipelines.odometry.Method.Hybrid,
            )
            return result.transformation.numpy() if result.fitness > 0.1 else None

        return _chain(views, step)


def _masked(view: View) -> np.ndarray:
    """Depth without what must be ignored: these methods look only where there is depth."""
    return view.depth if view.ignore is None else np.where(view.ignore, 0, view.depth).astype(np.float32)


def _chain(views: Iterable[View], step: Callable) -> Trajectory:
    """Poses [N, 4, 4] from motions between consecutive frames; a failed one stands still and is called lost."""
    poses, status, before = [], [], None
    for view in views:
        T = pose() if before is None else step(before, view)
        ok: Status = "ok" if T is not None else "lost"
        poses.append((poses[-1] if poses else pose()) @ (pose() if T is None else T))
        status.append(ok)
        before = view
    n = len(poses)
    return Trajectory(np.array(poses).reshape(n, 4, 4), status, np.full(n, np.nan))
