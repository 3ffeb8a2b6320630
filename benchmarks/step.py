"""One whole step of the Q-policy: fuse an image, render the state and 35 views, score them, choose.

    python -m benchmarks.step [--checkpoint FILE] [--steps 100] [--json FILE]

Without a checkpoint, a fresh ``compact`` network of the default size is timed: its values mean nothing, its cost is the
same. Keys: ``fuse_ms``, ``views_ms``, ``q_ms``, ``step_ms`` (medians; the paper needs 180 ms on a 2080 Ti),
``step_ms_p95``, ``threads``, ``peak_mb`` (resident memory of the process), ``growth_mb`` (from the first tenth of the
steps to the last: 0 when nothing leaks).
"""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from benchmarks.table_scene import VOLUME, approach
from grasp_policy.actions import SENSOR_CAMERA
from grasp_policy.checkpoint import Checkpoint
from grasp_policy.inference import Evaluator, load_evaluator
from grasp_policy.inference.torch_cpu import TorchEvaluator
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.q_policy import QPolicy
from grasp_policy.scene.parallel import thread_count
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP


def main(
    checkpoint: Path | None = None,
    steps: int = 100,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Measure and print; see the module's text."""
    policy = QPolicy(evaluator(checkpoint), workspace=VOLUME)
    observations = approach()
    rows, resident = [], []
    for n in range(10 + steps):
        observation = observations[n % len(observations)]
        started = time.perf_counter()
        policy.observe(observation.color, observation.depth, SENSOR_CAMERA, observation.T_world_camera)
        decision = policy.decide(
            observation.T_world_camera @ NOMINAL_T_CAMERA_FINGERTIP, lambda poses: np.ones(len(poses), bool)
        )
        step_ms = 1e3 * (time.perf_counter() - started)
        if n >= 10 and decision.timings_ms:
            rows.append([decision.timings_ms[key] for key in ("fuse", "views", "q")] + [step_ms])
            resident.append(resident_mb())
    fuse, views, q, step = np.median(rows, axis=0)
    tenth = max(1, len(resident) // 10)
    results = {
        "fuse_ms": fuse,
        "views_ms": views,
        "q_ms": q,
        "step_ms": step,
        "step_ms_p95": float(np.percentile([row[3] for row in rows], 95)),
        "threads": thread_count(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "growth_mb": float(np.mean(resident[-tenth:]) - np.mean(resident[:tenth])),
    }
    for name, value in results.items():
        print(f"{name:14} {value:10.2f}")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def evaluator(checkpoint: Path | None) -> Evaluator:
    if checkpoint is not None:
        return load_evaluator(checkpoint)
    config = NetworkConfig()
    return TorchEvaluator(Checkpoint(config, QNetwork(config).state_dict()))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    tyro.cli(main)
