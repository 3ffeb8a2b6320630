"""How fast states are made, networks trained and candidate views scored.

    python -m benchmarks.training [SESSIONS …] [--json FILE]

States are made from the first of the processed sessions, if any are given; the rest is measured on random views. Keys:
``states_per_s``, ``samples_per_s`` {network: training views per second}, ``q_ms`` {network, precision, threads:
milliseconds for 35 views, from rendered views to values}.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from grasp_policy.actions import CANDIDATES, VIEW_CAMERA
from grasp_policy.batches import Batch
from grasp_policy.checkpoint import Checkpoint
from grasp_policy.dataset import find_sessions, session_states
from grasp_policy.inference.torch_runtime import TorchEvaluator
from grasp_policy.network import NetworkConfig, QNetwork
from grasp_policy.objectives import Temperature, softmax_loss
from grasp_policy.precision import prefers_bfloat16, threads, use_bfloat16
from grasp_policy.scene.views import Views
from grasp_policy.states import StatesConfig
from wildgrasp.sessions.session import Session

NETWORKS = (NetworkConfig("compact", 32), NetworkConfig("compact", 48), NetworkConfig("compact", 64))


def main(
    sessions: tyro.conf.Positional[tuple[Path, ...]] = (),
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Measure and print; see the module's text."""
    results: dict[str, object] = {"states_per_s": states_per_s(find_sessions(sessions)[0]) if sessions else None}
    results["samples_per_s"] = {name(c): samples_per_s(c) for c in NETWORKS}
    results["q_ms"] = {
        f"{name(c)}, {precision}, {count} thread{'s' if count > 1 else ''}": q_ms(c, precision, count)
        for c in NETWORKS
        for precision in (("float32", "bfloat16") if prefers_bfloat16() else ("float32",))
        for count in (1, 2)
    }
    for key, value in results.items():
        for label, number in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{key:14} {label:34} {'not measured' if number is None else f'{number:10.1f}'}")
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=1))


def name(config: NetworkConfig) -> str:
    return f"{config.preset} {config.channels}"


def states_per_s(path: Path) -> float:
    """Training states per second from a processed session, on the threads that NUMBA_NUM_THREADS allows."""
    with Session(path) as session:
        next(session_states(session, StatesConfig(beside=0)))  # compiles
        started = time.perf_counter()
        made = sum(1 for _ in session_states(session, StatesConfig()))
    return made / (time.perf_counter() - started)


def samples_per_s(config: NetworkConfig, states: int = 16, views: int = 8) -> float:
    """Views per second through forward, backward and the optimiser's step, on one thread."""
    network = QNetwork(config).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    rng = np.random.default_rng(0)
    images = torch.randn(states, 1 + views, VIEW_CAMERA.height, VIEW_CAMERA.width, 7).movedim(-1, 2)
    cost = rng.uniform(0, 0.2, (states, views)).astype(np.float32)
    empty = np.zeros(0)
    batch = Batch(images[:, 0], images[:, 1:], cost, empty, torch.zeros(0), np.full(states, 0.03, np.float32), empty)

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_bfloat16("auto")):
            maps = network(batch.state, batch.views)
        loss = softmax_loss(maps._replace(maps=maps.maps.float()), config, batch, Temperature())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    with threads(1):
        return states * views / median_s(step)


def q_ms(config: NetworkConfig, precision: str, thread_count: int) -> float:
    """Milliseconds from rendered views to the values of all candidates."""
    evaluator = TorchEvaluator(Checkpoint(config, QNetwork(config).state_dict()), precision, thread_count)
    state, views = random_views(1), random_views(CANDIDATES)
    return 1000 * median_s(lambda: evaluator(state, views))


def random_views(count: int) -> Views:
    rng = np.random.default_rng(0)
    shape = (count, VIEW_CAMERA.height, VIEW_CAMERA.width)
    normal = rng.normal(size=(*shape, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    color = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    return Views(color, rng.uniform(0.1, 0.6, shape).astype(np.float32), normal, np.ones(shape, bool))


def median_s(call: Callable[[], object], warm_up: int = 3, repeats: int = 15) -> float:
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    tyro.cli(main)
