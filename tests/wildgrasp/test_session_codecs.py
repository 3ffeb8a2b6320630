"""What goes into a session comes out of it bit by bit, and bytes that are none of it are refused."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile

import cv2
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wildgrasp.errors import SessionError
from wildgrasp.sessions import codecs
from wildgrasp.sessions.arrays import pack_arrays, unpack_arrays
from wildgrasp.sessions.codecs import (
    color_size,
    decode_color,
    decode_mask,
    encode_color,
    encode_mask,
)
from wildgrasp.sessions.depth import DepthEncoder, decode_depth, depth_size


def encode_depth(depth):
    return DepthEncoder().encode(depth)


quick = settings(max_examples=80, deadline=None, derandomize=True)
images = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)


@quick
@given(arrays(np.uint16, images))
def test_depth_is_lossless(depth):
    data = encode_depth(depth)
    assert depth_size(data) == depth.shape
    np.testing.assert_array_equal(decode_depth(data), depth)


@quick
@given(arrays(np.uint16, images))
def test_depth_of_a_strided_view_is_lossless(depth):
    view = depth[::-1, ::2]
    np.testing.assert_array_equal(decode_depth(encode_depth(view)), view)


@quick
@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3))))
def test_colour_at_quality_100_is_lossless(color):
    data = encode_color(color, quality=100)
    assert color_size(data) == color.shape[:2]
    np.testing.assert_array_equal(decode_color(data), color)


def test_jpeg_keeps_smooth_colour_and_the_order_of_channels():
    color = np.zeros((40, 60, 3), np.uint8)
    color[..., 0] = np.linspace(20, 200, 60).astype(np.uint8)
    color[..., 2] = 90
    data = encode_color(color, quality=90)
    assert color_size(data) == (40, 60)
    assert np.abs(decode_color(data).astype(int) - color).max() <= 6


@quick
@given(arrays(np.bool_, images))
def test_masks_are_lossless(mask):
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


@quick
@given(
    st.dictionaries(
        st.text("abcdefgh_", min_size=1, max_size=8),
        arrays(st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]), array_shapes(max_side=5)),
        max_size=4,
    )
)
def test_arrays_round_trip(values):
    found = unpack_arrays(pack_arrays(values))
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


# --- untrusted bytes ---

DECODERS = [decode_depth, decode_color, decode_mask, unpack_arrays]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(DECODERS), st.binary(max_size=300))
def test_noise_is_refused(decode, data):
    with pytest.raises(SessionError):
        decode(data)


SAMPLES = {
    decode_depth: encode_depth(np.arange(300, dtype=np.uint16).reshape(15, 20)),
    decode_color: encode_color(np.arange(900, dtype=np.uint8).reshape(15, 20, 3)),
    decode_mask: encode_mask(np.eye(16, dtype=bool)),
    unpack_arrays: pack_arrays({"a": np.arange(50.0), "b": np.eye(3, dtype=np.float32)}),
}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(DECODERS), st.data())
def test_damaged_bytes_give_an_image_or_a_clear_error(decode, data):
    sample = bytearray(SAMPLES[decode])
    for _ in range(data.draw(st.integers(1, 4))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(sample)))
    with contextlib.suppress(SessionError):
        decode(bytes(sample[:cut]))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes([8, 2, 0, 0, 0]) + bytes(40)


def test_an_image_that_claims_to_be_huge_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(SessionError):
        decode_color(png_header(60_000, 60_000))
    with pytest.raises(SessionError):
        decode_mask(png_header(0, 10))


def test_depth_that_unpacks_to_more_than_it_says_is_refused():
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    with pytest.raises(SessionError):
        decode_depth(struct.pack("<HH", 4, 4) + bomb)
    with pytest.raises(SessionError):
        decode_depth(struct.pack("<HH", codecs.MAX_SIDE + 1, 1) + bomb)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_depth_of_parts_that_do_not_belong_together_is_refused_or_an_image(data):
    """Every part is whole for itself, so that what is looked at is how they fit."""
    h, w = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    levels = data.draw(st.binary(max_size=4)) + bytes(data.draw(st.sampled_from([0, 8188, 8192])))
    parts = [levels, *(data.draw(st.binary(max_size=20)) for _ in range(3))]
    sections = [zstandard.compress(part) for part in parts]
    lengths = [len(section) + data.draw(st.sampled_from([0, 0, 0, 1, -1, 2**31])) for section in sections]
    header = struct.pack(
        "<4H4I", 0, data.draw(st.sampled_from([2, 2, 2, 0, 1, 3])), h, w, *(n % 2**32 for n in lengths)
    )
    with contextlib.suppress(SessionError):
        assert decode_depth(header + b"".join(sections)).shape == (h, w)


@pytest.mark.parametrize("part", range(4))
def test_a_part_of_depth_that_unpacks_to_more_than_it_may_is_refused(part):
    sections = [zstandard.compress(bytes(size)) for size in (8192, 2, 0, 0)]
    sections[part] = zstandard.ZstdCompressor().compress(bytes(500_000_000))
    payload = struct.pack("<4H4I", 0, 2, 4, 4, *map(len, sections)) + b"".join(sections)
    tracemalloc.start()
    with pytest.raises(SessionError, match="length does not fit"):
        decode_depth(payload)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_sensor_that_measures_steps_of_disparity_is_stored_small():
    """Depth of whole disparities takes few values: their ranks cost half of what the depth itself would."""
    rng = np.random.default_rng(0)
    disparity = np.round(32 * (30 + np.linspace(0, 30, 640) + rng.normal(0, 0.03, (480, 640))))
    depth = np.round(10_000 * 34 * 32 / disparity / 10).astype(np.uint16)
    encoder = DepthEncoder()
    assert len(encoder.encode(depth)) < 0.62 * len(zstandard.compress(np.diff(depth, prepend=0).tobytes(), 3))
    again = encoder.encode(depth)  # what an encoder remembers changes nothing of what is decoded
    np.testing.assert_array_equal(decode_depth(again), depth)
    np.testing.assert_array_equal(decode_depth(encoder.encode(depth[::-1] + np.uint16(7))), depth[::-1] + np.uint16(7))


def test_depth_that_is_too_large_is_not_written():
    with pytest.raises(SessionError):
        encode_depth(np.zeros((1, codecs.MAX_SIDE + 1), np.uint16))


def npz(member: bytes, name: str = "a.npy") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, member)
    return buffer.getvalue()


def test_arrays_that_claim_to_be_huge_or_hold_objects_are_refused():
    with pytest.raises(SessionError):
        unpack_arrays(npz(bytes(300_000_000)))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with pytest.raises(SessionError, match="shape"):
        unpack_arrays(npz(header.getvalue()))
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(SessionError):
        unpack_arrays(npz(objects.getvalue()))
