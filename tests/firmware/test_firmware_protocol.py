"""The protocol's one description, what is generated from it, and the codec."""

from __future__ import annotations

import runpy
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture_app.gripper import protocol
from capture_app.gripper.frames import FrameStream
from capture_app.gripper.protocol import MESSAGES, Frame, FrameError, decode, encode

ROOT = Path(__file__).parents[2]
RANGES = {"B": (0, 255), "H": (0, 65535), "I": (0, 2**32 - 1), "h": (-32768, 32767)}


@st.composite
def messages(draw: st.DrawFn) -> protocol.Message:
    kind = draw(st.sampled_from(list(MESSAGES.values())))
    codes = kind.BODY.format.lstrip("<")
    return kind(*(draw(st.integers(*RANGES[code])) for code in codes))


def test_generated_files_are_what_the_description_says() -> None:
    outputs = runpy.run_path(str(ROOT / "firmware" / "generate.py"))["outputs"]()
    for path, text in outputs.items():
        assert path.read_text(encoding="utf-8") == text, f"run firmware/generate.py: {path.name} is stale"


def test_crc_has_its_published_check_value() -> None:
    assert protocol.crc16(b"123456789") == 0x29B1


@given(messages(), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_any_message_survives_the_wire(message: protocol.Message, seq: int, t_us: int) -> None:
    data = encode(message, seq, t_us)
    assert data.count(0) == 1 and data[-1] == 0
    assert decode(data[:-1]) == Frame(seq, t_us, message)


@given(messages(), st.data())
def test_any_single_bit_error_is_noticed(message: protocol.Message, data: st.DataObject) -> None:
    wire = bytearray(encode(message)[:-1])
    bit = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        decode(bytes(wire))


@given(st.binary(max_size=60))
def test_random_bytes_are_refused_with_the_right_error(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode(data)


def test_longer_bodies_of_newer_firmware_are_understood() -> None:
    message = protocol.ButtonMessage(1, 3, 9)
    raw = protocol._HEADER.pack(message.TYPE, 5, 6) + message.BODY.pack(1, 3, 9) + b"new"
    data = protocol.cobs.encode(raw + protocol.crc16(raw).to_bytes(2, "little"))
    assert decode(data) == Frame(5, 6, message)


def test_ping_and_pong_are_equally_long() -> None:
    ones = {kind: kind(*(0x01 for _ in fields(kind))) for kind in (protocol.PingMessage, protocol.PongMessage)}
    ping, pong = (len(encode(message, 1, 0x01010101)) for message in ones.values())
    assert ping == pong


@given(st.lists(messages(), max_size=8), st.integers(1, 30))
def test_a_stream_in_any_pieces_gives_all_frames(sent: list[protocol.Message], piece: int) -> None:
    wire = b"".join(encode(message, seq, 0) for seq, message in enumerate(sent))
    stream = FrameStream()
    got = [f for i in range(0, len(wire), piece) for f in stream.feed(wire[i : i + piece])]
    assert [frame.message for frame in got] == sent
    assert stream.counts.bad_frames == stream.counts.lost_frames == 0


def test_losses_and_damage_are_counted() -> None:
    ping = protocol.PingMessage(1, 0)
    stream = FrameStream()
    damaged = bytearray(encode(ping, 255))
    damaged[4] ^= 8
    stream.feed(b"half\x00" + encode(ping, 250) + encode(ping, 254) + damaged + encode(ping, 0))
    assert stream.counts.lost_frames == 4  # 251, 252, 253 and the damaged 255
    assert stream.counts.bad_frames == 1
