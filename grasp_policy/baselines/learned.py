"""The learned baselines by name: each its network, and the weights that come with WildGrasp."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from grasp_policy import checkpoints
from grasp_policy.baselines.ggcnn import PlanarClosedLoop
from grasp_policy.baselines.vgn import OneShot
from grasp_policy.policy import Policy
from grasp_policy.scene.tsdf import Volume

LEARNED = ("ggcnn", "vgn")


def learned_baseline(name: str, weights: Path | None, workspace: Volume | None) -> Policy:
    """A baseline of ``LEARNED``. ``weights``: a file as ``load_weights`` takes it; by default the one that comes along.

    Raises CheckpointError.
    """
    path = Path(checkpoints.__file__).parent / f"{name}.safetensors" if weights is None else weights
    predict = _predict(name, path, path.stat().st_mtime_ns if path.is_file() else 0)
    return PlanarClosedLoop(predict) if name == "ggcnn" else OneShot(predict, workspace)


@lru_cache(maxsize=2)
def _predict(name: str, path: Path, changed_ns: int) -> Callable[[NDArray], Any]:
    """The network with its weights; kept, since many episodes in a row use the same."""
    from grasp_policy.baselines import ggcnn_network, vgn_network  # torch: seconds that others need not wait
    from grasp_policy.baselines.weights import load_weights

    network, predict = (
        (ggcnn_network.GgCnn(), ggcnn_network.predict) if name == "ggcnn" else (vgn_network.Vgn(), vgn_network.predict)
    )
    load_weights(network, path)
    return partial(predict, network)
