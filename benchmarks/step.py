"""One whole step of the Q-policy: fuse an image, render the state and 35 views, score them, choose.

    python -m benchmarks.step [--checkpoint FILE] [--runtime NAME] [--steps 100] [--json FILE]

Without a checkpoint, a fresh ``compact`` network of the default size is timed: its values mean nothing, its cost is the
same. Keys: ``fuse_ms``, ``views_ms``, ``q_ms``, ``step_ms`` (medians; the paper needs 180 ms on a 2080 Ti),
``step_ms_p95``, ``runtime``, ``runtimes_q_ms`` {runtime that works here: milliseconds for the 35 values}, ``threads``,
``peak_mb`` (resident memory of the process), ``growth_mb`` (from the second tenth of the steps to the last: 0 when
nothing leaks), ``python_blocks_per_step`` (objects of Python's that a step leaves behind).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from functools import partial
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
    rows, memory = [], []
    for n in track(range(10 + steps), "steps"):
        observation = observations[n % len(observations)]
        started = time.perf_counter()
        policy.observe(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
        decision = policy.decide(
            observation.T_world_camera @ NOMINAL_T_CAMERA_FINGERTIP, lambda poses: np.ones(len(poses), bool)
        )
        step_ms = 1e3 * (time.perf_counter() - started)
        if n >= 10 and decision.timings_ms:
            rows.append([decision.timings_ms[key] for key in ("fuse", "views", "q")] + [step_ms])
            memory.append((resident_mb(), sys.getallocatedblocks()))
    fuse, views, q, step = np.median(rows, axis=0)
    tenth = max(1, len(memory) // 10)
    growth = np.mean(memory[-tenth:], axis=0) - np.mean(memory[tenth : 2 * tenth], axis=0)
    results = {
        "fuse_ms": fuse,
        "views_ms": views,
        "q_ms": q,
        "step_ms": step,
        "step_ms_p95": float(np.percentile([row[3] for row in rows], 95)),
        "runtime": chosen,
        "runtimes_q_ms": runtimes_q_ms(loaded, observations[-1]),
        "threads": thread_count(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "growth_mb": float(growth[0]),
        "python_blocks_per_step": float(growth[1] / max(1, len(memory) - 2 * tenth)),
    }
    for name, value in [*results.items(), *results["runtimes_q_ms"].items()]:
        print(f"{name:24} {value:10.2f}" if isinstance(value, float | int) else f"{name:24} {value}")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


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
