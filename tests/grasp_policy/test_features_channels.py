"""Features: what each channel means, and that storage loses nothing but rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_policy.features import DEPTH_RANGE_M, FINGERTIP_DEPTH_M, PackedViews, features, pack
from grasp_policy.scene.views import Views


def random_views(seed: int, count: int = 2, height: int = 5, width: int = 8) -> Views:
    rng = np.random.default_rng(seed)
    valid = rng.random((count, height, width)) < 0.7
    normal = rng.normal(size=(count, height, width, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Views(
        (rng.integers(0, 256, (count, height, width, 3)) * valid[..., None]).astype(np.uint8),
        (rng.uniform(0.05, 1.5, valid.shape) * valid).astype(np.float32),
        (normal * valid[..., None]).astype(np.float32),
        valid,
    )


def test_channels() -> None:
    views = random_views(0)
    out = features(views)
    assert out.shape == (2, 7, 5, 8) and out.dtype == np.float32
    n, v, u = np.argwhere(views.valid)[0]
    np.testing.assert_allclose(out[n, :3, v, u], views.color[n, v, u] / 127.5 - 1, atol=1e-6)
    expected = np.clip((views.depth[n, v, u] - FINGERTIP_DEPTH_M) / DEPTH_RANGE_M, -1.5, 2)
    np.testing.assert_allclose(out[n, 3, v, u], expected, atol=1e-5)
    np.testing.assert_array_equal(out[n, 4:, v, u], views.normal[n, v, u])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_surface_is_zero_everywhere_and_values_are_bounded(seed: int) -> None:
    views = random_views(seed)
    out = np.moveaxis(features(views), 1, -1)
    assert not out[~views.valid].any()
    assert np.isfinite(out).all() and np.abs(out).max() <= 2


def test_depth_that_is_not_a_number_is_no_surface() -> None:
    views = random_views(0)
    views.depth[0, 0, 0] = np.nan
    assert not features(views)[0, :, 0, 0].any()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_packing_rounds_and_compression_is_lossless(seed: int) -> None:
    views = random_views(seed)
    packed = pack(views)
    again = PackedViews.decompress(packed.compress(), *views.depth.shape[1:])
    np.testing.assert_array_equal(again.color, packed.color)
    np.testing.assert_array_equal(again.depth, packed.depth)
    np.testing.assert_array_equal(again.normal, packed.normal)
    np.testing.assert_allclose(again.features(), features(views), atol=0.005)


def test_damaged_storage_is_an_error() -> None:
    payload = pack(random_views(0)).compress()[0]
    with pytest.raises(ValueError, match="damaged"):
        PackedViews.decompress([payload[:-4]], 5, 8)
    with pytest.raises(ValueError, match="size"):
        PackedViews.decompress([payload], 6, 8)
