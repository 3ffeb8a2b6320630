"""Other people's RGB-D odometry behind the tracker's interface, for comparison only."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from processing.tracking.paper_tracker import PaperTracker
from processing.tracking.trajectory import Status, Tracker, Trajectory, View
from wildgrasp.geometry import PinholeCamera, from_vector, pose

NEAR_M, FAR_M = 0.2, 4.0


Make = Callable[[PinholeCamera], Tracker]


def peers(vocabulary: Path | None = None) -> tuple[dict[str, Make], dict[str, str]]:
    """The peers that can run here by name, and why others cannot. ``vocabulary``: ORB-SLAM3's."""
    found: dict[str, Make] = {"paper": PaperTracker, "opencv": OpenCVOdometry}
    missing: dict[str, str] = {}
    if importlib.util.find_spec("open3d") is not None:
        found["open3d"] = Open3DOdometry
    else:
        missing["open3d"] = "open3d is not installed (pip install 'wildgrasp[bench]')"
    if importlib.util.find_spec("pyorbslam3") is None:
        missing["orb-slam3"] = "pyorbslam3 is not installed (pip install 'wildgrasp[bench]')"
    elif vocabulary is None:
        missing["orb-slam3"] = "its package brings no vocabulary (--vocabulary; benchmarks.orb_vocabulary makes one)"
    else:
        found["orb-slam3"] = partial(OrbSlam3, vocabulary)
    return found, missing


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


class OrbSlam3:
    """ORB-SLAM3 with RGB-D (Campos et al. 2021), its trajectory after the last frame."""

    def __init__(self, vocabulary: Path, camera: PinholeCamera) -> None:
        self._vocabulary = vocabulary
        self._settings = ORB_SLAM3_SETTINGS.format(c=camera)

    def track(self, views: Iterable[View]) -> Trajectory:
        import pyorbslam3

        with tempfile.TemporaryDirectory() as folder:
            settings, found = Path(folder) / "camera.yaml", Path(folder) / "trajectory.txt"
            settings.write_text(self._settings)
            slam = pyorbslam3.Slam(self._vocabulary, settings, pyorbslam3.Sensor.RGBD)
            count = 0
            for view in views:
                color = view.color if view.ignore is None else np.where(view.ignore[..., None], 128, view.color)
                slam.track_rgbd(np.ascontiguousarray(color.astype(np.uint8)), _masked(view), count / 30)
                count += 1
            slam.shutdown()
            slam.save_trajectory_tum(str(found))
            rows = np.loadtxt(found, ndmin=2) if found.exists() and found.stat().st_size else np.zeros((0, 8))
        T, status = np.tile(pose(), (count, 1, 1)), ["lost"] * count
        for row in rows:
            frame = round(row[0] * 30)
            T[frame], status[frame] = from_vector(row[1:]), "ok"
        return Trajectory(T, status, np.full(count, np.nan))


ORB_SLAM3_SETTINGS = """%YAML:1.0
File.version: "1.0"
Camera.type: "PinHole"
Camera1.fx: {c.fx}
Camera1.fy: {c.fy}
Camera1.cx: {c.cx}
Camera1.cy: {c.cy}
Camera1.k1: 0.0
Camera1.k2: 0.0
Camera1.p1: 0.0
Camera1.p2: 0.0
Camera.width: {c.width}
Camera.height: {c.height}
Camera.fps: 30
Camera.RGB: 1
Stereo.ThDepth: 40.0
Stereo.b: 0.055
RGBD.DepthMapFactor: 1.0
ORBextractor.nFeatures: 1000
ORBextractor.scaleFactor: 1.2
ORBextractor.nLevels: 8
ORBextractor.iniThFAST: 20
ORBextractor.minThFAST: 7
Viewer.KeyFrameSize: 0.05
Viewer.KeyFrameLineWidth: 1.0
Viewer.GraphLineWidth: 0.9
Viewer.PointSize: 2.0
Viewer.CameraSize: 0.08
Viewer.CameraLineWidth: 3.0
Viewer.ViewpointX: 0.0
Viewer.ViewpointY: -0.7
Viewer.ViewpointZ: -1.8
Viewer.ViewpointF: 500.0
"""


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
