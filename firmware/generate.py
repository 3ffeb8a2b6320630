#!/usr/bin/env python3
"""Write the protocol's C++ header, Python codec and reference page from protocol.toml (standard library only).

`python3 firmware/generate.py` rewrites what differs; `--check` only tells, and exits with 1 when something does.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "firmware" / "protocol.toml"
OUTPUTS = {
    "cpp": ROOT / "firmware" / "gripper" / "src" / "core" / "messages.h",
    "python": ROOT / "capture_app" / "gripper" / "protocol.py",
    "page": ROOT / "docs" / "gripper-protocol.md",
}
NOTICE = "Generated from firmware/protocol.toml by firmware/generate.py: change that file, then run it."
BYTES = {"u8": 1, "u16": 2, "u32": 4, "i16": 2}
CPP_TYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "i16": "int16_t"}
STRUCT_CODES = {"u8": "B", "u16": "H", "u32": "I", "i16": "h"}
HEADER_BYTES = 6


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.lower().split("_"))


def class_name(name: str) -> str:
    """Name of a message's class in both languages: BUTTON → ButtonMessage."""
    return camel(name) + "Message"


def body_size(message: dict) -> int:
    return sum(BYTES[field["type"]] for field in message["fields"])


def check(protocol: dict) -> None:
    """Refuse a description that could not work."""
    types = [message["type"] for message in protocol["messages"].values()]
    if len(types) != len(set(types)):
        raise SystemExit("protocol.toml: two messages share a type number")
    for name, message in protocol["messages"].items():
        if body_size(message) > protocol["max_body"]:
            raise SystemExit(f"protocol.toml: the body of {name} is larger than max_body")
    if body_size(protocol["messages"]["PING"]) != body_size(protocol["messages"]["PONG"]):
        raise SystemExit("protocol.toml: PING and PONG must be equally long")


# --- C++ ---


def cpp_enum(name: str, enum: dict) -> str:
    values = "\n".join(f"  {camel(key)} = {value}," for key, value in enum.items() if key != "doc")
    return f"// {enum['doc']}\nenum class {camel(name)} : uint8_t {{\n{values}\n}};\n"


def cpp_field(field: dict) -> str:
    kind = camel(field["enum"]) if "enum" in field else CPP_TYPES[field["type"]]
    unit = f", {field['unit']}" if "unit" in field else ""
    zero = f"{kind}(0)" if "enum" in field else "0"
    return f"  {kind} {field['name']} = {zero};  // {field['doc']}{unit}"


def cpp_message(name: str, message: dict) -> str:
    fields = message["fields"]
    puts, gets, offset = [], [], 0
    for field in fields:
        kind, member = field["type"], field["name"]
        value = f"{CPP_TYPES[kind]}(m.{member})" if "enum" in field else f"m.{member}"
        got = f"get_{kind}(body + {offset})"
        target = f"{camel(field['enum'])}({got})" if "enum" in field else got
        puts.append(f"  put_{kind}(body + {offset}, {value});")
        gets.append(f"  m.{member} = {target};")
        offset += BYTES[kind]
    struct = class_name(name)
    members = "\n".join(cpp_field(field) for field in fields)
    return (
        f"// {message['doc']} Time: {message['time']}.\n"
        f"struct {struct} {{\n  static constexpr uint8_t TYPE = {message['type']};\n"
        f"  static constexpr uint8_t SIZE = {offset};\n{members}\n}};\n\n"
        f"inline void encode(const {struct} &m, uint8_t *body) {{\n" + "\n".join(puts) + "\n}\n\n"
        f"inline void decode(const uint8_t *body, {struct} &m) {{\n" + "\n".join(gets) + "\n}\n"
    )


CPP_HELPERS = """inline void put_u8(uint8_t *p, uint8_t v) { p[0] = v; }
inline void put_u16(uint8_t *p, uint16_t v) {
  p[0] = uint8_t(v);
  p[1] = uint8_t(v >> 8);
}
inline void put_i16(uint8_t *p, int16_t v) { put_u16(p, uint16_t(v)); }
inline void put_u32(uint8_t *p, uint32_t v) {
  put_u16(p, uint16_t(v));
  put_u16(p + 2, uint16_t(v >> 16));
}
inline uint8_t get_u8(const uint8_t *p) { return p[0]; }
inline uint16_t get_u16(const uint8_t *p) { return uint16_t(p[0] | uint16_t(p[1]) << 8); }
inline int16_t get_i16(const uint8_t *p) { return int16_t(get_u16(p)); }
inline uint32_t get_u32(const uint8_t *p) { return get_u16(p) | uint32_t(get_u16(p + 2)) << 16; }
"""


def to_cpp(protocol: dict) -> str:
    constants = "\n".join(
        f"constexpr uint16_t {name.upper()} = {entry['value']};  // {entry['doc']}"
        for name, entry in protocol["constants"].items()
    )
    enums = "\n".join(cpp_enum(name, enum) for name, enum in protocol["enums"].items())
    messages = "\n".join(cpp_message(name, message) for name, message in protocol["messages"].items())
    return (
        f"// {NOTICE}\n#pragma once\n\n#include <stdint.h>\n\nnamespace gripper {{\n\n"
        f"constexpr uint8_t PROTOCOL_VERSION = {protocol['version']};\n"
        f"constexpr uint32_t HOST_BAUD = {protocol['baud']};\n"
        f"constexpr uint8_t HEADER_SIZE = {HEADER_BYTES};\nconstexpr uint8_t MAX_BODY = {protocol['max_body']};\n"
        f"{constants}\n\n{enums}\n{CPP_HELPERS}\n{messages}\n}}  // namespace gripper\n"
    )


# --- Python ---


def python_enum(name: str, enum: dict) -> str:
    values = "\n".join(f"    {key.upper()} = {value}" for key, value in enum.items() if key != "doc")
    return f'class {camel(name)}(IntEnum):\n    """{enum["doc"]}"""\n\n{values}\n'


def python_message(name: str, message: dict) -> str:
    members = []
    for field in message["fields"]:
        unit = f" [{field['unit']}]" if "unit" in field else ""
        members.append(f"    {field['name']}: int  # {field['doc']}{unit}")
    codes = "".join(STRUCT_CODES[field["type"]] for field in message["fields"])
    return (
        f"@dataclass(frozen=True)\nclass {class_name(name)}:\n"
        f'    """{message["doc"]}\n\n    Time: {message["time"]}.\n    """\n\n'
        f"    TYPE: ClassVar[int] = {message['type']}\n"
        f'    BODY: ClassVar[struct.Struct] = struct.Struct("<{codes}")\n\n' + "\n".join(members) + "\n"
    )


PYTHON_CODEC = '''

@dataclass(frozen=True)
class Frame:
    """A message with its header."""

    seq: int
    t_us: int  # device clock, wraps after 2**32 µs (71.6 min)
    message: Message


class FrameError(ValueError):
    """Bytes between two delimiters that are no message."""


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF; 0x29B1 for b"123456789"."""
    return binascii.crc_hqx(data, 0xFFFF)


def encode(message: Message, seq: int = 0, t_us: int = 0) -> bytes:
    """A message as bytes on the wire, with its delimiter."""
    values = [getattr(message, field.name) for field in fields(message)]
    raw = _HEADER.pack(message.TYPE, seq & 0xFF, t_us & 0xFFFFFFFF) + message.BODY.pack(*values)
    return cobs.encode(raw + crc16(raw).to_bytes(2, "little")) + b"\\x00"


def decode(data: bytes) -> Frame:
    """Inverse of :func:`encode`, for the bytes between two delimiters. Raises FrameError.

    A body longer than known is from a newer firmware: what it adds is ignored.
    """
    try:
        raw = cobs.decode(data)
    except cobs.DecodeError as error:
        raise FrameError(f"not COBS ({error})") from None
    if len(raw) < _HEADER.size + 2:
        raise FrameError(f"{len(raw)} bytes are too short for a message")
    if crc16(raw[:-2]) != int.from_bytes(raw[-2:], "little"):
        raise FrameError("wrong checksum")
    kind, seq, t_us = _HEADER.unpack_from(raw)
    message_class = MESSAGES.get(kind)
    if message_class is None:
        raise FrameError(f"unknown message type {kind}")
    body = raw[_HEADER.size : -2]
    if len(body) < message_class.BODY.size:
        raise FrameError(f"{message_class.__name__} is too short ({len(body)} bytes)")
    return Frame(seq, t_us, message_class(*message_class.BODY.unpack_from(body)))
'''


def to_python(protocol: dict) -> str:
    constants = "\n".join(
        f"{name.upper()} = {entry['value']}  # {entry['doc']}" for name, entry in protocol["constants"].items()
    )
    enums = "\n\n".join(python_enum(name, enum) for name, enum in protocol["enums"].items())
    messages = "\n\n".join(python_message(name, message) for name, message in protocol["messages"].items())
    classes = [class_name(name) for name in protocol["messages"]]
    union, entries = "\n    | ".join(classes), "\n".join(f"        {name}," for name in classes)
    return (
        f'"""The gripper\'s serial protocol.\n\n{NOTICE}\n"""\n\nfrom __future__ import annotations\n\n'
        "import binascii\nimport struct\nfrom dataclasses import dataclass, fields\nfrom enum import IntEnum\n"
        "from typing import ClassVar\n\nfrom cobs import cobs\n\n"
        f"PROTOCOL_VERSION = {protocol['version']}\nBAUD = {protocol['baud']}\n{constants}\n\n"
        '_HEADER = struct.Struct("<BBI")\n\n\n'
        f"{enums}\n\n{messages}\n\nMessage = (\n    {union}\n)\n"
        f"MESSAGES: dict[int, type[Message]] = {{\n    m.TYPE: m\n    for m in (\n{entries}\n    )\n}}\n{PYTHON_CODEC}"
    )


# --- the page ---


def page_message(name: str, message: dict) -> str:
    rows = []
    offset = HEADER_BYTES
    for field in message["fields"]:
        meaning = field["doc"] + (f" ([{field['enum']}](#{field['enum']}))" if "enum" in field else "")
        rows.append(f"| {offset} | `{field['name']}` | {field['type']} | {field.get('unit', '')} | {meaning} |")
        offset += BYTES[field["type"]]
    wire = offset + 2 + 2
    return (
        f"### {name} ({message['type']}, from the {message['from']}, {wire} bytes on the wire)\n\n{message['doc']}\n\n"
        f"`t_us`: {message['time']}.\n\n| offset | field | type | unit | meaning |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def page_enum(name: str, enum: dict) -> str:
    rows = "\n".join(f"| {value} | `{key}` |" for key, value in enum.items() if key != "doc")
    return f"### {name}\n\n{enum['doc']}\n\n| value | name |\n|---|---|\n{rows}\n"


def to_page(protocol: dict) -> str:
    messages = "\n".join(page_message(name, message) for name, message in protocol["messages"].items())
    enums = "\n".join(page_enum(name, enum) for name, enum in protocol["enums"].items())
    constants = "\n".join(
        f"| `{name}` | {entry['value']} | {entry['doc']} |" for name, entry in protocol["constants"].items()
    )
    return f"""<!-- {NOTICE} -->
# The gripper's serial protocol, version {protocol["version"]}

{protocol["baud"]} baud, 8N1, over the Arduino's USB serial port. Numbers are little endian.

## Frames

    COBS( type u8 | seq u8 | t_us u32 | body | crc16 )  0x00

- [COBS](https://en.wikipedia.org/wiki/Consistent_Overhead_Byte_Stuffing) removes all zero bytes, so that `0x00` ends a
  frame and nothing else; a receiver that comes late or sees damage waits for the next zero.
- `seq` counts every message that a side wanted to send: a gap is a loss.
- `t_us` is the device's clock in microseconds; it starts at 0 with each boot and wraps after 71.6 minutes.
- `crc16` is CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xFFFF, no reflection; 0x29B1 for `123456789`) over everything
  before it.
- Longer bodies than listed come from newer firmware: ignore what they add. Ignore messages of unknown type.

## Messages

{messages}
## Values

{enums}
## Constants

| name | value | meaning |
|---|---|---|
{constants}
"""


def outputs() -> dict[Path, str]:
    """Every generated file's path and text."""
    protocol = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    check(protocol)
    return {
        OUTPUTS["cpp"]: to_cpp(protocol),
        OUTPUTS["python"]: to_python(protocol),
        OUTPUTS["page"]: to_page(protocol),
    }


def main() -> int:
    stale = [path for path, text in outputs().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} differs from protocol.toml: run firmware/generate.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(outputs()[path], encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return int(bool(stale) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
