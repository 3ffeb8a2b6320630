"""How fast a colour and depth image is fused, beside Open3D's VoxelBlockGrid at the same voxels.

    python -m benchmarks.fusion [--json FILE]

640×360 pixels into 160×160×120 voxels of 5 mm, scene filling the view, a moving camera. Keys: ``fuse_ms``,
``open3d_fuse_ms`` and ``ratio`` (null where open3d is not installed), ``threads``, and ``growth`` {axis: {value: CPU
milliseconds}}.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks import open3d_peer
from benchmarks.table_scene import VOLUME, Observation, approach
from benchmarks.timing import median_ms
from grasp_policy.actions import SENSOR_CAMERA
from grasp_policy.scene.parallel import thread_count
from grasp_policy.scene.tsdf import TsdfScene, Volume
from wildgrasp.geometry import PinholeCamera

TRUNCATION_M = 0.02


def main(json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> None:
    """Measure and print; see the module's text."""
    observations = approach()
    calls = {"fuse_ms": fusing(TsdfScene(VOLUME, TRUNCATION_M), observations)}
    if open3d_peer.available():
        calls["open3d_fuse_ms"] = fusing(open3d_peer.Open3DScene(VOLUME, TRUNCATION_M), observations)
    times = median_ms(calls, rounds=60, warm_up=12)
    peer = times.get("open3d_fuse_ms")
    results: dict[str, Any] = {
        "fuse_ms": times["fuse_ms"],
        "open3d_fuse_ms": peer,
        "ratio": None if peer is None else peer / times["fuse_ms"],
        "threads": thread_count(),
        "growth": growth(observations),
    }
    print_results(results)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def print_results(results: dict[str, Any]) -> None:
    """A line per figure, the growth's too."""
    rows = [(name, value) for name, value in results.items() if name != "growth"]
    for axis, points in results["growth"].items():
        rows += [(f"{axis}: {value}, CPU ms", ms) for value, ms in points.items()]
    for name, value in rows:
        print(f"{name:36} {'not installed' if value is None else f'{value:10.2f}'}")


def growth(observations: list[Observation]) -> dict[str, dict[str, float]]:
    """CPU milliseconds as voxels get smaller, the volume wider, the image larger: {axis: {value: ms}}."""
    calls = {("voxel size (mm)", f"{mm}"): fusing(TsdfScene(same_box(mm / 1000)), observations) for mm in (10, 5, 4)}
    for side in (0.6, 0.8, 1.2):
        volume = Volume.around((0.0, 0.0, 0.2), (side, side, 0.6))
        calls["width of the volume (m)", f"{side}"] = fusing(TsdfScene(volume), observations)
    for width, height in ((320, 180), (640, 360), (1280, 720)):
        camera = SENSOR_CAMERA.resized(width, height)
        calls["image", f"{width}×{height}"] = fusing(TsdfScene(VOLUME), approach(4, camera), camera)
    return by_axis(median_ms(calls, rounds=16, warm_up=8, clock=time.process_time))


def by_axis(times: dict[tuple[str, str], float]) -> dict[str, dict[str, float]]:
    """{(axis, value): ms} as {axis: {value: ms}}."""
    result: dict[str, dict[str, float]] = {}
    for (axis, value), ms in times.items():
        result.setdefault(axis, {})[value] = ms
    return result


def same_box(voxel_m: float) -> Volume:
    shape = tuple(round(n * VOLUME.voxel_m / voxel_m) for n in VOLUME.shape)
    return Volume(VOLUME.origin, shape, voxel_m)


def fusing(
    scene: TsdfScene | open3d_peer.Open3DScene, observations: list[Observation], camera: PinholeCamera = SENSOR_CAMERA
) -> Callable[[], object]:
    """A call that fuses the next observation."""
    upcoming = cycle(observations)

    def call() -> None:
        observation = next(upcoming)
        scene.integrate(observation.color, observation.depth, camera, observation.T_world_camera)

    return call


if __name__ == "__main__":
    tyro.cli(main)
