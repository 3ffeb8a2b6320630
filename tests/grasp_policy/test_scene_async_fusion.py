"""Fusion on its own thread: order, dropping, errors, and that neither side waits for the other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from analytic_scene import TABLE, look_at

from grasp_policy.observer import SceneObserver
from grasp_policy.scene.async_fusion import AsyncFusion
from grasp_policy.scene.tsdf import Volume
from wildgrasp.geometry import PinholeCamera
from wildgrasp.rig import NOMINAL_T_CAMERA_FINGERTIP

CAMERA = PinholeCamera.from_hfov(160, 90, np.deg2rad(65.0))
WORKSPACE = Volume((-0.15, -0.15, -0.03), (60, 60, 36))


class Gate:
    """An observe function that waits until it is let through."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self, n: int) -> None:
        self.entered.release()
        assert self.open.acquire(timeout=30)
        self.seen.append(n)


def test_submitting_never_waits_and_drops_the_oldest_waiting():
    gate = Gate()
    with AsyncFusion(gate, capacity=2) as fusion:
        fusion.submit(0)
        assert gate.entered.acquire(timeout=30)  # 0 is under way; the rest queues behind it
        for n in range(1, 6):
            fusion.submit(n)
        assert fusion.dropped == 3
        assert not fusion.flush(timeout_s=0.0)
        for _ in range(3):
            gate.open.release()
        assert fusion.flush()
    assert gate.seen == [0, 4, 5]
    assert fusion.fused == 3


def test_close_fuses_what_is_waiting_and_refuses_more():
    seen = []
    fusion = AsyncFusion(seen.append, capacity=100)
    for n in range(50):
        fusion.submit(n)
    fusion.close()
    assert seen == list(range(50))
    with pytest.raises(ValueError, match="closed"):
        fusion.submit(1)


def test_an_error_reaches_the_caller_once_and_fusion_goes_on():
    seen = []

    def observe(n: int) -> None:
        if n == 1:
            raise ValueError("a bad pose")
        seen.append(n)

    with AsyncFusion(observe, capacity=10) as fusion:
        fusion.submit(0)
        fusion.submit(1)
        with pytest.raises(ValueError, match="a bad pose"):
            fusion.flush()
        fusion.submit(2)
        assert fusion.flush()
    assert seen == [0, 2]


def test_clear_forgets_what_is_waiting():
    gate = Gate()
    with AsyncFusion(gate, capacity=10) as fusion:
        for n in range(5):
            fusion.submit(n)
        assert gate.entered.acquire(timeout=30)
        gate.open.release()
        fusion.clear()
        assert gate.seen in ([0], [0, 1])  # 1 may have started before the queue was emptied
        for _ in range(5):
            gate.open.release()


def test_fusing_beside_rendering_ends_like_fusing_in_turn():
    poses = [look_at((0.2 * np.cos(a), 0.2 * np.sin(a), 0.35), (0, 0, 0.02)) for a in np.arange(12) * 0.5]
    frames = [(*TABLE.render(CAMERA, T)[:2], CAMERA, T) for T in poses]
    in_turn, beside = SceneObserver(WORKSPACE), SceneObserver(WORKSPACE)
    for frame in frames:
        in_turn.observe(*frame)
    T_fingertip = poses[0] @ NOMINAL_T_CAMERA_FINGERTIP
    with AsyncFusion(beside.observe, capacity=len(frames)) as fusion:
        for frame in frames:
            fusion.submit(*frame)
            view = beside.views(T_fingertip)
            assert np.isfinite(view.depth).all()
        assert fusion.flush()
        assert fusion.dropped == 0
    np.testing.assert_array_equal(beside.views(T_fingertip).depth, in_turn.views(T_fingertip).depth)
    np.testing.assert_array_equal(beside.surface_points().points, in_turn.surface_points().points)
