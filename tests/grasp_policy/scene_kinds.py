"""The tests of the fused scene run with each of its implementations: ``new_scene`` makes the one whose turn it is.

The kernels for CUDA are plain torch and run on the CPU here; where there is a CUDA device, they run there as well.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch

from grasp_policy.scene.torch_scene import TorchScene
from grasp_policy.scene.tsdf import TsdfScene, Volume

_KINDS = {"numba": TsdfScene, "torch on the CPU": partial(TorchScene, device="cpu")}
if torch.cuda.is_available():
    _KINDS["torch on CUDA"] = partial(TorchScene, device="cuda")
_now = TsdfScene


@pytest.fixture(scope="module", autouse=True, params=_KINDS)
def scene_kind(request: pytest.FixtureRequest):
    global _now
    _now = _KINDS[request.param]
    yield request.param
    _now = TsdfScene


def new_scene(volume: Volume, **options) -> TsdfScene | TorchScene:
    return _now(volume, **options)
