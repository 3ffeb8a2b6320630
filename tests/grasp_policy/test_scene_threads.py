"""The CPU's kernels over threads: nothing depends on how many there are, and no error is lost in one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from grasp_policy.scene import parallel

_FINGERPRINT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from analytic_scene import TABLE, look_at
from grasp_policy.actions import VIEW_CAMERA
from grasp_policy.scene import parallel
from grasp_policy.scene.tsdf import TsdfScene, Volume
scene = TsdfScene(Volume((-0.2, -0.2, -0.03), (80, 80, 40)))
poses = np.stack([look_at((0.15 * np.cos(a), 0.15 * np.sin(a), 0.4), (0, 0, 0.02)) for a in range(6)])
for T in poses:
    scene.integrate(*TABLE.render(VIEW_CAMERA, T)[:2], VIEW_CAMERA, T)
views = scene.render(VIEW_CAMERA, poses)
digest = hashlib.sha256()
for array in (*scene.to_dense(), views.color, views.depth, views.normal, views.valid):
    digest.update(np.ascontiguousarray(array).tobytes())
print(parallel.thread_count(), digest.hexdigest())
"""


def test_results_do_not_depend_on_the_number_of_threads():
    results = {}
    for threads in ("1", "2", "3"):
        run = subprocess.run(
            [sys.executable, "-c", _FINGERPRINT, str(Path(__file__).parent)],
            env={**os.environ, "NUMBA_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        count, digest = run.stdout.split()
        results[count] = digest
    assert set(results) == {"1", "2", "3"}
    assert len(set(results.values())) == 1


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch):
    monkeypatch.setattr(parallel, "thread_count", lambda: 2)

    def kernel(start, stride):
        if start == stride - 1:
            raise RuntimeError("kernel failed")

    with pytest.raises(RuntimeError, match="kernel failed"):
        parallel.run_strided(kernel)


def test_every_piece_of_work_is_done_once(monkeypatch):
    monkeypatch.setattr(parallel, "thread_count", lambda: 2)
    done = np.zeros(100, int)

    def kernel(start, stride, out):
        out[start::stride] += 1

    parallel.run_strided(kernel, done)
    assert (done == 1).all()
