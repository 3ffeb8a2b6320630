"""How fast the views of a step are rendered, beside Open3D's VoxelBlockGrid casting the same rays.

    python -m benchmarks.views [--json FILE]

35 views of 80×45 pixels with colour, depth and normals, scene filling the view, 160×160×120 voxels of 5 mm. Before
every rendering one image is fused (not timed), as in a real step, so nothing that depends on the scene is reused. Keys:
``views_ms``, ``open3d_views_ms`` and ``ratio`` (null where open3d is not installed), ``filled`` and ``open3d_filled``
(fraction of pixels that show a surface), ``threads``, and ``growth`` {axis: {value: CPU
milliseconds}}.

Open3D casts one view at a time, which is all that its interface offers, with the fastest of its settings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from benchmarks import open3d_peer
from benchmarks.fusion import by_axis, print_results, same_box
from benchmarks.table_scene import VOLUME, Observation, action_view_poses, approach
from grasp_policy.actions import CANDIDATES, SENSOR_CAMERA, VIEW_CAMERA
from grasp_policy.scene.parallel import thread_count
from grasp_policy.scene.tsdf import TsdfScene, Volume
from wildgrasp.geometry import PinholeCamera


def main(json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> None:
    """Measure and print; see the module's text."""
    observations = approach()
    scene = TsdfScene(VOLUME)
    peer = open3d_peer.Open3DScene(VOLUME, scene.truncation_m) if open3d_peer.available() else None
    if peer:
        for observation in observations:
            peer.integrate(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
        peer.tune(VIEW_CAMERA, action_view_poses(observations[-1].T_world_camera))
    times = rendering_ms({"ours": scene} | ({"open3d": peer} if peer else {}), observations)
    last_poses = action_view_poses(observations[-1].T_world_camera)
    results: dict[str, Any] = {
        "views_ms": times["ours"],
        "open3d_views_ms": times.get("open3d"),
        "ratio": times["open3d"] / times["ours"] if peer else None,
        "filled": float(scene.render(VIEW_CAMERA, last_poses).valid.mean()),
        "open3d_filled": peer.render(VIEW_CAMERA, last_poses) if peer else None,
        "threads": thread_count(),
        "growth": growth(observations),
    }
    print_results(results)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def rendering_ms(
    scenes: dict[str, Any],
    observations: list[Observation],
    camera: PinholeCamera = VIEW_CAMERA,
    count: int = CANDIDATES,
    rounds: int = 24,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median milliseconds for ``count`` views of each scene; the scenes take turns."""
    times: dict[str, list[float]] = {name: [] for name in scenes}
    for n in range(len(observations) + rounds):
        observation = observations[n % len(observations)]
        poses = action_view_poses(observation.T_world_camera, count)
        for name, scene in scenes.items():
            scene.integrate(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
            started = clock()
            scene.render(camera, poses)
            if n >= len(observations):
                times[name].append(1e3 * (clock() - started))
    return {name: float(np.median(values)) for name, values in times.items()}


def growth(observations: list[Observation]) -> dict[str, dict[str, float]]:
    """CPU milliseconds as there are more views, larger ones, smaller voxels and a wider volume: {axis: {value: ms}}."""

    def cpu_ms(scene: TsdfScene, camera: PinholeCamera = VIEW_CAMERA, count: int = CANDIDATES) -> float:
        return rendering_ms({"": scene}, observations, camera, count, rounds=8, clock=time.process_time)[""]

    times = {("views", f"{count}"): cpu_ms(TsdfScene(VOLUME), count=count) for count in (1, 35, 105)}
    for width, height in ((40, 22), (80, 45), (160, 90)):
        times["pixels of a view", f"{width}×{height}"] = cpu_ms(TsdfScene(VOLUME), SENSOR_CAMERA.resized(width, height))
    for mm in (10, 5, 4):
        times["voxel size (mm)", f"{mm}"] = cpu_ms(TsdfScene(same_box(mm / 1000)))
    for side in (0.6, 0.8, 1.2):
        volume = Volume.around((0.0, 0.0, 0.2), (side, side, 0.6))
        times["width of the volume (m)", f"{side}"] = cpu_ms(TsdfScene(volume))
    return by_axis(times)


if __name__ == "__main__":
    tyro.cli(main)
