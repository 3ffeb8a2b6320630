"""One whole step of the Q-policy: fuse an image, render the state and 35 views, score them, choose.

    python -m benchmarks.step [--checkpoint FILE] [--runtime NAME] [--steps 100] [--json FILE]

Without a checkpoint, a fresh ``compact`` network of the default size is timed: its values mean nothing, its cost is the
same. Keys: ``fuse_ms``, ``views_ms``, ``q_ms``, ``step_ms`` (medians; the paper needs 180 ms on a 2080 Ti),
``step_ms_p95``, ``steps``, ``runtime``, ``runtimes_q_ms`` {runtime that works here: milliseconds for the 35 values},
``threads``, ``peak_mb`` (resident memory of the process), ``growth_mb`` (from the second tenth of the steps to the
last: 0 when nothing leaks), ``python_blocks_per_step`` (objects of Python's that a step leaves behind); and with images
arriving at 30 per second, fused on a thread of their own beside the steps: ``async_fps`` fused, ``async_dropped``,
``async_step_ms``. Interrupted with Ctrl-C, it reports on the steps so far.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import threading
import time
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.progress import track

from benchmarks.table_scene import VOLUME, Observation, action_view_poses, approach
from benchmarks.timing import median_ms
from grasp_policy.actions import SENSOR_CAMERA, VIEW_CAMERA
from grasp_policy.checkpoint import Checkpoint, load_checkpoint
from grasp_policy.inference import make_evaluator
from grasp_policy.inference.runtimes import choose, obstacles
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.q_policy import QPolicy
from grasp_policy.scene.async_fusion import AsyncFusion
from grasp_policy.scene.parallel import thread_count
from grasp_policy.scene.tsdf import TsdfScene
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP


def main(
    checkpoint: Path | None = None,
    runtime: str = "auto",
    steps: int = 100,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Measure and print; see the module's text."""
    loaded = load_checkpoint(checkpoint) if checkpoint is not None else fresh_checkpoint()
    chosen = choose(runtime)
    policy = QPolicy(make_evaluator(loaded, chosen), workspace=VOLUME)
    observations = approach()
    table = np.zeros((steps, 6))  # made beforehand, so that the memory that grows is not the benchmark's own
    done = 0
    with contextlib.suppress(KeyboardInterrupt):
        for n in track(range(-10, steps), "steps"):
            observation = observations[n % len(observations)]
            started = time.perf_counter()
            policy.observe(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
            T_fingertip = observation.T_world_camera @ NOMINAL_T_CAMERA_FINGERTIP
            timings = policy.decide(T_fingertip, lambda poses: np.ones(len(poses), bool)).timings_ms
            step_ms = 1e3 * (time.perf_counter() - started)
            if n >= 0:
                phases = (timings["fuse"], timings["views"], timings["q"], step_ms)
                table[n] = (*phases, resident_mb(), sys.getallocatedblocks())
                done = n + 1
    rows = table[: max(done, 1)]
    fuse, views, q, step = np.median(rows[:, :4], axis=0)
    tenth = max(1, len(rows) // 10)
    growth = rows[-tenth:, 4:].mean(axis=0) - rows[tenth : 2 * tenth, 4:].mean(axis=0)
    results = {
        "fuse_ms": float(fuse),
        "views_ms": float(views),
        "q_ms": float(q),
        "step_ms": float(step),
        "step_ms_p95": float(np.percentile(rows[:, 3], 95)),
        "steps": done,
        "runtime": chosen,
        "runtimes_q_ms": runtimes_q_ms(loaded, observations[-1]),
        **beside(policy, observations),
        "threads": thread_count(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "growth_mb": float(growth[0]),
        "python_blocks_per_step": float(growth[1] / max(1, len(rows) - 2 * tenth)),
    }
    for name, value in [*results.items(), *results["runtimes_q_ms"].items()]:
        print(f"{name:24} {value:10.2f}" if isinstance(value, float | int) else f"{name:24} {value}")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def beside(policy: QPolicy, observations: list[Observation], seconds: float = 4.0) -> dict[str, float]:
    """Steps, one after the other, while images arrive at camera rate."""
    done, step_ms = threading.Event(), []

    def deliver(fusion: AsyncFusion) -> None:
        due = time.perf_counter()
        for o in cycle(observations):
            fusion.submit(o.color, o.depth, SENSOR_CAMERA, o.T_world_camera)
            due += 1 / 30
            if done.wait(max(0.0, due - time.perf_counter())):
                return

    T = observations[-1].T_world_camera @ NOMINAL_T_CAMERA_FINGERTIP
    with AsyncFusion(policy.observe) as fusion:
        camera = threading.Thread(target=deliver, args=(fusion,))
        started = time.perf_counter()
        camera.start()
        while time.perf_counter() - started < seconds:
            step_started = time.perf_counter()
            policy.decide(T, lambda poses: np.ones(len(poses), bool))
            step_ms.append(1e3 * (time.perf_counter() - step_started))
        done.set()
        camera.join()
        elapsed = time.perf_counter() - started
    return {
        "async_fps": fusion.fused / elapsed,
        "async_dropped": fusion.dropped,
        "async_step_ms": float(np.median(step_ms)),
    }


def runtimes_q_ms(checkpoint: Checkpoint, observation: Observation) -> dict[str, float]:
    """Milliseconds for the values of one step's views with everything that can run the network here, in turn."""
    scene = TsdfScene(VOLUME)
    scene.integrate(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
    state = scene.render(VIEW_CAMERA, observation.T_world_camera[None])
    views = scene.render(VIEW_CAMERA, action_view_poses(observation.T_world_camera))
    working = [name for name, obstacle in obstacles().items() if obstacle is None]
    evaluators = {name: make_evaluator(checkpoint, name) for name in working}
    return median_ms({name: partial(evaluator, state, views) for name, evaluator in evaluators.items()}, rounds=15)


def fresh_checkpoint() -> Checkpoint:
    config = NetworkConfig()
    return Checkpoint(config, QNetwork(config).state_dict())


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    tyro.cli(main)
